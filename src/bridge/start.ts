import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Home } from '../config/home.ts';
import { makePrivateDir } from '../config/private-dir.ts';
import { readLockHolder } from '../host/lock.ts';
import { hasNewRuns, listOpenBridgeRuns } from '../storage/bridge.ts';
import type { Db } from '../storage/open.ts';
import { summarizeOutbox } from '../storage/outbox.ts';
import { bridgePaths } from './paths.ts';

/**
 * Starts the bridge of a home unless it lives; nobody waits for it. It inherits the environment, whose secrets it must know to mask
 * them. One that is about to end looks again after it let go of its lock, so nothing is missed.
 */
export function startBridge(home: Home): void {
  const paths = bridgePaths(home);
  if (readLockHolder(paths.lock) !== null) return;
  makePrivateDir(home.logs);
  const log = openSync(paths.log, 'a', 0o600);
  const child = spawn(process.execPath, [process.argv[1] ?? '', 'matrix', 'bridge'], {
    // The config of a project says nothing about other runs.
    cwd: home.dir,
    detached: true,
    env: process.env,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.on('error', () => {});
  child.unref();
}

const firstLookMs = 10_000;
const longestLookMs = 10 * 60_000;

/**
 * Starts the bridge and looks now and then whether it lives, as long as a run does: one that was killed must not leave the room silent.
 * One that ends by itself again and again is asked less and less often.
 */
export function keepBridge(home: Home): Disposable {
  startBridge(home);
  let lookMs = firstLookMs;
  const look = (): void => {
    if (readBridgePid(home) === null) {
      startBridge(home);
      lookMs = Math.min(longestLookMs, lookMs * 2);
    }
    timer = setTimeout(look, lookMs).unref();
  };
  let timer = setTimeout(look, lookMs).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Starts the bridge when a room lacks something: after a login, or when a person wants it tried again. */
export function startBridgeIfOwing(home: Home, db: Db): void {
  if (hasNewRuns(db) || listOpenBridgeRuns(db).length > 0 || summarizeOutbox(db).waiting > 0) startBridge(home);
}

/** The process id of the bridge that lives in a home. */
export function readBridgePid(home: Home): number | null {
  return readLockHolder(bridgePaths(home).lock);
}

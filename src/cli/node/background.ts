import { closeSync, openSync, readFileSync } from 'node:fs';
import { nodePaths } from '../../bridge/paths.ts';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import { CommandError } from '../exit.ts';

/** Starts a node that outlives this process and its terminal; resolves with its pid once it listens. */
export async function startNodeInBackground(home: Home, room: string): Promise<number> {
  makePrivateDir(home.logs);
  const { log } = nodePaths(home);
  const fd = openSync(log, 'a', 0o600);
  const child = process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [process.argv[1] ?? '', 'node', 'start', '--room', room], {
      // The config of a project says nothing about what others may do here.
      cwd: home.dir,
      detached: true,
      env: process.env,
      stdio: ['ignore', fd, fd, 'ipc'],
    });
  closeSync(fd);
  const listens = await new Promise<boolean>((resolve) => {
    child.once('message', () => resolve(true));
    child.once('exit', () => resolve(false));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (listens && child.pid !== undefined) return child.pid;
  throw new CommandError('failed', 'the node ended at once', [...lastLines(log), `see ${log}`]);
}

/** Tells whoever started this process in the background that it listens. */
export function tellReady(): void {
  process.send?.('ready');
  if (process.connected) process.disconnect?.();
}

function lastLines(path: string): string[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.slice(-3).filter((line) => line !== '');
}

import type { Home } from '../config/home.ts';
import { makePrivateDir } from '../config/private-dir.ts';
import { isHolderAlive } from '../executor/identity.ts';
import { readLockHolder, takeLock } from '../host/lock.ts';
import { giveWay } from '../matrix/give-way.ts';
import { openPause } from '../matrix/pause.ts';
import { matrixFiles, readAccount } from '../matrix/secrets.ts';
import { hasNewRuns, isAnythingToSend, listOpenBridgeRuns, nextFile, type BridgeRun } from '../storage/bridge.ts';
import { writeLastError } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { findRuns, listUnfinishedRuns, readLease } from '../storage/read.ts';
import { hasOpenTickets } from '../storage/tickets.ts';
import { connectDevice, type Connection } from './connect.ts';
import { bridgePaths, nodePaths } from './paths.ts';
import { passingMark } from './prepare.ts';
import { openWork, type WorkOptions } from './work.ts';

export type ServeOptions = Omit<WorkOptions, 'connection' | 'isNeeded' | 'signal'> & {
  readonly home: Home;
  readonly db: Db;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** It stays, and takes the place of another bridge when that ends. */
  readonly stays: boolean;
};

/** Another process has the device for a moment, as `cis matrix verify` does. */
const lockedRetryMs = 2000;

/** Serves the rooms of a home until nothing needs them, or until the signal. False: another bridge does so already. */
export async function serveBridge(options: ServeOptions): Promise<boolean> {
  const { home, signal } = options;
  makePrivateDir(home.run);
  for (let isFirst = true; ; isFirst = false) {
    const lock = takeLock(bridgePaths(home).lock);
    if (lock === null && options.stays && !signal.aborted) {
      if (isFirst) options.say('another process serves the rooms of this home: this one takes over when it ends');
      await openPause().wait(lockedRetryMs, signal);
      continue;
    }
    if (lock === null) return !isFirst;
    try {
      // Runs go first; but where nodes work, what they wait for goes through here.
      if (!carriesWork(options)) giveWay(process.pid);
      if (!(await serveOnce(options))) return true;
    } finally {
      lock[Symbol.dispose]();
    }
    // A run that came between our last look and the end of the lock has seen a living bridge.
    if (signal.aborted || !(options.stays || isBridgeNeeded(options))) return true;
  }
}

/** False: there is no use in trying again. */
async function serveOnce(options: ServeOptions): Promise<boolean> {
  const { db, say, signal } = options;
  const connection = await connect(options);
  if (connection === null) return false;
  try {
    const end = await openWork({ ...options, connection, isNeeded: () => options.stays || isBridgeNeeded(options) });
    if (end === null) return !signal.aborted;
    writeLastError(db, end);
    say(end);
    return false;
  } finally {
    await connection.transport.close();
  }
}

async function connect({ home, db, signal, say }: ServeOptions): Promise<Connection | null> {
  const files = matrixFiles(home.dir);
  for (let said = ''; !signal.aborted;) {
    const account = readAccount(files);
    if (!account.ok || account.value === null) {
      say(account.ok ? 'not logged in: cis matrix login' : account.error);
      return null;
    }
    const connection = await connectDevice(files, account.value, db);
    if (connection.ok) return connection.value;
    if (connection.error.detail !== said) say(connection.error.detail);
    said = connection.error.detail;
    writeLastError(db, said);
    if (connection.error.kind === 'damaged') return null;
    await openPause().wait(lockedRetryMs, signal);
  }
  return null;
}

/**
 * Whether a run lives that the room follows, this home's node does, somebody may come with a ticket, or something waits to be sent or
 * uploaded.
 */
export function isBridgeNeeded({ home, db }: Pick<ServeOptions, 'home' | 'db'>): boolean {
  if (hasNewRuns(db) || isAnythingToSend(db) || nextFile(db) !== null) return true;
  if (readLockHolder(nodePaths(home).lock) !== null || hasOpenTickets(db, Date.now())) return true;
  return listOpenBridgeRuns(db).some((run) => needsRoom(db, run));
}

/** Whether this home is a node, or coordinates a run of nodes. */
function carriesWork({ home, db }: Pick<ServeOptions, 'home' | 'db'>): boolean {
  return readLockHolder(nodePaths(home).lock) !== null || listUnfinishedRuns(db).some(({ mode }) => mode === 'matrix');
}

/** A run that ended is needed until the room has its end; one that nobody drives changes no more. */
function needsRoom(db: Db, { run, problem }: BridgeRun): boolean {
  const [row] = findRuns(db, run);
  const isOver = row?.state.kind === 'completed' || row?.state.kind === 'failed' || row?.state.kind === 'aborted';
  if (isOver || row === undefined || row.mode === 'local') return problem === null || problem.startsWith(passingMark);
  const lease = readLease(db, run);
  return lease !== null && isHolderAlive(lease);
}

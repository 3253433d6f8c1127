import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive, readPidStart } from './processes.ts';

/** Who holds a lock file. */
interface Holder {
  readonly pid: number;
  readonly start: string;
}

/**
 * Takes a lock file, from a dead holder too; null while somebody alive has it. The file appears with its contents by `link`,
 * and a dead one is moved away by `rename`, so that of several takers one succeeds.
 */
export function takeLock(path: string): Disposable | null {
  const mine = JSON.stringify({ pid: process.pid, start: readPidStart(process.pid) });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      if (tryLink(draft, path)) return { [Symbol.dispose]: () => release(path, mine) };
      const found = readText(path);
      if (found === null) continue;
      const holder = parseHolder(found);
      if (holder !== null && isAlive(holder.pid, holder.start)) return null;
      removeDead(path, found);
    }
    return null;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The process that holds a lock file; null when nobody alive does. */
export function readLockHolder(path: string): number | null {
  const holder = parseHolder(readText(path) ?? '');
  return holder !== null && isAlive(holder.pid, holder.start) ? holder.pid : null;
}

function release(path: string, mine: string): void {
  if (readText(path) === mine) rmSync(path, { force: true });
}

/** Between reading and moving somebody else may have taken the lock: then it is given back. */
function removeDead(path: string, dead: string): void {
  const aside = `${path}.dead-${process.pid}`;
  try {
    renameSync(path, aside);
    if (readText(aside) !== dead) linkSync(aside, path);
  } catch {
    // somebody was faster
  }
  rmSync(aside, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function parseHolder(text: string): Holder | null {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return null;
  }
}

import { chmodSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Home } from '../config/home.ts';
import { makePrivateDir } from '../config/private-dir.ts';
import type { RunId, TaskId } from '../domain/ids.ts';

/** Where a task may write its output: `$CIS_OUTPUT`. */
export function outputPath(home: Home, run: RunId, task: TaskId, attempt: number): string {
  return join(home.sessions, run, `${task}#${attempt}.out`);
}

/** Outputs of ended tasks, one file each: `$CIS_UPSTREAM_DIR`. All tasks of a run share it, so each output is written once. */
export function upstreamDir(home: Home, run: RunId): string {
  return join(home.sessions, run, 'upstream');
}

/** The files that a task left by its `outputs`, one absolute path per line: `$CIS_FILES_<ID>` of those after it. */
export function filesPath(home: Home, run: RunId, task: TaskId): string {
  return join(home.sessions, run, 'files', task);
}

/** What a session reads when it starts and nobody else may: values filled into its command, or its prompt. */
export function secretPath(home: Home, run: RunId, task: TaskId, attempt: number, kind: 'prelude' | 'prompt'): string {
  return join(home.sessions, run, `${task}#${attempt}.${kind}`);
}

/** Writes a file that only its owner may read, making its directory when it is not there yet. */
export function writePrivate(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    makePrivateDir(dirname(path));
    writeFileSync(path, text, { mode: 0o600 });
  }
}

/**
 * Leaves the output of a task to those after it. Empty ones are links to one file: to find a free inode is a quarter of what a
 * short task costs the executor. What an earlier attempt left is taken away first, because it may be such a link.
 */
export function writeUpstream(dir: string, task: TaskId, attempt: number, text: string): void {
  const path = join(dir, task);
  if (attempt > 1) rmSync(path, { force: true });
  if (text !== '' || !tryLink(join(dir, '.empty'), path)) writePrivate(path, text);
}

function tryLink(empty: string, path: string): boolean {
  for (const isThere of [true, false]) {
    try {
      if (!isThere) {
        writePrivate(empty, '');
        chmodSync(empty, 0o400); // whoever writes into one would write into all
      }
      linkSync(empty, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false; // too many links, or none here
    }
  }
  return false;
}

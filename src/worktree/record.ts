import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunId, TaskId } from '../domain/ids.ts';
import type { Workspace } from '../domain/workspace.ts';

/** Where worktrees lie: a directory per run, in it one per task and beside that what is known of it. Task ids have no `@`. */
export function worktreePath(dir: string, run: RunId, task: TaskId): string {
  return join(dir, run, task);
}

function recordPath(dir: string, run: RunId, task: TaskId): string {
  return join(dir, run, `${task}@worktree.json`);
}

/** Writes what is known of a worktree, whole or not at all; it is on disk when this returns. */
export function writeWorkspace(dir: string, workspace: Workspace): void {
  const path = recordPath(dir, workspace.run, workspace.task);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(fd, JSON.stringify(workspace));
    fsyncSync(fd); // after a power cut, "nothing was started here" must not be said of an attempt that was
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** Reads what is known of a task's worktree; null when it never had one. */
export function readWorkspace(dir: string, run: RunId, task: TaskId): Workspace | null {
  return readRecord(recordPath(dir, run, task));
}

/** The worktrees of a run. */
export function listWorkspaces(dir: string, run: RunId): Workspace[] {
  try {
    const names = readdirSync(join(dir, run)).filter((name) => name.endsWith('@worktree.json'));
    return names.flatMap((name) => readRecord(join(dir, run, name)) ?? []);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readRecord(path: string): Workspace | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Workspace;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { RunId } from '../../domain/ids.ts';
import { dropWorktree } from '../../worktree/prepare.ts';
import { listWorkspaces } from '../../worktree/record.ts';
import { inRepository } from '../../worktree/tree.ts';
import { inTurn } from './bundle.ts';
import { clonesDir, nodeWorktrees } from './paths.ts';

export interface PruneOptions {
  readonly home: Home;
  /** Runs that this node still works for. */
  readonly isOpen: (run: RunId) => boolean;
  /** Worktrees of runs that nobody touched since; clones are kept longer, because the next run spares an upload by them. */
  readonly worktreesBefore: number;
  readonly clonesBefore: number;
}

/**
 * Gives back what tasks of others left on this node: their worktrees and branches, whose commits their coordinators have, and
 * clones that no run has used for long.
 */
export async function pruneTravel({ home, isOpen, worktreesBefore, clonesBefore }: PruneOptions): Promise<void> {
  const dir = nodeWorktrees(home);
  for (const run of entriesOf(dir)) {
    if (isOpen(run as RunId) || touchedAt(join(dir, run)) > worktreesBefore) continue;
    for (const { repository, path, branch } of listWorkspaces(dir, run as RunId)) {
      await inTurn(repository.gitDir, async () => {
        await dropWorktree(repository, path);
        const names = [`refs/heads/${branch}`, `refs/heads/${branch}@*`];
        const found = await inRepository(repository, ['for-each-ref', '--format=%(refname)', ...names]);
        for (const ref of found.ok ? found.value.split('\n').filter((name) => name !== '') : []) {
          await inRepository(repository, ['update-ref', '-d', ref]);
        }
      });
    }
    rmSync(join(dir, run), { recursive: true, force: true });
  }
  const used = new Set(
    entriesOf(dir).flatMap((run) => listWorkspaces(dir, run as RunId).map(({ repository }) => repository.gitDir)),
  );
  for (const name of entriesOf(clonesDir(home))) {
    const path = join(clonesDir(home), name);
    if (used.has(path) || touchedAt(path) > clonesBefore) continue;
    await inTurn(path, async () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // nothing has travelled here
  }
}

function touchedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
}

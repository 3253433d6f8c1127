import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { RunId } from '../../domain/ids.ts';
import { isHolderAlive } from '../../executor/identity.ts';
import { connectHosts } from '../../host/client.ts';
import { removeRun } from '../../storage/create.ts';
import type { Db } from '../../storage/open.ts';
import { readLease } from '../../storage/read.ts';
import { removeWorktrees, type RemovedWorktrees } from '../../worktree/remove.ts';

export type Removal =
  | { readonly kind: 'removed'; readonly worktrees: RemovedWorktrees }
  | { readonly kind: 'refused'; readonly reason: string };

/** Removes a run with its recordings, outputs and worktrees; says why when it is still at work. `force` drops unmerged work. */
export async function tryRemove(home: Home, db: Db, run: RunId, force: boolean): Promise<Removal> {
  const lease = readLease(db, run);
  if (lease !== null && isHolderAlive(lease)) return refused(`run ${run} is being driven by process ${lease.pid}`);
  if (await hasSessions(home, run)) return refused(`run ${run} still has living sessions`);
  const worktrees = await removeWorktrees(home.worktrees, run, force);
  if (worktrees.problems.length > 0) {
    return refused(
      `work in a worktree of run ${run} cannot be kept (--force drops it): ${worktrees.problems.join('; ')}`,
    );
  }
  removeRun(db, run);
  rmSync(join(home.sessions, run), { recursive: true, force: true });
  rmSync(join(home.logs, `${run}.log`), { force: true });
  return { kind: 'removed', worktrees };
}

function refused(reason: string): Removal {
  return { kind: 'refused', reason };
}

/** What is said of the branches that stay. */
export function describeKept({ kept }: RemovedWorktrees): string[] {
  return kept.map(({ branch, repository, reason }) => `  ${branch} is kept in ${repository}: ${reason}`);
}

async function hasSessions(home: Home, run: RunId): Promise<boolean> {
  const hosts = await connectHosts(home, `looking for sessions of ${run}`);
  try {
    const lists = await Promise.all(hosts.map((host) => host.request({ kind: 'list', run })));
    return lists.some((list) => list.ok && list.value.kind === 'sessions' && list.value.sessions.length > 0);
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
}

import type { Home } from '../../config/home.ts';
import type { Task } from '../../domain/dag.ts';
import type { TravelError, WorkspaceResult } from '../../domain/fleet/travel.ts';
import type { RunId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { commitWork } from '../../worktree/commit.ts';
import { readWorkspace } from '../../worktree/record.ts';
import { isAncestor } from '../../worktree/tree.ts';
import { inTurn, sendBundle } from './bundle.ts';
import type { Courier } from './courier.ts';
import { nodeWorktrees } from './paths.ts';

export interface PackResultOptions {
  readonly home: Home;
  readonly run: RunId;
  readonly task: Pick<Task, 'id' | 'name'>;
  readonly courier: Courier;
}

/** Node: commits what the task left uncommitted, and uploads what it changed since it started. */
export async function packResult({
  home,
  run,
  task,
  courier,
}: PackResultOptions): Promise<Result<WorkspaceResult, TravelError>> {
  const dir = nodeWorktrees(home);
  const workspace = readWorkspace(dir, run, task.id);
  if (workspace === null) return err({ kind: 'refused', detail: `what is known of its worktree in ${dir} is gone` });
  const { repository, branch, start } = workspace;
  return inTurn(repository.gitDir, async () => {
    const done = await commitWork(dir, workspace, task);
    if (!done.ok) return err({ kind: 'refused', detail: done.error });
    const { commit } = done.value;
    const isOld = start === null || (await isAncestor(repository, commit, start));
    if (isOld) return ok({ commit, bundle: null });
    const what = `what ${task.id} changed`;
    const ref = `refs/heads/${branch}`;
    const bundle = await sendBundle({ repository, commit, ref, without: [start], what, courier });
    return bundle.ok ? ok({ commit, bundle: bundle.value }) : bundle;
  });
}

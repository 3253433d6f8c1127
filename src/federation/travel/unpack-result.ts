import type { Home } from '../../config/home.ts';
import type { TravelError, WorkspaceResult } from '../../domain/fleet/travel.ts';
import type { RunId, TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Workspace } from '../../domain/workspace.ts';
import { git } from '../../worktree/git.ts';
import { readWorkspace, writeWorkspace } from '../../worktree/record.ts';
import { commitOf, inRepository, isAncestor, isWorktree } from '../../worktree/tree.ts';
import { inTurn, takeBundle } from './bundle.ts';
import type { Courier } from './courier.ts';
import { addLayer } from './layers.ts';
import { repositoryId } from './paths.ts';

export interface UnpackResultOptions {
  readonly home: Home;
  readonly run: RunId;
  readonly task: TaskId;
  readonly result: WorkspaceResult;
  readonly courier: Courier;
}

/**
 * Coordinator: takes over what a task changed on a node. Afterwards its branch, its worktree and its record are as if it had run
 * here: `dag diff`, `dag merge` and dependents, here or on other nodes, find it there. May be asked again after a crash.
 */
export async function unpackResult(options: UnpackResultOptions): Promise<Result<Workspace, TravelError>> {
  const { home, run, task, result, courier } = options;
  const dir = home.worktrees;
  const workspace = readWorkspace(dir, run, task);
  if (workspace === null) return err({ kind: 'refused', detail: `what is known of its worktree in ${dir} is gone` });
  const { repository, branch, start, path } = workspace;
  const { commit, bundle } = result;
  return inTurn(repository.gitDir, async () => {
    if (!/^[0-9a-f]{40,64}$/.test(commit) || start === null) return err(notItsOwn(task, commit));
    if (bundle === null && !(await isAncestor(repository, commit, start))) return err(notItsOwn(task, commit));
    const isTaken = (await commitOf(repository, `refs/heads/${branch}`)) === commit;
    if (bundle !== null && !isTaken) {
      const into = `refs/cis/incoming/${branch.slice('cis/'.length)}`;
      const ref = `refs/heads/${branch}`;
      const what = `what ${task} changed`;
      const taken = await takeBundle({ repository, bundle, ref, commit, into, what, courier });
      if (!taken.ok) return taken;
      await moveTo(workspace, commit, path);
      await inRepository(repository, ['update-ref', '-d', into]);
    } else await moveTo(workspace, commit, path);
    if ((await commitOf(repository, `refs/heads/${branch}`)) !== commit) {
      return err({ kind: 'refused', detail: `the branch ${branch} cannot be set to ${commit.slice(0, 12)}` });
    }
    if (bundle !== null) {
      // what starts from just this commit needs no upload of its own
      addLayer(home, repositoryId(repository.gitDir), courier.store, { commit, requires: [start], bundle });
    }
    const after: Workspace = { ...workspace, launched: workspace.attempt, commit };
    writeWorkspace(dir, after);
    return ok(after);
  });
}

/** In the worktree, where nothing has run, so that its files are those of the commit; without one, the branch alone. */
async function moveTo({ repository, branch }: Workspace, commit: string, path: string): Promise<void> {
  if (await isWorktree(path)) await git(['reset', '--quiet', '--hard', commit], { cwd: path });
  else await inRepository(repository, ['update-ref', `refs/heads/${branch}`, commit]);
}

function notItsOwn(task: TaskId, commit: string): TravelError {
  return {
    kind: 'damaged',
    detail: `the result of ${task} names the commit ${commit.slice(0, 64)}, which it does not bring`,
  };
}

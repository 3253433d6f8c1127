import { commitMessage, listFiles, type Workspace } from '../domain/workspace.ts';
import type { Task } from '../domain/dag.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { writeWorkspace } from './record.ts';
import {
  changedFiles,
  commitAll,
  commitOf,
  headOf,
  inRepository,
  isAncestor,
  isWorktree,
  unmergedFiles,
} from './tree.ts';

export interface Committed {
  readonly workspace: Workspace;
  readonly commit: string;
  /** How many files were uncommitted, and are in this commit. */
  readonly files: number;
}

/**
 * Commits for a task what it left uncommitted and records where its work ends; its branch points there afterwards, whatever
 * branch the task was on. An error says why the work cannot be taken over; nothing of it is lost.
 */
export async function commitWork(
  dir: string,
  workspace: Workspace,
  task: Pick<Task, 'id' | 'name'>,
): Promise<Result<Committed, string>> {
  const { path, repository, branch, run } = workspace;
  if (!(await isWorktree(path))) return commitGone(dir, workspace);
  const unmerged = await unmergedFiles(path);
  if (unmerged.length > 0) return err(`it left a merge with conflicts in ${listFiles(unmerged)}; look in ${path}`);
  const files = (await changedFiles(path)).length;
  const committed = await commitAll(path, commitMessage(run, task));
  if (!committed.ok) return err(`its changes in ${path} cannot be committed: ${committed.error}`);
  const head = await headOf(path);
  if (head === null) return err(`${path} has no commit any more`);
  const kept = await pointBranch(workspace, head);
  if (!kept.ok) return err(`the branch ${branch} cannot be set: ${kept.error}`);
  const after = { ...workspace, commit: head, kept: [...workspace.kept, ...kept.value] };
  writeWorkspace(dir, after);
  return ok({ workspace: after, commit: (await commitOf(repository, head)) ?? head, files });
}

/** The task took its worktree away itself: what is on its branch counts. */
async function commitGone(dir: string, workspace: Workspace): Promise<Result<Committed, string>> {
  const { path, repository, branch } = workspace;
  const commit = await commitOf(repository, `refs/heads/${branch}`);
  if (commit === null) return err(`its worktree ${path} and its branch ${branch} are gone`);
  const after = { ...workspace, commit };
  writeWorkspace(dir, after);
  return ok({ workspace: after, commit, files: 0 });
}

/** A task that ended on another branch has its own set to where it ended; what only the own one had is kept beside it. */
async function pointBranch(workspace: Workspace, head: string): Promise<Result<string[], string>> {
  const { repository, branch, attempt } = workspace;
  const tip = await commitOf(repository, `refs/heads/${branch}`);
  if (tip === head) return ok([]);
  const aside = `${branch}@attempt-${attempt}-left`;
  const isLost = tip !== null && !(await isAncestor(repository, tip, head));
  if (isLost) {
    const made = await inRepository(repository, ['update-ref', `refs/heads/${aside}`, tip]);
    if (!made.ok) return err(made.error.said);
  }
  const set = await inRepository(repository, ['update-ref', `refs/heads/${branch}`, head]);
  return set.ok ? ok(isLost ? [aside] : []) : err(set.error.said);
}

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId } from '../domain/ids.ts';
import type { Workspace } from '../domain/workspace.ts';
import { git } from './git.ts';
import { dropWorktree } from './prepare.ts';
import { listWorkspaces } from './record.ts';
import { changedFiles, commitAll, commitOf, headOf, inRepository, isWorktree } from './tree.ts';

/** What became of a run's worktrees. */
export interface RemovedWorktrees {
  readonly paths: readonly string[];
  readonly deleted: readonly string[];
  readonly kept: readonly KeptBranch[];
  /** Worktrees that stay, because what is in them could not be committed. */
  readonly problems: readonly string[];
}

export interface KeptBranch {
  readonly branch: string;
  readonly repository: string;
  readonly reason: string;
}

/**
 * Removes the worktrees of a run. Without `force` nothing is lost: what is uncommitted is committed to the branch first, and
 * branches stay that have commits which no branch outside of the run has.
 */
export async function removeWorktrees(dir: string, run: RunId, force: boolean): Promise<RemovedWorktrees> {
  const paths: string[] = [];
  const deleted: string[] = [];
  const kept: KeptBranch[] = [];
  const problems: string[] = [];
  for (const workspace of listWorkspaces(dir, run)) {
    const { repository, path } = workspace;
    if (!existsSync(repository.gitDir)) {
      rmSync(path, { recursive: true, force: true });
      continue;
    }
    const problem = force ? null : await saveWork(workspace);
    if (problem !== null) {
      problems.push(`${path}: ${problem}`);
      continue;
    }
    if (existsSync(path)) paths.push(path);
    await dropWorktree(repository, path);
    for (const branch of await branchesOf(workspace)) {
      const reason = await deleteBranch(workspace, branch, force);
      if (reason === null) deleted.push(branch);
      else if (reason !== '') kept.push({ branch, repository: repository.root, reason });
    }
  }
  if (problems.length === 0) rmSync(join(dir, run), { recursive: true, force: true });
  return { paths, deleted, kept, problems };
}

/** Commits what only the files of a worktree have; says why when that cannot be done. */
async function saveWork(workspace: Workspace): Promise<string | null> {
  const { path, run, task, branch, repository } = workspace;
  if (!(await isWorktree(path))) return null;
  if ((await changedFiles(path)).length > 0) {
    const saved = await commitAll(
      path,
      `Left in the worktree of ${task}\n\nKept by cis when run ${run} was removed.\n`,
    );
    if (!saved.ok) return saved.error;
  }
  const on = await git(['symbolic-ref', '--quiet', 'HEAD'], { cwd: path });
  if (on.ok) return null; // on its branch, or on one of the person's that stays
  const head = await headOf(path);
  const contained = await isKeptElsewhere(workspace, head ?? '', '');
  if (head === null || contained) return null;
  const aside = await inRepository(repository, ['update-ref', `refs/heads/${branch}@detached`, head]);
  return aside.ok ? null : aside.error.said;
}

/** The task's branch, and those that keep what earlier attempts left. */
async function branchesOf({ repository, branch }: Workspace): Promise<string[]> {
  const patterns = [`refs/heads/${branch}`, `refs/heads/${branch}@*`];
  const found = await inRepository(repository, ['for-each-ref', '--format=%(refname:lstrip=2)', ...patterns]);
  return found.ok ? found.value.split('\n').filter((name) => name !== '') : [];
}

/** Deletes a branch that may go; the reason when it stays, and nothing when there was none. */
async function deleteBranch(workspace: Workspace, branch: string, force: boolean): Promise<string | null> {
  const { repository, run } = workspace;
  const tip = await commitOf(repository, `refs/heads/${branch}`);
  if (tip === null) return '';
  const at = await inRepository(repository, ['for-each-ref', '--format=%(worktreepath)', `refs/heads/${branch}`]);
  if (at.ok && at.value.trim() !== '') return `it is checked out in ${at.value.trim()}`;
  if (!force && !(await isKeptElsewhere(workspace, tip, `refs/heads/cis/${run}/`))) {
    const own = await inRepository(repository, ['rev-list', '--count', `${repository.base}..${tip}`]);
    const count = own.ok ? Number(own.value) : 0;
    if (count > 0) return `${count === 1 ? '1 commit is' : `${count} commits are`} in no branch of yours`;
  }
  const gone = await inRepository(repository, ['update-ref', '-d', `refs/heads/${branch}`, tip]);
  return gone.ok ? null : gone.error.said;
}

/** Says whether a branch whose name does not start with `except` has the commit. */
async function isKeptElsewhere({ repository }: Workspace, commit: string, except: string): Promise<boolean> {
  const args = ['for-each-ref', '--format=%(refname)', '--contains', commit, 'refs/heads', 'refs/remotes'];
  const found = await inRepository(repository, args);
  const names = found.ok ? found.value.split('\n').filter((name) => name !== '') : [];
  return names.some((name) => except === '' || !name.startsWith(except));
}

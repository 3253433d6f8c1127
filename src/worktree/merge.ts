import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { err, ok, type Result } from '../domain/result.ts';
import type { RunId, TaskId } from '../domain/ids.ts';
import type { Repository } from '../domain/workspace.ts';
import { git, splitNul } from './git.ts';
import { dropWorktree } from './prepare.ts';
import { changedFiles, commitOf, headOf, identity, inRepository, isAncestor, unmergedFiles } from './tree.ts';

export interface MergeRequest {
  readonly repository: Repository;
  readonly run: RunId;
  /** What is merged, in this order: all of it, or nothing. */
  readonly tips: readonly { readonly task: TaskId; readonly commit: string }[];
  /** The branch that is merged into; null: the one that is checked out where the run was started. */
  readonly into: string | null;
  /** A directory for the merge, which is gone afterwards: a person's files are touched only when all is well. */
  readonly scratch: string;
  /** A conflict is left in the person's tree, to be resolved there. */
  readonly leaveConflicts: boolean;
}

export type MergeError =
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string }
  | {
      readonly kind: 'conflict';
      readonly task: TaskId;
      readonly files: readonly string[];
      readonly leftIn: string | null;
    };

export interface Merged {
  readonly into: string;
  readonly before: string;
  readonly after: string;
}

/** Merges the work of tasks into a branch of the person's. Unless asked to leave a conflict, it does all or changes nothing. */
export async function mergeInto(request: MergeRequest): Promise<Result<Merged, MergeError>> {
  const target = await findTarget(request);
  if (!target.ok) return target;
  const { branch, before, tree } = target.value;
  if (request.leaveConflicts && tree !== null) return mergeInTree(request, branch, before, tree);
  const { scratch, repository } = request;
  await dropWorktree(repository, scratch);
  mkdirSync(dirname(scratch), { recursive: true, mode: 0o700 });
  const added = await inRepository(repository, ['worktree', 'add', '--quiet', '--detach', scratch, before]);
  if (!added.ok) return refused(`git cannot make a place to merge in: ${added.error.said}`, `look at ${scratch}`);
  try {
    const merged = await mergeAll(request, scratch, branch);
    if (!merged.ok) return merged;
    const after = (await headOf(scratch)) ?? before;
    return await moveBranch(repository, branch, before, after, tree);
  } finally {
    await dropWorktree(repository, scratch);
  }
}

function refused(reason: string, hint: string): Result<never, MergeError> {
  return err({ kind: 'refused', reason, hint });
}

interface Target {
  readonly branch: string;
  readonly before: string;
  /** The working tree in which it is checked out. */
  readonly tree: string | null;
}

async function findTarget({ repository, into }: MergeRequest): Promise<Result<Target, MergeError>> {
  const head = await git(['symbolic-ref', '--quiet', '--short', 'HEAD'], { cwd: repository.root });
  const branch = into ?? (head.ok ? head.value.trim() : null);
  if (branch === null) return refused(`no branch is checked out in ${repository.root}`, 'name one: --into BRANCH');
  const before = await commitOf(repository, `refs/heads/${branch}`);
  if (before === null) {
    return refused(
      `${repository.root} has no branch "${branch}"`,
      `make it: git branch ${branch} ${repository.base.slice(0, 12)}`,
    );
  }
  const tree = await treeOf(repository, branch);
  if (tree === null) return ok({ branch, before, tree });
  const dirty = await trackedChanges(tree);
  if (dirty.length === 0) return ok({ branch, before, tree });
  const count = dirty.length === 1 ? '1 file' : `${dirty.length} files`;
  const shown = dirty.slice(0, 5).join(', ') + (dirty.length > 5 ? ', …' : '');
  return refused(
    `${tree} has changes in ${count} that are not committed: ${shown}`,
    'commit or stash them, then merge again',
  );
}

/** Files that git does not know are no obstacle: git itself refuses to write over them. */
async function trackedChanges(tree: string): Promise<string[]> {
  const listed = await git(['status', '--porcelain=v1', '-z', '--untracked-files=no', '--no-renames'], { cwd: tree });
  return listed.ok ? splitNul(listed.value).map((entry) => entry.slice(3)) : changedFiles(tree);
}

/** The working tree in which a branch is checked out, of all that the repository has. */
async function treeOf(repository: Repository, branch: string): Promise<string | null> {
  const format = '--format=%(worktreepath)';
  const found = await inRepository(repository, ['for-each-ref', format, `refs/heads/${branch}`]);
  const path = found.ok ? (found.value.split('\n')[0] ?? '') : '';
  return path === '' ? null : path;
}

function messageOf(run: RunId, task: TaskId, branch: string): string {
  return `Merge ${run}:${task} into ${branch}\n`;
}

/** The commits are the person's: signed where they sign; hooks of theirs do not run in a tree that is not theirs. */
async function mergeAll({ tips, run }: MergeRequest, cwd: string, branch: string): Promise<Result<null, MergeError>> {
  const env = await identity(cwd);
  for (const { task, commit } of tips) {
    const args = ['merge', '--quiet', '--no-ff', '--no-edit', '-m', messageOf(run, task, branch), commit];
    const merged = await git(args, { cwd, env, isTheirs: true });
    if (merged.ok) continue;
    const files = await unmergedFiles(cwd);
    if (files.length > 0) return err({ kind: 'conflict', task, files, leftIn: null });
    return refused(`${task} cannot be merged: ${merged.error.said}`, 'nothing was changed');
  }
  return ok(null);
}

async function mergeInTree(
  request: MergeRequest,
  branch: string,
  before: string,
  tree: string,
): Promise<Result<Merged, MergeError>> {
  const merged = await mergeAll(request, tree, branch);
  if (merged.ok) return ok({ into: branch, before, after: (await headOf(tree)) ?? before });
  return merged.error.kind === 'conflict' ? err({ ...merged.error, leftIn: tree }) : merged;
}

/** Moves a branch to a commit that was built on it, with the files of the tree where it is checked out. */
async function moveBranch(
  repository: Repository,
  branch: string,
  before: string,
  after: string,
  tree: string | null,
): Promise<Result<Merged, MergeError>> {
  const done = { into: branch, before, after };
  if (after === before) return ok(done);
  const moved =
    tree === null
      ? await inRepository(repository, ['update-ref', '-m', 'cis dag merge', `refs/heads/${branch}`, after, before])
      : await git(['merge', '--quiet', '--ff-only', after], { cwd: tree });
  if (moved.ok) return ok(done);
  const isThere =
    (await commitOf(repository, `refs/heads/${branch}`)) === before && (await isAncestor(repository, before, after));
  const hint = isThere ? 'nothing was changed' : `${branch} has moved meanwhile: merge again`;
  return refused(`${branch} cannot be moved: ${moved.error.said}`, hint);
}

import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunId, TaskId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import {
  branchOf,
  keptBranchOf,
  mergeMessage,
  type MergeConflict,
  type Repository,
  type Source,
  type Workspace,
} from '../domain/workspace.ts';
import { git, splitNul } from './git.ts';
import { readWorkspace, worktreePath, writeWorkspace } from './record.ts';
import {
  commitAll,
  commitOf,
  hasConflictMarkers,
  headOf,
  identity,
  inRepository,
  isAncestor,
  isMerging,
  isWorktree,
  unmergedFiles,
} from './tree.ts';

export interface PrepareRequest {
  /** Where worktrees lie. */
  readonly dir: string;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly repository: Repository;
  readonly sources: readonly Source[];
}

export type Prepared =
  /** `cwd` is where the session starts; `kept` is a new branch with what the attempt before left, if it left something. */
  | { readonly kind: 'ready'; readonly workspace: Workspace; readonly cwd: string; readonly kept: readonly string[] }
  | { readonly kind: 'conflict'; readonly conflict: MergeConflict }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Makes the worktree of an attempt: the commits of its dependencies merged, nothing else in it. May be asked again at any time,
 * also after a crash: what is done is taken over, and what an earlier attempt left goes to a branch of its own first.
 */
export async function prepareWorktree(request: PrepareRequest): Promise<Prepared> {
  const { dir, run, task, attempt } = request;
  const before = readWorkspace(dir, run, task);
  if (before?.attempt === attempt && before.stage !== 'adding' && (await isWorktree(before.path))) {
    return before.stage === 'ready' ? ready(before, []) : mergeOn(dir, before);
  }
  const free = before === null ? await checkFree(request) : ok(null);
  if (!free.ok) return failed(free.error);
  const kept = before === null ? ok([]) : await keepWork(before);
  if (!kept.ok) return failed(kept.error);
  const workspace = plan(request, [...(before?.kept ?? []), ...kept.value]);
  writeWorkspace(dir, workspace);
  const added = await addWorktree(workspace);
  if (!added.ok) return failed(added.error);
  writeWorkspace(dir, { ...workspace, stage: 'merging' });
  const merged = await mergeOn(dir, { ...workspace, stage: 'merging' });
  return merged.kind === 'ready' ? { ...merged, kept: kept.value } : merged;
}

function plan({ dir, run, task, attempt, repository, sources }: PrepareRequest, kept: readonly string[]): Workspace {
  const place = { path: worktreePath(dir, run, task), branch: branchOf(run, task), kept };
  return { run, task, repository, ...place, attempt, sources, stage: 'adding', start: null, launched: 0, commit: null };
}

function failed(reason: string): Prepared {
  return { kind: 'failed', reason };
}

function ready(workspace: Workspace, kept: readonly string[]): Prepared {
  const { path, repository } = workspace;
  const cwd = join(path, repository.prefix);
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return { kind: 'ready', workspace, cwd, kept };
  return failed(`the directory ${repository.prefix} is in no commit that the worktree starts from: commit it first`);
}

/** What is not ours is left alone: a directory or a branch of that name that no record of ours speaks of. */
async function checkFree({ dir, run, task, repository }: PrepareRequest): Promise<Result<null, string>> {
  const path = worktreePath(dir, run, task);
  const branch = branchOf(run, task);
  if (existsSync(path)) return err(`${path} is there already, and not of this run: move it away`);
  if ((await commitOf(repository, `refs/heads/${branch}`)) === null) return ok(null);
  return err(
    `the branch ${branch} is there already, from another run of that name: merge it, or git branch -D ${branch}`,
  );
}

/** Puts what an earlier attempt left, committed or not, on branches of their own, and returns their names. */
async function keepWork(before: Workspace): Promise<Result<string[], string>> {
  const { repository, path, run, task, attempt, start } = before;
  if (start === null || before.launched !== attempt) return ok([]);
  const tips: string[] = [];
  if (await isWorktree(path)) {
    const saved = await commitAll(path, `Left by attempt ${attempt} of ${task}\n\nKept by cis: run ${run}.\n`);
    if (!saved.ok) return err(`what attempt ${attempt} left in ${path} cannot be kept: ${saved.error}`);
    tips.push((await headOf(path)) ?? start);
  }
  tips.push((await commitOf(repository, `refs/heads/${before.branch}`)) ?? start);
  const names: string[] = [];
  for (const tip of new Set(tips)) {
    if (await isAncestor(repository, tip, start)) continue;
    const name = keptBranchOf(run, task, attempt) + (names.length === 0 ? '' : `-${names.length + 1}`);
    const made = await inRepository(repository, ['update-ref', `refs/heads/${name}`, tip]);
    if (!made.ok) return err(`the branch ${name} cannot be made: ${made.error.said}`);
    names.push(name);
  }
  return ok(names);
}

/** Takes a worktree away, its files first: git's own entry goes with it, and entries of others stay. */
export async function dropWorktree(repository: Repository, path: string): Promise<void> {
  await inRepository(repository, ['worktree', 'remove', '--force', '--force', path]);
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

async function addWorktree({ repository, path, branch, sources }: Workspace): Promise<Result<null, string>> {
  await dropWorktree(repository, path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const from = sources[0]?.commit ?? repository.base;
  const added = await inRepository(repository, ['worktree', 'add', '--quiet', '--no-track', '-B', branch, path, from]);
  if (added.ok) return ok(null);
  await dropWorktree(repository, path);
  return err(`git cannot make the worktree ${path}: ${added.error.said}`);
}

/** Merges what is not merged yet; stops at the first conflict. */
async function mergeOn(dir: string, workspace: Workspace): Promise<Prepared> {
  const { path, repository, sources, run, task } = workspace;
  const open = await conflictIn(workspace);
  if (open !== null) return { kind: 'conflict', conflict: open };
  if (!(await isMerging(path))) await git(['reset', '--quiet', '--hard'], { cwd: path }); // cut off half-way
  const done = await commitAll(path, mergeMessage(run, task, sources[0]?.task ?? task));
  if (!done.ok) return failed(`a merge in ${path} cannot be committed: ${done.error}`);
  const env = await identity(path);
  for (const { task: from, commit } of sources) {
    if (await isAncestor(repository, commit, (await headOf(path)) ?? repository.base)) continue;
    const args = ['merge', '--quiet', '--ff', '--no-edit', '-m', mergeMessage(run, task, from), commit];
    const merged = await git(args, { cwd: path, env });
    if (merged.ok) continue;
    const conflict = await conflictIn(workspace);
    if (conflict !== null) return { kind: 'conflict', conflict };
    return failed(`${from} cannot be merged: ${merged.error.said}`);
  }
  const after: Workspace = { ...workspace, stage: 'ready', start: await headOf(path) };
  writeWorkspace(dir, after);
  return ready(after, []);
}

/** The merge that stands still in a worktree; null when there is none. */
async function conflictIn({ path, sources }: Workspace): Promise<MergeConflict | null> {
  const files = await unmergedFiles(path);
  if (files.length === 0) return null;
  const head = await git(['rev-parse', '--verify', '--quiet', 'MERGE_HEAD'], { cwd: path });
  const at = head.ok ? sources.findIndex((one) => one.commit === head.value.trim()) : -1;
  const index = Math.max(0, at);
  return { from: sources[index]?.task ?? ('another task' as TaskId), number: Math.max(1, index), path, files };
}

export type Resolved =
  | { readonly kind: 'resolved' }
  | { readonly kind: 'unresolved'; readonly files: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Takes what a person made of a merge conflict: all that is in the worktree is committed, unless a file still has conflict
 * markers, or one side deleted what the other changed and nobody has said which is right (`git add` or `git rm`).
 */
export async function resolveConflict(workspace: Workspace): Promise<Resolved> {
  const { path, run, task, sources } = workspace;
  const open = await stagesOf(path);
  const files = [...open].flatMap(([file, stages]) =>
    stages.has('2') && stages.has('3') && !hasConflictMarkers(join(path, file)) ? [] : [file],
  );
  if (files.length > 0) return { kind: 'unresolved', files };
  const from = (await conflictIn(workspace))?.from ?? sources.at(-1)?.task ?? task;
  const done = await commitAll(path, mergeMessage(run, task, from));
  if (!done.ok) return { kind: 'failed', reason: done.error };
  for (const source of sources) {
    if (source.task === from && !(await isAncestor(workspace.repository, source.commit, (await headOf(path)) ?? ''))) {
      return {
        kind: 'failed',
        reason: `${from} is not merged in ${path}: git merge ${source.commit.slice(0, 12)} there`,
      };
    }
  }
  return { kind: 'resolved' };
}

/** Unmerged files, each with the sides that it has: 1 before, 2 ours, 3 theirs. */
async function stagesOf(path: string): Promise<Map<string, Set<string>>> {
  const listed = await git(['ls-files', '--unmerged', '-z'], { cwd: path });
  const stages = new Map<string, Set<string>>();
  for (const line of listed.ok ? splitNul(listed.value) : []) {
    const tab = line.indexOf('\t');
    const file = line.slice(tab + 1);
    stages.set(file, (stages.get(file) ?? new Set()).add(line.slice(0, tab).split(' ')[2] ?? ''));
  }
  return stages;
}

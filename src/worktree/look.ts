import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Workspace } from '../domain/workspace.ts';
import { git, splitNul } from './git.ts';
import { changedFiles, commitOf, inRepository, isWorktree, unmergedFiles } from './tree.ts';

/** How a worktree stands at this moment. */
export interface WorktreeLook {
  readonly workspace: Workspace;
  /** False once its directory is gone. */
  readonly exists: boolean;
  /** The last commit of its branch; null when there is no such branch. */
  readonly tip: string | null;
  /** Commits since its start, those of merged dependencies not counted. */
  readonly commits: number;
  /** Files with changes that are in no commit. */
  readonly dirty: readonly string[];
  readonly conflicts: readonly string[];
}

export async function lookAt(workspace: Workspace): Promise<WorktreeLook> {
  const { repository, branch, path } = workspace;
  const exists = await isWorktree(path);
  const [tip, dirty, conflicts] = await Promise.all([
    commitOf(repository, `refs/heads/${branch}`),
    exists ? changedFiles(path) : [],
    exists ? unmergedFiles(path) : [],
  ]);
  const start = workspace.start ?? tip;
  const commits = tip === null || start === null ? 0 : await countCommits(workspace, start, tip);
  return { workspace, exists, tip, commits, dirty, conflicts };
}

async function countCommits({ repository }: Workspace, from: string, to: string): Promise<number> {
  const counted = await inRepository(repository, ['rev-list', '--count', `${from}..${to}`]);
  return counted.ok ? Number(counted.value) : 0;
}

export interface FileChange {
  readonly path: string;
  /** Lines; null for a binary file. */
  readonly added: number | null;
  readonly removed: number | null;
}

export interface Diff {
  readonly from: string;
  /** Null: the worktree as it is now, with what is not committed. */
  readonly to: string | null;
  readonly files: readonly FileChange[];
  readonly patch: string;
}

/** What changed between `from` and the end of a task's work; of one that is not done, with all that is in its worktree. */
export async function diffOf(workspace: Workspace, from: string, isColoured: boolean): Promise<Diff | string> {
  const { repository, branch, path, commit } = workspace;
  const isOpen = commit === null && (await isWorktree(path));
  const to = isOpen ? null : ((await commitOf(repository, `refs/heads/${branch}`)) ?? commit);
  if (isOpen) return withIndexOfItsOwn(path, (env) => compare(['--cached', from], from, null, path, isColoured, env));
  if (to === null) return `the branch ${branch} is gone`;
  return compare([from, to], from, to, repository.gitDir, isColoured, { GIT_DIR: repository.gitDir });
}

/** The changes of two sides, one after the other. */
async function compare(
  sides: readonly string[],
  from: string,
  to: string | null,
  cwd: string,
  isColoured: boolean,
  env: Readonly<Record<string, string>>,
): Promise<Diff | string> {
  const options = { cwd, env };
  const common = ['diff', '--no-ext-diff', '--no-textconv'];
  const counted = await git([...common, '--numstat', '-z', '--no-renames', ...sides], options);
  const patch = await git([...common, isColoured ? '--color=always' : '--no-color', ...sides], options);
  if (!counted.ok) return counted.error.said;
  if (!patch.ok) return patch.error.said;
  return { from, to, files: splitNul(counted.value).map(parseCount), patch: patch.value };
}

function parseCount(line: string): FileChange {
  const [added = '', removed = '', ...path] = line.split('\t');
  const count = (text: string): number | null => (text === '-' ? null : Number(text));
  return { path: path.join('\t'), added: count(added), removed: count(removed) };
}

/** Files that are not in the worktree's index are put into another one, so that looking changes nothing for who works there. */
async function withIndexOfItsOwn<T>(
  path: string,
  look: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T | string> {
  const dir = mkdtempSync(join(tmpdir(), 'cis-index-'));
  try {
    const env = { GIT_INDEX_FILE: join(dir, 'index') };
    const read = await git(['read-tree', 'HEAD'], { cwd: path, env });
    const added = read.ok ? await git(['add', '--all'], { cwd: path, env }) : read;
    return added.ok ? await look(env) : added.error.said;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

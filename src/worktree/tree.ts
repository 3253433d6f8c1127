import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Repository } from '../domain/workspace.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { asks, git, splitNul, type GitOptions } from './git.ts';

/** Runs git on the repository itself, in no worktree. */
export function inRepository(
  repository: Pick<Repository, 'gitDir'>,
  args: readonly string[],
  options: Omit<GitOptions, 'cwd'> = {},
) {
  return git([`--git-dir=${repository.gitDir}`, ...args], { ...options, cwd: repository.gitDir });
}

/** Says whether the directory is a worktree that git knows. */
export async function isWorktree(path: string): Promise<boolean> {
  if (!existsSync(join(path, '.git'))) return false;
  return asks(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { cwd: path });
}

/** The commit that a name means; null when there is none. */
export async function commitOf(repository: Pick<Repository, 'gitDir'>, name: string): Promise<string | null> {
  const found = await inRepository(repository, ['rev-parse', '--verify', '--quiet', `${name}^{commit}`]);
  return found.ok ? found.value.trim() : null;
}

export async function headOf(path: string): Promise<string | null> {
  const found = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { cwd: path });
  return found.ok ? found.value.trim() : null;
}

export async function isAncestor(
  repository: Pick<Repository, 'gitDir'>,
  older: string,
  newer: string,
): Promise<boolean> {
  return (await inRepository(repository, ['merge-base', '--is-ancestor', older, newer])).ok;
}

/** Files that git could not merge. */
export async function unmergedFiles(path: string): Promise<string[]> {
  const listed = await git(['diff', '--name-only', '--diff-filter=U', '-z'], { cwd: path });
  return listed.ok ? [...new Set(splitNul(listed.value))] : [];
}

export function isMerging(path: string): Promise<boolean> {
  return asks(['rev-parse', '--verify', '--quiet', 'MERGE_HEAD'], { cwd: path });
}

/** Paths with changes that are in no commit, files that git does not know included, ignored ones not. */
export async function changedFiles(path: string): Promise<string[]> {
  const listed = await git(['status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames'], { cwd: path });
  return listed.ok ? splitNul(listed.value).map((entry) => entry.slice(3)) : [];
}

/** Commits all that is in a worktree; null when there was nothing to commit. An error says why it could not be done. */
export async function commitAll(path: string, message: string): Promise<Result<string | null, string>> {
  const added = await git(['add', '--all'], { cwd: path });
  if (!added.ok) return err(added.error.said);
  const isSame = await asks(['diff', '--cached', '--quiet', 'HEAD'], { cwd: path });
  if (isSame && !(await isMerging(path))) return ok(null);
  const args = ['commit', '--quiet', '--no-verify', '--cleanup=strip', '--file=-'];
  const done = await git(args, { cwd: path, stdin: message, env: await identity(path) });
  if (!done.ok) return err(done.error.said);
  const head = await headOf(path);
  return head === null ? err('the commit that was made cannot be found') : ok(head);
}

/** Commits of ours carry the person's name where git knows it: the work was done for them. */
export async function identity(path: string): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const who of ['AUTHOR', 'COMMITTER']) {
    if (await asks(['var', `GIT_${who}_IDENT`], { cwd: path })) continue;
    env[`GIT_${who}_NAME`] = 'cis';
    env[`GIT_${who}_EMAIL`] = 'cis@localhost';
  }
  return env;
}

/** Says whether a file still shows both sides of a conflict. */
export function hasConflictMarkers(path: string): boolean {
  try {
    return /^(<{7}|>{7})( |$)/m.test(readFileSync(path, 'utf8'));
  } catch {
    return false;
  }
}

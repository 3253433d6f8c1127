import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';

/**
 * Where a node keeps the worktrees of tasks that it was given: not among those of the home's own runs, because a home may be
 * both, and then the same task has one of each.
 */
export function nodeWorktrees(home: Home): string {
  return join(home.dir, 'node', 'worktrees');
}

/**
 * The clone that a node keeps of a repository. Those of different coordinators are apart: one who knows the id of a commit must
 * not get another's files by naming it.
 */
export function clonePath(home: Home, coordinator: string, repository: string): string {
  return join(clonesDir(home), `${shortHash(`${coordinator} ${repository}`)}.git`);
}

/** The repository of a run that was taken over from another machine, on which it cannot be had as it was. */
export function recoveredPath(home: Home, run: string, repository: string): string {
  return join(home.dir, 'travel', 'repositories', run, `${shortHash(repository)}.git`);
}

export function clonesDir(home: Home): string {
  return join(home.dir, 'node', 'clones');
}

/** What a coordinator has uploaded of a repository. */
export function layersPath(home: Home, repository: string): string {
  return join(home.dir, 'travel', `${repository}.json`);
}

/** The id under which a repository travels: it says nothing about where it lies. */
export function repositoryId(gitDir: string): string {
  return shortHash(gitDir);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { TravelError, WorkspaceSource } from '../../domain/fleet/travel.ts';
import type { RunId, TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Repository, Workspace } from '../../domain/workspace.ts';
import { git } from '../../worktree/git.ts';
import { prepareWorktree } from '../../worktree/prepare.ts';
import { readWorkspace, writeWorkspace } from '../../worktree/record.ts';
import { commitOf, inRepository } from '../../worktree/tree.ts';
import { inTurn, takeBundle } from './bundle.ts';
import type { Courier } from './courier.ts';
import { clonePath, nodeWorktrees } from './paths.ts';
import { publicUrl } from './published.ts';

export interface UnpackOptions {
  readonly home: Home;
  /** Whose work it is. */
  readonly coordinator: string;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly source: WorkspaceSource;
  readonly courier: Courier;
}

/** A worktree on a node, and the directory in it where the session starts. */
export interface Unpacked {
  readonly workspace: Workspace;
  readonly cwd: string;
}

/**
 * Node: gets the commits that a task starts from into this home's clone and makes the worktree. What the clone has is not downloaded
 * again. An attempt that was given before, and was running, begins afresh; what it left is kept on a branch.
 */
export function unpackWorkspace(options: UnpackOptions): Promise<Result<Unpacked, TravelError>> {
  const { home, coordinator, run, task, attempt, source } = options;
  const gitDir = clonePath(home, coordinator, source.repository);
  return inTurn(gitDir, async () => {
    const sound = checkSource(source);
    if (sound !== null) return err(sound);
    const repository: Repository = { workDir: gitDir, root: gitDir, gitDir, prefix: source.prefix, base: source.start };
    const opened = await openClone(gitDir);
    if (!opened.ok) return opened;
    const fetched = await fetchStart(options, repository);
    if (!fetched.ok) return fetched;
    const dir = nodeWorktrees(home);
    const before = readWorkspace(dir, run, task);
    const isStale = before?.attempt === attempt && (before.launched === attempt || before.start !== source.start);
    if (before !== null && isStale) writeWorkspace(dir, { ...before, stage: 'adding' });
    const made = await prepareWorktree({ dir, run, task, attempt, repository, sources: [] });
    if (made.kind === 'ready') return ok({ workspace: made.workspace, cwd: made.cwd });
    const detail = made.kind === 'failed' ? made.reason : `a merge stands still in ${made.conflict.path}`;
    return err({ kind: 'refused', detail });
  });
}

const commitName = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** It comes from another machine: nothing of it may be taken for an option or lead out of the worktree. */
export function checkSource({ repository, prefix, start, published, layers }: WorkspaceSource): TravelError | null {
  const commits = [start, ...(published === undefined ? [] : [published]), ...layers.map((one) => one.commit)];
  const required = layers.flatMap((one) => one.requires);
  const isFine =
    /^[0-9A-Za-z-]{1,64}$/.test(repository) &&
    [...commits, ...required].every((one) => commitName.test(one)) &&
    !prefix.startsWith('/') &&
    !prefix.split('/').includes('..') &&
    !prefix.includes('\0');
  return isFine ? null : { kind: 'refused', detail: 'what the order says about the workspace is malformed' };
}

async function openClone(gitDir: string): Promise<Result<null, TravelError>> {
  if (existsSync(`${gitDir}/HEAD`)) {
    utimesSync(gitDir, new Date(), new Date()); // one that is used is not given back
    return ok(null);
  }
  mkdirSync(dirname(gitDir), { recursive: true, mode: 0o700 });
  const made = await git(['init', '--quiet', '--bare', gitDir], { cwd: dirname(gitDir) });
  if (made.ok) return ok(null);
  return err({ kind: 'refused', detail: `git cannot make ${gitDir}: ${made.error.said}` });
}

async function fetchStart(
  { source, courier }: UnpackOptions,
  repository: Repository,
): Promise<Result<null, TravelError>> {
  const has = async (commit: string): Promise<boolean> => (await commitOf(repository, refOf(commit))) === commit;
  if (await has(source.start)) return ok(null);
  if (source.published !== undefined && !(await has(source.published))) {
    const fetched = await fetchPublished(source, repository);
    if (!fetched.ok) return fetched;
  }
  for (const { commit, bundle } of source.layers) {
    if (await has(commit)) continue;
    const what = `the bundle of ${commit.slice(0, 12)}`;
    const taken = await takeBundle({ repository, bundle, ref: null, commit, into: refOf(commit), what, courier });
    if (!taken.ok) return taken;
  }
  if (await has(source.start)) return ok(null);
  return err({ kind: 'missing', detail: `the order does not bring the commit ${source.start.slice(0, 12)}` });
}

/** What a commit is kept by: git drops what nothing names, and a bundle's prerequisites must be named. */
function refOf(commit: string): string {
  return `refs/cis/at/${commit}`;
}

const fetchTimeoutSecs = 20;

/** From the url, with the node's own credentials, if any; git asks nobody. */
async function fetchPublished(source: WorkspaceSource, repository: Repository): Promise<Result<null, TravelError>> {
  const { published = '' } = source;
  const url = publicUrl(source.url ?? '');
  if (url === null) return err({ kind: 'refused', detail: `${source.url ?? 'nothing'} is no address to fetch from` });
  const env = {
    GIT_ALLOW_PROTOCOL: 'https:http:ssh:git',
    GIT_SSH_COMMAND: `ssh -oBatchMode=yes -oConnectTimeout=${fetchTimeoutSecs}`,
  };
  const slow = ['-c', 'http.lowSpeedLimit=1000', '-c', `http.lowSpeedTime=${fetchTimeoutSecs}`];
  const head = [`--git-dir=${repository.gitDir}`, ...slow, '-c', 'transfer.fsckObjects=true'];
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--', url];
  const options = { cwd: repository.gitDir, env };
  const exact = await git([...head, ...fetch, `+${published}:${refOf(published)}`], options);
  if (exact.ok) return ok(null);
  // a server may not give a commit by its id: then what its branches have
  const all = await git([...head, ...fetch, '+refs/heads/*:refs/cis/fetched/*'], options);
  if (!all.ok) return err({ kind: 'passing', detail: `${url} cannot be fetched from here: ${all.error.said}` });
  const named = await inRepository(repository, ['update-ref', refOf(published), published]);
  if (named.ok) return ok(null);
  return err({ kind: 'missing', detail: `${url} does not have the commit ${published.slice(0, 12)}` });
}

/** Node: says on disk that a session is about to be asked for, so that what it leaves is kept, whatever happens. */
export function markLaunched(home: Home, run: RunId, task: TaskId): void {
  const dir = nodeWorktrees(home);
  const workspace = readWorkspace(dir, run, task);
  if (workspace !== null) writeWorkspace(dir, { ...workspace, launched: workspace.attempt });
}

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { Dag, Task } from '../../domain/dag.ts';
import type { TaskOrder } from '../../domain/fleet/order.ts';
import type { Layer, TravelError, WorkspaceSource } from '../../domain/fleet/travel.ts';
import { sessionId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { branchOf, sourceTasksOf, type Repository, type Workspace } from '../../domain/workspace.ts';
import { git } from '../../worktree/git.ts';
import { worktreePath, writeWorkspace } from '../../worktree/record.ts';
import { commitOf, inRepository } from '../../worktree/tree.ts';
import { parseOrder } from '../runner/words.ts';
import { takeBundle } from '../travel/bundle.ts';
import type { Courier } from '../travel/courier.ts';
import { recoveredPath } from '../travel/paths.ts';
import { checkSource } from '../travel/unpack-workspace.ts';
import type { PastOrder, PastRun } from './rebuild.ts';

export interface RecoverWorkOptions {
  readonly home: Home;
  readonly run: RunId;
  readonly courier: Courier;
}

/** A worktree task that was given to a node, as its order has it. */
interface Given {
  readonly task: Task;
  readonly attempt: number;
  readonly session: SessionId;
  readonly source: WorkspaceSource;
}

/**
 * Makes the repositories of a run again that was started on another machine: of the bundles that went to nodes and came from them. It
 * gives each task the record that it had, so that those after it start from its commits. A run without worktrees has none.
 */
export async function recoverWork(
  options: RecoverWorkOptions,
  dag: Dag,
  past: Pick<PastRun, 'orders' | 'reports' | 'leases'>,
): Promise<Result<readonly Repository[], string>> {
  const given = await readGiven(options, dag, past);
  if (!given.ok) return given;
  const repositories: Repository[] = [];
  for (const [workDir, tasks] of Map.groupBy(given.value, ({ task }) => task.workDir ?? dag.workDir)) {
    const made = await recoverRepository(options, dag, workDir, tasks);
    if (!made.ok) return made;
    repositories.push(made.value);
    for (const one of tasks) {
      const kept = await recoverTask(options, made.value, one, past);
      if (!kept.ok) return err(`the work of ${one.session} cannot be had: ${kept.error.detail}`);
    }
  }
  return ok(repositories);
}

/** The newest attempt of each task with a worktree. */
async function readGiven(
  { run, courier }: RecoverWorkOptions,
  dag: Dag,
  { orders, leases }: Pick<PastRun, 'orders' | 'leases'>,
): Promise<Result<Given[], string>> {
  const given: Given[] = [];
  for (const task of dag.tasks.filter(({ workspace }) => workspace === 'worktree')) {
    const attempts = [...leases.values()].filter((one) => one.task === task.id).map(({ attempt }) => attempt);
    const attempt = Math.max(0, ...attempts);
    const session = sessionId(run, task.id, Math.max(1, attempt));
    const order = orders.get(session);
    if (attempt === 0 || order === undefined) continue;
    const read = await readOrder(courier, order, { run, task: task.id, attempt });
    if (!read.ok) return err(`the order of ${session} cannot be had: ${read.error}`);
    const { source } = read.value;
    const fault = source === undefined ? null : checkSource(source);
    if (fault !== null) return err(`${session}: ${fault.detail}`);
    if (source !== undefined) given.push({ task, attempt, session, source });
  }
  return ok(given);
}

async function readOrder(
  courier: Courier,
  order: PastOrder,
  grant: { readonly run: RunId; readonly task: TaskId; readonly attempt: number },
): Promise<Result<TaskOrder, string>> {
  const bytes = typeof order === 'string' ? ok(Buffer.from(order)) : await courier.getLarge(order);
  if (!bytes.ok) return err(bytes.error.detail);
  const parsed = parseOrder(Buffer.from(bytes.value).toString('utf8'), { ...grant, epoch: 0 });
  return parsed === null ? err('it is malformed') : ok(parsed);
}

/** What went to nodes has all commits from which tasks start; a task without one before it started from the run's own. */
async function recoverRepository(
  { home, run, courier }: RecoverWorkOptions,
  dag: Dag,
  workDir: string,
  tasks: readonly Given[],
): Promise<Result<Repository, string>> {
  const ids = new Set(tasks.map(({ task }) => task.id));
  const first = tasks.find(({ task }) => sourceTasksOf(dag, task.id, (id) => ids.has(id)).length === 0);
  if (first === undefined) return err(`the room does not tell from which commit of ${workDir} the run started`);
  const { repository: id, start: base, prefix } = first.source;
  const gitDir = recoveredPath(home, run, id);
  if (!existsSync(`${gitDir}/HEAD`)) {
    mkdirSync(dirname(gitDir), { recursive: true, mode: 0o700 });
    const made = await git(['init', '--quiet', '--bare', gitDir], { cwd: dirname(gitDir) });
    if (!made.ok) return err(made.error.said);
  }
  const repository: Repository = { workDir, root: gitDir, gitDir, prefix, base };
  for (const { session, source } of tasks) {
    if (source.url !== undefined)
      return err(`${session} has its files from ${source.url}: only its own machine can go on`);
    for (const layer of source.layers) {
      const taken = await takeLayer(repository, layer, courier);
      if (!taken.ok) return err(`the files of ${session} cannot be had: ${taken.error.detail}`);
    }
  }
  return ok(repository);
}

async function takeLayer(
  repository: Repository,
  { commit, bundle }: Layer,
  courier: Courier,
): Promise<Result<null, TravelError>> {
  const into = `refs/cis/at/${commit}`;
  if ((await commitOf(repository, into)) === commit) return ok(null);
  return takeBundle({
    repository,
    bundle,
    ref: null,
    commit,
    into,
    what: `the bundle of ${commit.slice(0, 12)}`,
    courier,
  });
}

async function recoverTask(
  { home, run, courier }: RecoverWorkOptions,
  repository: Repository,
  { task: { id }, attempt, session, source }: Given,
  { reports }: Pick<PastRun, 'reports'>,
): Promise<Result<null, TravelError>> {
  const branch = branchOf(run, id);
  const work = reports.get(session)?.report.work ?? null;
  const into = `refs/heads/${branch}`;
  if (work?.bundle != null) {
    const what = `what ${id} changed`;
    const taken = await takeBundle({
      repository,
      bundle: work.bundle,
      ref: into,
      commit: work.commit,
      into,
      what,
      courier,
    });
    if (!taken.ok) return taken;
  } else await inRepository(repository, ['update-ref', into, work?.commit ?? source.start]);
  const workspace: Workspace = {
    run,
    task: id,
    repository,
    path: worktreePath(home.worktrees, run, id),
    branch,
    attempt,
    sources: [],
    stage: 'ready',
    start: source.start,
    launched: attempt,
    commit: work?.commit ?? null,
    kept: [],
  };
  writeWorkspace(home.worktrees, workspace);
  return ok(null);
}

import type { Block } from './block.ts';
import type { Dag, Task } from './dag.ts';
import { blockId, sessionId, type RunId, type TaskId } from './ids.ts';

/** A git repository as the run that was made in it found it. */
export interface Repository {
  /** The task's working directory, absolute, by which a run finds its repository again. */
  readonly workDir: string;
  /** Top of the person's own working tree. */
  readonly root: string;
  /** The directory that all worktrees of the repository share: its identity. */
  readonly gitDir: string;
  /** Where `workDir` lies below `root`; empty at the top. */
  readonly prefix: string;
  /** The commit that was HEAD when the run was made. */
  readonly base: string;
}

/** What is known of a task's worktree. It is written before git acts on it, so that whoever carries a run on knows whose it is. */
export interface Workspace {
  readonly run: RunId;
  readonly task: TaskId;
  readonly repository: Repository;
  readonly path: string;
  readonly branch: string;
  /** The attempt that it is prepared for. */
  readonly attempt: number;
  /** Commits of dependencies that are merged into it, in this order. */
  readonly sources: readonly Source[];
  /** `adding`: git may be making its files; `merging`: sources are being merged, which a person may have to help with. */
  readonly stage: 'adding' | 'merging' | 'ready';
  /** The commit that the attempt starts from; null until it is ready. */
  readonly start: string | null;
  /** The attempt whose session was asked for, 0 for none: before that, nothing has ever run in it. */
  readonly launched: number;
  /** The last commit of the completed attempt. */
  readonly commit: string | null;
  /** Branches that keep what earlier attempts left. */
  readonly kept: readonly string[];
}

export interface Source {
  readonly task: TaskId;
  readonly commit: string;
}

/** The branch of a task's worktree. What git forbids in names, and ids allow, is written as `%2E`: ids have no `%`. */
export function branchOf(run: RunId, task: TaskId): string {
  const name = task.replaceAll('..', '.%2E').replace(/\.$/, '%2E');
  return `cis/${run}/${name.replace(/\.lock$/, '%2Elock')}`;
}

/** The branch that keeps what an attempt left which is done again; ids have no `@`. */
export function keptBranchOf(run: RunId, task: TaskId, attempt: number): string {
  return `${branchOf(run, task)}@attempt-${attempt}`;
}

/** What a commit made for a task says. */
export function commitMessage(run: RunId, task: Pick<Task, 'id' | 'name'>): string {
  const title = task.name === task.id ? '' : `: ${task.name.split('\n')[0] ?? ''}`;
  return `${task.id}${title}\n\nCommitted by cis: run ${run}, task ${task.id}.\n`;
}

/** What a merge made to start a task says. */
export function mergeMessage(run: RunId, into: TaskId, from: TaskId): string {
  return `Merge ${from} into ${into}\n\nMerged by cis to start a task: run ${run}, task ${into}.\n`;
}

/**
 * The tasks whose commits a task starts from, in the order of `deps`: its nearest completed ancestors that have a worktree, seen
 * through tasks that have none.
 */
export function sourceTasksOf(dag: Pick<Dag, 'tasks'>, task: TaskId, hasCommit: (id: TaskId) => boolean): TaskId[] {
  const byId = new Map(dag.tasks.map((one) => [one.id, one]));
  const found = new Set<TaskId>();
  const seen = new Set<TaskId>([task]);
  const visit = (id: TaskId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    if (hasCommit(id)) found.add(id);
    else for (const dep of byId.get(id)?.deps ?? []) visit(dep);
  };
  for (const dep of byId.get(task)?.deps ?? []) visit(dep);
  return [...found];
}

/** The tasks among `tasks` on whose work no other of them was built. */
export function lastTasks(dag: Pick<Dag, 'tasks'>, tasks: ReadonlySet<TaskId>): TaskId[] {
  const hidden = new Set<TaskId>();
  for (const task of tasks) for (const id of sourceTasksOf(dag, task, (one) => tasks.has(one))) hidden.add(id);
  return dag.tasks.map((task) => task.id).filter((id) => tasks.has(id) && !hidden.has(id));
}

/** A merge that git could not make by itself. */
export interface MergeConflict {
  readonly from: TaskId;
  /** Place of `from` among the sources, from 0; the first is where the worktree starts, and conflicts with nothing. */
  readonly number: number;
  readonly path: string;
  readonly files: readonly string[];
}

/** Blocks of merges are numbered from here, so that they are told apart from those that the same session has later. */
const firstMergeBlock = 1_000;

/** The block that a merge conflict is: a person resolves it in the worktree, then `cis dag unblock` goes on. */
export function conflictBlock(
  run: RunId,
  task: TaskId,
  attempt: number,
  conflict: MergeConflict,
  since: number,
): Block {
  const { from, number, path, files } = conflict;
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  return {
    id: blockId(sessionId(run, task, attempt), firstMergeBlock + number),
    kind: 'merge-conflict',
    question: `merging ${from} conflicts in ${count}: ${listFiles(files)}; resolve it in ${path}`,
    choices: [],
    selected: null,
    since,
    fingerprint: `merge ${from} ${files.join(' ')}`,
    rule: 'worktree',
  };
}

/** Names the first files, and says how many more there are. */
export function listFiles(files: readonly string[], limit = 8): string {
  const rest = files.length - limit;
  return `${files.slice(0, limit).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

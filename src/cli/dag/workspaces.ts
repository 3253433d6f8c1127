import type { RunId, TaskId } from '../../domain/ids.ts';
import type { Dag } from '../../domain/dag.ts';
import type { TaskState } from '../../domain/task.ts';
import type { Workspace } from '../../domain/workspace.ts';
import { readRunSettings, readTasks } from '../../storage/read.ts';
import { listWorkspaces } from '../../worktree/record.ts';
import { home, needDatabase } from '../context.ts';
import { CommandError } from '../exit.ts';
import { namedRun } from '../pick.ts';

export interface FoundWorkspaces {
  readonly run: RunId;
  readonly dag: Dag;
  /** In the order of the file. */
  readonly all: readonly Workspace[];
  readonly states: ReadonlyMap<TaskId, TaskState['kind']>;
}

/** The worktrees of the run that a name means; `RUN:TASK` is understood where one task is asked for. */
export async function findWorkspaces(text: string | undefined): Promise<FoundWorkspaces> {
  const db = await needDatabase();
  const { run } = namedRun(db, text);
  const dag = readRunSettings(db, run)?.dag;
  if (dag === undefined) throw new CommandError('not-found', `no run "${run}"`);
  const states = new Map(readTasks(db, run).map((row) => [row.task, row.state.kind]));
  db.close();
  const place = new Map(dag.tasks.map((task, index) => [task.id, index]));
  const all = listWorkspaces(home().worktrees, run).toSorted(
    (a, b) => (place.get(a.task) ?? 0) - (place.get(b.task) ?? 0),
  );
  return { run, dag, all, states };
}

/** The worktree of the task that a name means, in full or by an unambiguous beginning. */
export function pickWorkspace({ run, dag, all }: FoundWorkspaces, text: string): Workspace {
  const name = text.replace(/#\d*$/, '');
  const exact = dag.tasks.filter((task) => task.id === name);
  const fitting = exact.length > 0 ? exact : dag.tasks.filter((task) => task.id.startsWith(name));
  const [task, other] = fitting;
  if (task === undefined) {
    throw new CommandError('not-found', `run ${run} has no task "${name}"`, [`see: cis dag worktrees ${run}`]);
  }
  if (other !== undefined) {
    const shown = fitting.slice(0, 10).map((one) => one.id);
    throw new CommandError('refused', `"${name}" is the beginning of several tasks of run ${run}`, shown);
  }
  const workspace = all.find((one) => one.task === task.id);
  if (workspace !== undefined) return workspace;
  const why = task.workspace === 'worktree' ? 'has not started yet' : 'has none (workspace = "shared")';
  throw new CommandError('not-found', `there is no worktree of ${run}:${task.id}: the task ${why}`, [
    `see: cis dag worktrees ${run}`,
  ]);
}

/** `RUN:TASK` and `RUN TASK` are the same. */
export function splitName(
  text: string | undefined,
  tasks: readonly string[],
): { run: string | undefined; tasks: string[] } {
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0) return { run: text, tasks: [...tasks] };
  return { run: text.slice(0, colon), tasks: [text.slice(colon + 1), ...tasks] };
}

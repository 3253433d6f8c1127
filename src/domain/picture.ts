import type { Block } from './block.ts';
import type { LoggedEvent, CisEvent } from './event.ts';
import type { RunId, SessionId, TaskId } from './ids.ts';
import { parseSessionId, sessionId } from './ids.ts';
import { agentOf, type RunSettings, type RunState } from './run.ts';
import { settled, type Failure, type Gate, type SkipReason, type TaskState, type TaskStateKind } from './task.ts';

/** A task as views show it: one flat record, whatever its state. */
export interface TaskPicture {
  readonly task: TaskId;
  readonly position: number;
  readonly agent: string | null;
  readonly deps: readonly TaskId[];
  readonly kind: TaskStateKind;
  /** 0: none was started. */
  readonly attempt: number;
  readonly session: SessionId | null;
  /** The node that has the attempt, in matrix mode. */
  readonly node: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly detail: Detail;
}

/** What there is to say about a task beyond its state. */
export type Detail =
  | { readonly kind: 'none' }
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'gate'; readonly gate: Gate }
  | { readonly kind: 'failure'; readonly failure: Failure; readonly debt: boolean; readonly retryAt: number | null }
  | { readonly kind: 'skip'; readonly reason: SkipReason }
  | { readonly kind: 'reason'; readonly text: string };

/** A run as views show it. */
export interface RunPicture {
  readonly run: RunId;
  readonly dag: string;
  readonly mode: RunSettings['mode'];
  readonly room: string | null;
  readonly state: RunState['kind'];
  readonly reason: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly tasks: ReadonlyMap<TaskId, TaskPicture>;
  /** The same tasks by state: a view of thousands need not look at all of them. */
  readonly byKind: ReadonlyMap<TaskStateKind, ReadonlySet<TaskId>>;
}

/** Returns the tasks that cannot begin before this one ends, those behind them included. */
export function heldUpBy(picture: RunPicture, task: TaskId): TaskId[] {
  const held = new Set<TaskId>([task]);
  for (let before = 0; before < held.size;) {
    before = held.size;
    for (const other of picture.tasks.values())
      if (!settled[other.kind] && other.deps.some((dep) => held.has(dep))) held.add(other.task);
  }
  held.delete(task);
  return [...held];
}

export interface PictureFold {
  readonly picture: RunPicture;
  apply(logged: LoggedEvent): void;
  /** Sets a task as the state tables have it; its start and end are those of its latest attempt. */
  set(
    task: TaskId,
    state: TaskState,
    times: { readonly startedAt: number | null; readonly endedAt: number | null },
  ): void;
  setRun(state: RunState, times: { readonly startedAt: number | null; readonly endedAt: number | null }): void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const nothing: Detail = { kind: 'none' };

/** Opens the picture of a run before anything happened; events, or rows of the state tables, bring it forward. */
export function openPicture(settings: RunSettings): PictureFold {
  const tasks = new Map(
    settings.dag.tasks.map((task, position) => [task.id, firstPicture(settings, position)] as const),
  );
  const byKind = new Map<TaskStateKind, Set<TaskId>>([['pending', new Set(tasks.keys())]]);
  const { run, mode, room } = settings;
  const none = { reason: null, startedAt: null, endedAt: null };
  const picture: Mutable<RunPicture> = {
    run,
    dag: settings.dag.name,
    mode,
    room,
    state: 'created',
    ...none,
    tasks,
    byKind,
  };
  const update = (id: TaskId, change: Partial<TaskPicture>): void => {
    const before = tasks.get(id);
    if (before === undefined) return;
    const after = { ...before, ...change };
    tasks.set(id, after);
    if (after.kind === before.kind) return;
    byKind.get(before.kind)?.delete(id);
    const kin = byKind.get(after.kind) ?? new Set();
    byKind.set(after.kind, kin.add(id));
  };
  return {
    picture,
    apply: ({ at, event }) => {
      Object.assign(picture, runChange(event, at, picture));
      if (event.kind === 'node-given') update(taskOf(event.session), { node: event.node });
      if ('task' in event)
        update(event.task, { ...taskChange(event, at, settings.run), ...afterConflict(event, tasks) });
    },
    set: (task, state, times) => update(task, { ...changeOfState(state), ...times }),
    setRun: (state, times) =>
      Object.assign(picture, { state: state.kind, reason: 'reason' in state ? state.reason : null, ...times }),
  };
}

/** The task of a session; `` for an id that is none, which no task has. */
function taskOf(session: SessionId): TaskId {
  const parts = parseSessionId(session);
  return parts.ok ? parts.value.task : ('' as TaskId);
}

/** A merge conflict that was resolved: the task is about to start, not running yet. */
function afterConflict(event: CisEvent, tasks: ReadonlyMap<TaskId, TaskPicture>): Partial<TaskPicture> {
  if (event.kind !== 'task-unblocked') return {};
  const detail = tasks.get(event.task)?.detail;
  return detail?.kind === 'block' && detail.block.kind === 'merge-conflict' ? { kind: 'starting' } : {};
}

function firstPicture(settings: RunSettings, position: number): TaskPicture {
  const task = settings.dag.tasks[position];
  if (task === undefined) throw new RangeError(`no task at ${position}`);
  const agent = agentOf(settings, task);
  const never = { attempt: 0, session: null, node: null, startedAt: null, endedAt: null, detail: nothing };
  return { task: task.id, position, agent, deps: task.deps, kind: 'pending', ...never };
}

function runChange(event: CisEvent, at: number, before: RunPicture): Partial<RunPicture> {
  switch (event.kind) {
    case 'run-started':
      return { state: 'running', startedAt: before.startedAt ?? at };
    case 'run-reopened':
      return { state: 'running', endedAt: null, reason: null };
    case 'run-paused':
      return { state: 'paused', reason: event.by };
    case 'run-resumed':
      return { state: 'running', reason: null };
    case 'run-mode-changed':
      return { mode: event.mode, room: event.room };
    case 'run-rolling-back':
      return { state: 'rolling-back', reason: event.reason };
    case 'run-completed':
      return { state: 'completed', endedAt: at, reason: null };
    case 'run-failed':
    case 'run-aborted':
      return { state: event.kind === 'run-failed' ? 'failed' : 'aborted', endedAt: at, reason: event.reason };
    default:
      return {};
  }
}

function taskChange(event: CisEvent & { task: TaskId }, at: number, run: RunId): Partial<TaskPicture> {
  switch (event.kind) {
    case 'task-gated':
      return { kind: 'gated', detail: { kind: 'gate', gate: event.gate } };
    case 'task-ready':
      return { kind: 'ready', detail: nothing, startedAt: null, endedAt: null };
    case 'task-found':
      return { kind: 'starting', detail: nothing, endedAt: null };
    case 'task-starting': {
      const { attempt, session } = event;
      return { kind: 'starting', node: null, attempt, session, startedAt: at, endedAt: null, detail: nothing };
    }
    case 'task-running':
    case 'task-unblocked':
      return { kind: 'running', detail: nothing };
    case 'task-blocked':
      return { kind: 'blocked', detail: { kind: 'block', block: event.block } };
    case 'task-completed':
      return { kind: 'completed', endedAt: at, detail: nothing };
    case 'task-failed':
      return { kind: 'failed', endedAt: at, detail: failed(event.failure, event.debt, null) };
    case 'task-waiting-retry':
      return { kind: 'waiting-retry', endedAt: at, detail: failed(event.failure, false, event.retryAt) };
    case 'task-lost':
      return { kind: 'lost', endedAt: at };
    case 'task-undecided':
      return { kind: 'undecided', session: sessionId(run, event.task, event.attempt), detail: asked(event.failure) };
    case 'task-reopened':
      return { kind: 'pending', startedAt: null, endedAt: null, detail: nothing };
    case 'task-skipped':
      return { kind: 'skipped', detail: { kind: 'skip', reason: event.reason } };
    case 'task-cancelled':
      return { kind: 'cancelled', endedAt: at, detail: { kind: 'reason', text: event.reason } };
    case 'task-voted':
    case 'task-amended':
      return {};
    default:
      return {};
  }
}

function failed(failure: Failure, debt: boolean, retryAt: number | null): Detail {
  return { kind: 'failure', failure, debt, retryAt };
}

/** Nothing is known of an attempt whose session was lost. */
function asked(failure: Failure | undefined): Detail {
  return failure === undefined ? nothing : failed(failure, false, null);
}

function changeOfState(state: TaskState): Partial<TaskPicture> {
  const attempt = 'attempt' in state ? { attempt: state.attempt } : {};
  const session = 'session' in state ? { session: state.session } : {};
  return { kind: state.kind, ...attempt, ...session, detail: detailOf(state) };
}

function detailOf(state: TaskState): Detail {
  switch (state.kind) {
    case 'gated':
      return { kind: 'gate', gate: state.gate };
    case 'blocked':
      return { kind: 'block', block: state.block };
    case 'waiting-retry':
      return failed(state.failure, false, state.retryAt);
    case 'failed':
      return failed(state.failure, state.debt, null);
    case 'undecided':
      return asked(state.failure);
    case 'skipped':
      return { kind: 'skip', reason: state.reason };
    case 'cancelled':
      return { kind: 'reason', text: state.reason };
    default:
      return nothing;
  }
}

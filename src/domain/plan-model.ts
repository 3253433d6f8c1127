import type { Block } from './block.ts';
import type { Condition, Operand } from './condition.ts';
import type { Dag, Policy, Task } from './dag.ts';
import type { Amendment, CisEvent, TaskEvent } from './event.ts';
import { openHeap, type Heap } from './heap.ts';
import { sessionOfBlock, type RunId, type SessionId, type TaskId } from './ids.ts';
import { runTransitions, type RunSettings, type RunState } from './run.ts';
import type { KillCause } from './session.ts';
import { settled, taskTransitions, waitsByItself, type TaskState } from './task.ts';
import { verdictOf, type Verdict } from './plan-verdict.ts';

/** A vertex while its run goes on. Only `applyEvent` changes it, so that the log alone makes it again. */
export interface TaskNode {
  /** Place in the file. */
  readonly index: number;
  task: Task;
  state: TaskState;
  readonly deps: TaskNode[];
  readonly dependents: TaskNode[];
  /** Dependencies whose settling in any state is enough, because the condition asks for their status or exit code. */
  readonly watched: Set<TaskNode>;
  /** The task that runs if and only if this one fails. */
  rescuer: TaskNode | null;
  rescuee: TaskNode | null;
  verdict: Verdict;
  /** Dependencies that hold this task back, and those that forbid it. */
  unmet: number;
  forbidden: number;
  /** The highest attempt so far, and the failures that count against `retry.max`. */
  attempts: number;
  failures: number;
  rescued: boolean;
  pid: number;
  startTick: number;
  blockedTick: number;
  blockedMs: number;
  /** Grows with each change of state: a timer of an older one is stale. */
  version: number;
  queued: boolean;
  touched: boolean;
  /** Set while the session was asked to end; not from the log: it is planned again after a crash. */
  stop: Stop | null;
  /** Position in the order of completion, 0 while there is none. */
  completion: number;
  /** How often each rollback command was started. */
  rollbackAttempts: number;
  rolledBack: boolean;
}

export interface Stop {
  readonly cause: KillCause;
  readonly by: string;
}

/** An instant, on the model's own clock, at which something about a task may be due. */
export interface Due {
  readonly tick: number;
  readonly node: TaskNode;
  readonly version: number;
  readonly kind: 'retry' | 'gate' | 'timeout' | 'blocked';
}

export interface Rollback {
  readonly node: TaskNode;
  readonly index: number;
}

/** The state of a run as its log tells it, with what planning needs to take time proportional to what changed. */
export interface RunModel {
  readonly run: RunId;
  readonly policy: Policy;
  readonly nodes: readonly TaskNode[];
  readonly byId: ReadonlyMap<TaskId, TaskNode>;
  maxWorkers: number;
  state: RunState;
  readonly ready: Heap<TaskNode>;
  /** Timeouts of sessions. */
  readonly due: Heap<Due>;
  /** Countdowns and backoffs: they stand still while the run is paused or ending. */
  readonly patient: Heap<Due>;
  touched: TaskNode[];
  /** Sessions under way, and those of them that hold a worker. */
  active: number;
  busy: number;
  /** Tasks that are not settled. */
  open: number;
  /** Tasks that wait for a person: gated, blocked or undecided, and the last two apart. */
  waiting: number;
  blocked: number;
  undecided: number;
  /** Failures that end the run. */
  stoppers: Set<TaskNode>;
  /** `first_success`: who won. */
  winner: TaskNode | null;
  aborting: string | null;
  completions: number;
  rollbacks: Rollback[];
  rollback: { readonly what: Rollback; readonly session: SessionId } | null;
}

/** A wall-clock instant and the same instant on a clock that never jumps, both in ms. */
export interface Clock {
  readonly at: number;
  readonly tick: number;
}

/** Builds the model of a run of which nothing has happened yet. */
export function createModel(settings: Pick<RunSettings, 'run' | 'maxWorkers'> & { readonly dag: Dag }): RunModel {
  const nodes = settings.dag.tasks.map(createNode);
  const byId = new Map(nodes.map((node) => [node.task.id, node]));
  for (const node of nodes) link(node, byId);
  for (const node of nodes) node.unmet = node.deps.length;
  return {
    run: settings.run,
    policy: settings.dag.policy,
    nodes,
    byId,
    maxWorkers: settings.maxWorkers,
    state: { kind: 'created' },
    ready: openHeap(startsBefore),
    due: openHeap(isSooner),
    patient: openHeap(isSooner),
    touched: nodes.slice(),
    active: 0,
    busy: 0,
    open: nodes.length,
    waiting: 0,
    blocked: 0,
    undecided: 0,
    stoppers: new Set(),
    winner: null,
    aborting: null,
    completions: 0,
    rollbacks: [],
    rollback: null,
  };
}

function createNode(task: Task, index: number): TaskNode {
  return {
    index,
    task,
    state: { kind: 'pending' },
    deps: [],
    dependents: [],
    watched: new Set(),
    rescuer: null,
    rescuee: null,
    verdict: 'open',
    unmet: 0,
    forbidden: 0,
    attempts: 0,
    failures: 0,
    rescued: false,
    pid: 0,
    startTick: 0,
    blockedTick: 0,
    blockedMs: 0,
    version: 0,
    queued: false,
    touched: true,
    stop: null,
    completion: 0,
    rollbackAttempts: 0,
    rolledBack: false,
  };
}

function link(node: TaskNode, byId: ReadonlyMap<TaskId, TaskNode>): void {
  const { task } = node;
  if (task.rescues !== undefined) {
    node.rescuee = byId.get(task.rescues) ?? null;
    if (node.rescuee !== null) node.rescuee.rescuer = node;
  }
  const asksAbout = new Set(task.condition === undefined ? [] : watchedIn(task.condition));
  for (const id of new Set(task.deps)) {
    const dep = byId.get(id);
    if (dep === undefined || dep === node.rescuee) continue;
    node.deps.push(dep);
    dep.dependents.push(node);
    if (asksAbout.has(id)) node.watched.add(dep);
  }
}

function watchedIn(condition: Condition): TaskId[] {
  switch (condition.kind) {
    case 'not':
      return watchedIn(condition.of);
    case 'and':
    case 'or':
      return [...watchedIn(condition.left), ...watchedIn(condition.right)];
    case 'compare':
      return [condition.left, condition.right].flatMap(watchedOperand);
  }
}

function watchedOperand(operand: Operand): TaskId[] {
  return operand.kind === 'task' && (operand.field === 'status' || operand.field === 'exit_code') ? [operand.task] : [];
}

function startsBefore(a: TaskNode, b: TaskNode): boolean {
  return a.task.priority === b.task.priority ? a.index < b.index : a.task.priority > b.task.priority;
}

function isSooner(a: Due, b: Due): boolean {
  return a.tick < b.tick;
}

/** Returns the node of a task; an event about an unknown one is a bug or a foreign log. */
export function nodeOf(model: RunModel, task: TaskId): TaskNode {
  const node = model.byId.get(task);
  if (node === undefined) throw new Error(`run ${model.run} has no task "${task}"`);
  return node;
}

/** Marks a node for the next planning. */
export function touch(model: RunModel, node: TaskNode): void {
  if (node.touched) return;
  node.touched = true;
  model.touched.push(node);
}

/** Folds one event into the model. Throws when the tables of `task.ts` and `run.ts` have no such transition. */
export function applyEvent(model: RunModel, event: CisEvent, clock: Clock): void {
  if (event.kind.startsWith('task-')) applyTaskEvent(model, event as TaskEvent, clock);
  else if (event.kind.startsWith('run-')) applyRunEvent(model, event, clock);
}

function applyRunEvent(model: RunModel, event: CisEvent, clock: Clock): void {
  switch (event.kind) {
    case 'run-started':
    case 'run-resumed':
    case 'run-reopened':
      moveRun(model, { kind: 'running' });
      model.aborting = null;
      for (const node of model.nodes) if (!settled[node.state.kind]) touch(model, node);
      return;
    case 'run-paused':
      return moveRun(model, { kind: 'paused', by: event.by });
    case 'run-rolling-back':
      moveRun(model, { kind: 'rolling-back', then: event.then, reason: event.reason });
      model.rollbacks = plannedRollbacks(model);
      return;
    case 'run-rollback-starting': {
      const node = nodeOf(model, event.task);
      node.rollbackAttempts = event.attempt;
      node.rolledBack = true;
      model.rollback = { what: { node, index: event.index }, session: event.session };
      model.rollbacks = model.rollbacks.filter((one) => one.node !== node || one.index !== event.index);
      return;
    }
    case 'run-rollback-ended':
      model.rollback = null;
      return;
    case 'run-completed':
      return moveRun(model, { kind: 'completed', endedAt: clock.at });
    case 'run-failed':
    case 'run-aborted': {
      const kind = event.kind === 'run-failed' ? 'failed' : 'aborted';
      return moveRun(model, { kind, endedAt: clock.at, reason: event.reason });
    }
    default:
      return;
  }
}

function moveRun(model: RunModel, next: RunState): void {
  const allowed: readonly string[] = runTransitions[model.state.kind];
  if (!allowed.includes(next.kind)) throw new Error(`a run cannot go from ${model.state.kind} to ${next.kind}`);
  model.state = next;
}

/** The commands that undo what was done: the task that completed last comes first, its commands in the order of the file. */
export function plannedRollbacks(model: RunModel): Rollback[] {
  return model.nodes
    .filter((node) => node.state.kind === 'completed' && node.task.rollback.length > 0 && !node.rolledBack)
    .sort((a, b) => b.completion - a.completion)
    .flatMap((node) => node.task.rollback.map((_, index) => ({ node, index: index + 1 })));
}

function applyTaskEvent(model: RunModel, event: TaskEvent, clock: Clock): void {
  const node = nodeOf(model, event.task);
  if (event.kind === 'task-amended') {
    node.task = amendTask(node.task, event.change);
    return;
  }
  if (event.kind === 'task-worktree-ready' || event.kind === 'task-work-committed') return;
  if (event.kind === 'task-reopened') reopen(node);
  count(node, event, clock);
  moveTask(model, node, nextTaskState(node, event, clock.at), isInPlace(node, event));
  setTimers(model, node, clock);
}

/** What is known of a state changes, not the state: a vote, or a question that was seen better. */
function isInPlace(node: TaskNode, event: TaskEvent): boolean {
  if (event.kind === 'task-voted') return true;
  return event.kind === 'task-blocked' && node.state.kind === 'blocked' && node.state.block.id === event.block.id;
}

/** Returns the task as a person changed it. */
function amendTask(task: Task, change: Amendment): Task {
  switch (change.kind) {
    case 'command':
      return task.action.kind === 'command' ? { ...task, action: { ...task.action, command: change.text } } : task;
    case 'prompt':
      return task.action.kind === 'agent' ? { ...task, action: { ...task.action, prompt: change.text } } : task;
    case 'env':
      return { ...task, env: { ...task.env, [change.name]: change.value } };
    case 'timeout': {
      const { timeoutMs: _, ...rest } = task;
      return change.timeoutMs === null ? rest : { ...rest, timeoutMs: change.timeoutMs };
    }
  }
}

function reopen(node: TaskNode): void {
  node.failures = 0;
  node.rescued = false;
  node.rolledBack = false;
  node.completion = 0;
}

function count(node: TaskNode, event: TaskEvent, clock: Clock): void {
  switch (event.kind) {
    case 'task-starting':
      node.attempts = event.attempt;
      node.startTick = clock.tick;
      node.blockedMs = 0;
      return;
    case 'task-running':
      node.pid = event.pid;
      return;
    case 'task-blocked':
      if (node.state.kind !== 'blocked') node.blockedTick = clock.tick;
      return;
    case 'task-unblocked':
      node.blockedMs += clock.tick - node.blockedTick;
      return;
    case 'task-waiting-retry':
      node.failures += 1;
      return;
    case 'task-ready':
      if (event.why === 'rescue') node.rescued = true;
      if (event.why === 'person') node.failures = 0;
      return;
    default:
      return;
  }
}

type Unchanging = 'task-amended' | 'task-worktree-ready' | 'task-work-committed';

function nextTaskState(node: TaskNode, event: Exclude<TaskEvent, { kind: Unchanging }>, at: number): TaskState {
  switch (event.kind) {
    case 'task-reopened':
      return { kind: 'pending' };
    case 'task-gated':
      return { kind: 'gated', gate: event.gate };
    case 'task-voted':
      return votedState(node, event.by, event.vote);
    case 'task-ready':
      return { kind: 'ready' };
    case 'task-starting':
      return { kind: 'starting', attempt: event.attempt, session: event.session, startedAt: at };
    case 'task-found':
      return { kind: 'starting', attempt: event.attempt, session: event.session, startedAt: at };
    case 'task-running':
      return { kind: 'running', ...underWay(node, at), attempt: event.attempt, pid: event.pid };
    case 'task-blocked':
      return blockedState(node, event.attempt, event.block, at);
    case 'task-unblocked':
      if (node.state.kind === 'blocked' && node.state.session === null) {
        const session = sessionOfBlock(event.block);
        return { kind: 'starting', attempt: event.attempt, session, startedAt: node.state.startedAt };
      }
      return { kind: 'running', ...underWay(node, at), attempt: event.attempt, pid: node.pid };
    case 'task-completed':
      return { kind: 'completed', attempt: event.attempt, startedAt: underWay(node, at).startedAt, endedAt: at };
    case 'task-failed':
      return { kind: 'failed', attempt: event.attempt, endedAt: at, failure: event.failure, debt: event.debt };
    case 'task-waiting-retry':
      return { kind: 'waiting-retry', attempt: event.attempt, retryAt: event.retryAt, failure: event.failure };
    case 'task-lost':
      return { kind: 'lost', attempt: event.attempt };
    case 'task-undecided': {
      const { failure, attempt } = event;
      return failure === undefined ? { kind: 'undecided', attempt } : { kind: 'undecided', attempt, failure };
    }
    case 'task-skipped':
      return { kind: 'skipped', reason: event.reason };
    case 'task-cancelled':
      return { kind: 'cancelled', reason: event.reason };
  }
}

/** A merge conflict comes before the session. */
function blockedState(node: TaskNode, attempt: number, block: Block, at: number): TaskState {
  const { session, startedAt } = underWay(node, at);
  return { kind: 'blocked', attempt, session: block.kind === 'merge-conflict' ? null : session, startedAt, block };
}

function votedState(node: TaskNode, by: string, vote: 'yes' | 'no'): TaskState {
  const { state } = node;
  if (state.kind !== 'gated' || state.gate.kind !== 'arbitrated') throw new Error(`${node.task.id} is not voted on`);
  return { kind: 'gated', gate: { ...state.gate, votes: { ...state.gate.votes, [by]: vote } } };
}

function underWay(node: TaskNode, at: number): { readonly session: SessionId; readonly startedAt: number } {
  const { state } = node;
  if ((state.kind === 'starting' || state.kind === 'running' || state.kind === 'blocked') && state.session !== null) {
    return { session: state.session, startedAt: state.startedAt };
  }
  throw new Error(`${node.task.id} has no session at ${at}: it is ${state.kind}`);
}

function moveTask(model: RunModel, node: TaskNode, next: TaskState, inPlace: boolean): void {
  const from = node.state.kind;
  const allowed: readonly string[] = taskTransitions[from];
  if (!allowed.includes(next.kind) && !(inPlace && from === next.kind)) {
    throw new Error(`task ${node.task.id} cannot go from ${from} to ${next.kind}`);
  }
  const wasEnding = isEnding(model);
  leave(model, node);
  node.state = next;
  node.version += 1;
  enter(model, node);
  touch(model, node);
  spread(model, node);
  if (wasEnding && !isEnding(model)) for (const other of model.nodes) touch(model, other);
}

/** Nothing new is started any more, and the run ends when its last session has. */
export function isEnding(model: RunModel): boolean {
  return model.aborting !== null || model.stoppers.size > 0 || model.winner !== null;
}

/** Takes the node out of the counters of its state; `enter` puts it in again. */
function leave(model: RunModel, node: TaskNode): void {
  tally(model, node, -1);
  model.stoppers.delete(node);
  if (model.winner === node) model.winner = null;
}

function enter(model: RunModel, node: TaskNode): void {
  tally(model, node, 1);
  const { kind } = node.state;
  if (settled[kind] || kind === 'waiting-retry' || kind === 'lost' || kind === 'undecided') node.stop = null;
  if (kind === 'completed') {
    model.completions += 1;
    node.completion = model.completions;
    const isLast = node.dependents.length === 0 && node.rescuee === null;
    if (model.policy === 'first_success' && isLast) model.winner ??= node;
  }
  if (kind === 'ready' && !node.queued) {
    node.queued = true;
    model.ready.push(node);
  }
}

function tally(model: RunModel, node: TaskNode, by: 1 | -1): void {
  const { kind } = node.state;
  if (!settled[kind]) model.open += by;
  const isAsking = kind === 'blocked' && !waitsByItself(node.state);
  if (kind === 'gated' || isAsking || kind === 'undecided') model.waiting += by;
  if (isAsking) model.blocked += by;
  if (kind === 'undecided') model.undecided += by;
  if (!isActive(node)) return;
  model.active += by;
  if (kind !== 'blocked' || !node.task.onBlocked.releaseSlot) model.busy += by;
}

/** Says whether a session of this task is under way. */
export function isActive(node: TaskNode): boolean {
  const { kind } = node.state;
  return kind === 'starting' || kind === 'running' || kind === 'blocked';
}

/** Tells the neighbours what this node's new state means for them. */
function spread(model: RunModel, node: TaskNode): void {
  updateVerdict(model, node);
  if (node.rescuer !== null) touch(model, node.rescuer);
  if (node.rescuee !== null) {
    updateVerdict(model, node.rescuee);
    touch(model, node.rescuee);
  }
}

function updateVerdict(model: RunModel, node: TaskNode): void {
  const next = verdictOf(model, node);
  if (next === 'stop') model.stoppers.add(node);
  else model.stoppers.delete(node);
  if (next === node.verdict) return;
  const before = node.verdict;
  node.verdict = next;
  for (const dependent of node.dependents) {
    const watches = dependent.watched.has(node);
    dependent.unmet += Number(holds(next, watches)) - Number(holds(before, watches));
    dependent.forbidden += Number(forbids(next, watches)) - Number(forbids(before, watches));
    touch(model, dependent);
  }
}

function holds(verdict: Verdict, watches: boolean): boolean {
  return verdict === 'open' || (verdict === 'stop' && !watches);
}

function forbids(verdict: Verdict, watches: boolean): boolean {
  return verdict === 'bad' && !watches;
}

function setTimers(model: RunModel, node: TaskNode, clock: Clock): void {
  const { state, task, version } = node;
  const add = (kind: Due['kind'], tick: number): void => {
    const heap = kind === 'retry' || kind === 'gate' ? model.patient : model.due;
    heap.push({ kind, tick, node, version });
  };
  switch (state.kind) {
    case 'waiting-retry':
      return add('retry', clock.tick + state.retryAt - clock.at);
    case 'gated':
      if (state.gate.kind === 'recommended') add('gate', clock.tick + state.gate.until - clock.at);
      return;
    case 'blocked':
      if (task.onBlocked.timeoutMs !== undefined && task.onBlocked.then !== 'wait' && !waitsByItself(state)) {
        add('blocked', node.blockedTick + task.onBlocked.timeoutMs);
      }
      if (!task.timeoutCountsBlocked) return;
      break;
    case 'starting':
    case 'running':
      break;
    default:
      return;
  }
  if (task.timeoutMs === undefined) return;
  add('timeout', node.startTick + task.timeoutMs + (task.timeoutCountsBlocked ? 0 : node.blockedMs));
}

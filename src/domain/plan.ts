import { renderCondition } from './condition.ts';
import type { Task } from './dag.ts';
import type { CisEvent, OutputSummary, ReadyCause } from './event.ts';

import type { Heap } from './heap.ts';
import { rollbackTaskId, sessionId, type SessionId } from './ids.ts';
import {
  applyEvent,
  isActive,
  isEnding,
  plannedRollbacks,
  type Clock,
  type Due,
  type RunModel,
  type Stop,
  type TaskNode,
} from './plan-model.ts';
import { isDebt, rescueIsPending } from './plan-verdict.ts';
import type { Result } from './result.ts';
import type { SessionEnd } from './session.ts';
import { settled, type Failure, type Gate } from './task.ts';
import { describeFailure } from './words.ts';

/** What is to be recorded, then done. The events are already part of the model. */
export interface Plan {
  readonly events: CisEvent[];
  readonly stops: StopSession[];
}

export interface StopSession extends Stop {
  readonly session: SessionId;
}

/** Says whether a task's condition holds; an error ends the task as not started. */
export type EvaluateCondition = (task: Task) => Result<boolean, string>;

/** Collects events while applying each to the model at once. */
export interface Recorder {
  readonly model: RunModel;
  readonly clock: Clock;
  readonly plan: Plan;
  record(event: CisEvent): void;
}

export function openRecorder(model: RunModel, clock: Clock): Recorder {
  const plan: Plan = { events: [], stops: [] };
  return {
    model,
    clock,
    plan,
    record(event) {
      applyEvent(model, event, clock);
      plan.events.push(event);
    },
  };
}

/**
 * Returns what happens next in a run, given what is known: tasks that become ready, gated or skipped, attempts to start, sessions
 * to stop, the end of the run. Without `mayStart` no attempt is started. Takes time proportional to what changed since the last call.
 */
export function planNext(model: RunModel, clock: Clock, evaluate: EvaluateCondition, mayStart = true): Plan {
  const into = openRecorder(model, clock);
  if (isOver(model) || model.state.kind === 'created') return into.plan;
  fireDue(into);
  settleTouched(into, evaluate);
  stopUnwanted(into);
  if (mayStart) startReady(into);
  conclude(into);
  return into.plan;
}

/** The instant, on the model's clock, at which planning may find something to do although nothing happened. */
export function nextDueTick(model: RunModel): number | null {
  const first = freshest(model.due);
  const patient = isPatient(model) ? null : freshest(model.patient);
  if (first === null || patient === null) return first?.tick ?? patient?.tick ?? null;
  return Math.min(first.tick, patient.tick);
}

/** Says whether everything that is left waits for a person, and no countdown or backoff will change that. */
export function isStuck(model: RunModel): boolean {
  if (model.waiting === 0 || isOver(model)) return false;
  return model.active === model.blocked && freshest(model.patient) === null;
}

function freshest(heap: Heap<Due>): Due | null {
  for (;;) {
    const first = heap.peek();
    if (first === undefined) return null;
    if (first.version === first.node.version) return first;
    heap.pop();
  }
}

function isPatient(model: RunModel): boolean {
  return model.state.kind !== 'running' || isEnding(model);
}

export function isOver(model: RunModel): boolean {
  return model.state.kind === 'completed' || model.state.kind === 'failed' || model.state.kind === 'aborted';
}

function fireDue(into: Recorder): void {
  fireFrom(into, into.model.due);
  if (!isPatient(into.model)) fireFrom(into, into.model.patient);
}

function fireFrom(into: Recorder, heap: Heap<Due>): void {
  for (let due = freshest(heap); due !== null && due.tick <= into.clock.tick; due = freshest(heap)) {
    heap.pop();
    fire(into, due);
  }
}

function fire(into: Recorder, due: Due): void {
  const { node } = due;
  switch (due.kind) {
    case 'retry':
      return ready(into, node, 'retry');
    case 'gate':
      return fireGate(into, node);
    case 'timeout':
      return stop(into, node, { cause: 'timeout', by: 'timeout' });
    case 'blocked':
      return stop(into, node, { cause: node.task.onBlocked.then === 'skip' ? 'skip' : 'timeout', by: 'on_blocked' });
  }
}

function fireGate(into: Recorder, node: TaskNode): void {
  if (node.state.kind !== 'gated' || node.state.gate.kind !== 'recommended') return;
  switch (node.state.gate.defaultAction) {
    case 'execute':
      return ready(into, node, 'gate');
    case 'skip':
      return into.record({ kind: 'task-skipped', task: node.task.id, reason: { kind: 'gate', by: 'countdown' } });
    case 'abort':
      into.model.aborting = `nobody confirmed ${node.task.id} in time`;
  }
}

/** Makes a task ready; one whose dependency is to be done again meanwhile waits for that first. */
export function ready(into: Recorder, node: TaskNode, why: ReadyCause): void {
  if (node.unmet > 0) into.record({ kind: 'task-reopened', task: node.task.id, by: 'a dependency' });
  else into.record({ kind: 'task-ready', task: node.task.id, why });
}

const nothingLeft: OutputSummary = { bytes: 0, cutFrom: null, source: 'none' };

/** Asks for the end of a session, once. */
export function stop(into: Recorder, node: TaskNode, why: Stop): void {
  const { state } = node;
  if (node.stop !== null || !isActive(node) || !('session' in state)) return;
  node.stop = why;
  if (state.session === null) {
    // a merge conflict: there is nothing to wait for
    return recordAttemptEnd(into, node, { kind: 'killed', by: why.cause, signal: 'SIGTERM' }, nothingLeft);
  }
  into.plan.stops.push({ session: state.session, ...why });
}

function settleTouched(into: Recorder, evaluate: EvaluateCondition): void {
  const { model } = into;
  while (model.touched.length > 0) {
    const nodes = model.touched;
    model.touched = [];
    for (const node of nodes) {
      node.touched = false;
      consider(into, node, evaluate);
    }
  }
}

function consider(into: Recorder, node: TaskNode, evaluate: EvaluateCondition): void {
  switch (node.state.kind) {
    case 'pending':
      return considerPending(into, node, evaluate);
    case 'failed':
      if (!isEnding(into.model) && rescueIsPending(node) && node.rescuer?.state.kind === 'completed') {
        ready(into, node, 'rescue');
      }
      return;
    case 'lost':
      return decideLost(into, node, node.state.attempt);
    default:
      return;
  }
}

function considerPending(into: Recorder, node: TaskNode, evaluate: EvaluateCondition): void {
  const { model } = into;
  if (model.state.kind === 'rolling-back' || isEnding(model)) return;
  if (node.forbidden > 0) return skipForDependency(into, node);
  if (node.unmet > 0) return;
  if (node.rescuee !== null && !considerRescue(into, node, node.rescuee)) return;
  if (node.task.condition !== undefined) {
    const holds = evaluate(node.task);
    if (!holds.ok) return failUnstarted(into, node, { kind: 'not-started', reason: holds.error });
    if (!holds.value) {
      const text = renderCondition(node.task.condition);
      return into.record({ kind: 'task-skipped', task: node.task.id, reason: { kind: 'condition', text } });
    }
  }
  const gate = gateOf(node.task, into.clock);
  if (gate === null) ready(into, node, node.rescuee === null ? 'dependencies' : 'rescue');
  else into.record({ kind: 'task-gated', task: node.task.id, gate });
}

function skipForDependency(into: Recorder, node: TaskNode): void {
  const dep = node.deps.find((dep) => dep.verdict === 'bad' && !node.watched.has(dep));
  if (dep === undefined) return;
  const state = dep.state.kind === 'skipped' ? 'skipped' : 'failed';
  into.record({ kind: 'task-skipped', task: node.task.id, reason: { kind: 'dependency', task: dep.task.id, state } });
}

/** A rescue waits until its task has settled, and is not needed unless that failed. */
function considerRescue(into: Recorder, node: TaskNode, rescuee: TaskNode): boolean {
  const { kind } = rescuee.state;
  if (kind === 'failed' && !rescuee.rescued) return true;
  if (settled[kind]) {
    const reason = { kind: 'no-failure', task: rescuee.task.id } as const;
    into.record({ kind: 'task-skipped', task: node.task.id, reason });
  }
  return false;
}

function gateOf(task: Task, clock: Clock): Gate | null {
  const { level } = task;
  switch (level.kind) {
    case 'mechanical':
      return null;
    case 'recommended':
      return { kind: 'recommended', until: clock.at + level.timeoutMs, defaultAction: level.defaultAction };
    case 'confirmed':
      return { kind: 'confirmed' };
    case 'arbitrated':
      return { kind: 'arbitrated', stakeholders: level.stakeholders, votes: {} };
  }
}

/** An attempt whose session was lost runs again where the file allows it; else a person decides, because it may have acted. */
function decideLost(into: Recorder, node: TaskNode, attempt: number): void {
  const { task } = node;
  if (isEnding(into.model)) return;
  if (task.retry.on.includes('lost') && task.retry.max > 0) {
    const failure: Failure = { kind: 'session', end: { kind: 'lost' } };
    if (node.failures < task.retry.max) return waitForRetry(into, node, attempt, failure);
    if (!task.idempotent) return fail(into, node, attempt, failure, null);
  }
  if (task.idempotent) ready(into, node, 'lost');
  else into.record({ kind: 'task-undecided', task: task.id, attempt });
}

function waitForRetry(into: Recorder, node: TaskNode, attempt: number, failure: Failure): void {
  const { retry, id } = node.task;
  const backoffMs = Math.min(retry.backoffMs * 2 ** node.failures, retry.maxBackoffMs);
  into.record({ kind: 'task-waiting-retry', task: id, attempt, failure, retryAt: into.clock.at + backoffMs });
  if (backoffMs <= 0) ready(into, node, 'retry');
}

function failUnstarted(into: Recorder, node: TaskNode, failure: Failure): void {
  fail(into, node, node.attempts, failure, null);
}

/** Records a failure that no retry mends any more. */
export function fail(
  into: Recorder,
  node: TaskNode,
  attempt: number,
  failure: Failure,
  output: OutputSummary | null,
): void {
  const debt = isDebt(into.model.policy, node.task);
  into.record({ kind: 'task-failed', task: node.task.id, attempt, failure, debt, output });
}

/** Records what the end of an attempt's session means for its task. */
export function recordAttemptEnd(into: Recorder, node: TaskNode, end: SessionEnd, output: OutputSummary): void {
  const { task, stop, state } = node;
  if (!isActive(node) || !('attempt' in state)) return;
  const { attempt } = state;
  if (end.kind === 'lost' || (end.kind === 'killed' && isLikeLost(end.by))) {
    if (into.model.aborting !== null) return into.record({ kind: 'task-cancelled', task: task.id, reason: 'aborted' });
    return into.record({ kind: 'task-lost', task: task.id, attempt });
  }
  if ((end.kind === 'exited' && end.code === 0) || (end.kind === 'killed' && end.by === 'done')) {
    return into.record({ kind: 'task-completed', task: task.id, attempt, output });
  }
  if (end.kind === 'killed' && end.by === 'skip') return recordSkipped(into, node, stop);
  if (end.kind === 'killed' && end.by === 'abort') {
    return into.record({ kind: 'task-cancelled', task: task.id, reason: 'aborted' });
  }
  recordFailure(into, node, attempt, failureOf(node, end), output);
}

/** The session was ended for a reason that is not the task's: whether it may run again is asked as for a lost one. */
function isLikeLost(by: string): boolean {
  return by === 'no-wait' || by === 'host-stop' || by === 'superseded';
}

function recordSkipped(into: Recorder, node: TaskNode, stop: Stop | null): void {
  const { winner } = into.model;
  const task = node.task.id;
  if (winner !== null) into.record({ kind: 'task-cancelled', task, reason: `${winner.task.id} was first` });
  else into.record({ kind: 'task-skipped', task, reason: { kind: 'person', by: stop?.by ?? 'a person' } });
}

function failureOf(node: TaskNode, end: SessionEnd): Failure {
  if (end.kind === 'not-started') return { kind: 'not-started', reason: end.reason };
  if (end.kind !== 'killed' || end.by !== 'timeout') return { kind: 'session', end };
  const { onBlocked, timeoutMs } = node.task;
  if (node.state.kind === 'blocked' && onBlocked.then === 'fail' && onBlocked.timeoutMs !== undefined) {
    return { kind: 'blocked-too-long', afterMs: onBlocked.timeoutMs };
  }
  return { kind: 'timeout', afterMs: timeoutMs ?? 0 };
}

/** Records a failure of an attempt: it is retried, asked about, or final. */
export function recordFailure(
  into: Recorder,
  node: TaskNode,
  attempt: number,
  failure: Failure,
  output: OutputSummary | null,
): void {
  const { retry, onFailure, id } = node.task;
  const cause = failure.kind === 'timeout' ? 'timeout' : 'failure';
  if (isRetryable(failure) && retry.on.includes(cause) && node.failures < retry.max && !isEnding(into.model)) {
    return waitForRetry(into, node, attempt, failure);
  }
  if (onFailure === 'ask' && !isEnding(into.model)) {
    return into.record({ kind: 'task-undecided', task: id, attempt, failure });
  }
  fail(into, node, attempt, failure, output);
}

/** What a person ended on purpose is not started again behind their back. */
function isRetryable(failure: Failure): boolean {
  return !(failure.kind === 'session' && failure.end.kind === 'killed' && failure.end.by === 'user');
}

function stopUnwanted(into: Recorder): void {
  const { model } = into;
  if (model.active === 0) return;
  if (model.aborting !== null) return stopAll(into, { cause: 'abort', by: 'abort' });
  if (model.winner !== null) stopAll(into, { cause: 'skip', by: `${model.winner.task.id} was first` });
}

function stopAll(into: Recorder, why: Stop): void {
  for (const node of into.model.nodes) stop(into, node, why);
}

function startReady(into: Recorder): void {
  const { model } = into;
  while (model.state.kind === 'running' && !isEnding(model) && model.busy < model.maxWorkers) {
    const node = model.ready.pop();
    if (node === undefined) return;
    node.queued = false;
    if (node.state.kind !== 'ready') continue;
    const attempt = node.attempts + 1;
    const session = sessionId(model.run, node.task.id, attempt);
    into.record({ kind: 'task-starting', task: node.task.id, attempt, session });
  }
}

/** Ends the run when nothing is left that could still happen. */
function conclude(into: Recorder): void {
  const { model } = into;
  if (model.active > 0) return;
  if (model.state.kind === 'rolling-back') return continueRollback(into, model.state.then, model.state.reason);
  if (!isEnding(model) && model.open > 0) return;
  closeRest(into);
  const failed = reasonToFail(model);
  if (model.aborting !== null) return endBadly(into, 'aborted', model.aborting);
  if (failed !== null) return endBadly(into, 'failed', failed);
  const debts = model.nodes.filter((node) => node.state.kind === 'failed' && node.state.debt).length;
  into.record({ kind: 'run-completed', debts });
}

function closeRest(into: Recorder): void {
  const { winner, aborting, nodes } = into.model;
  const reason = aborting === null ? 'the run failed' : 'aborted';
  for (const node of nodes) {
    if (settled[node.state.kind]) continue;
    const task = node.task.id;
    const isLost = node.state.kind === 'lost';
    if (aborting === null && winner !== null && !isLost) {
      into.record({ kind: 'task-skipped', task, reason: { kind: 'not-needed', task: winner.task.id } });
    } else into.record({ kind: 'task-cancelled', task, reason });
  }
}

function reasonToFail(model: RunModel): string | null {
  if (model.winner !== null) return null;
  const failed = model.nodes.find((node) => node.state.kind === 'failed' && !node.state.debt);
  if (failed?.state.kind === 'failed') return `${failed.task.id} ${describeFailure(failed.state.failure)}`;
  return model.policy === 'first_success' && model.nodes.length > 0 ? 'no alternative succeeded' : null;
}

function endBadly(into: Recorder, then: 'failed' | 'aborted', reason: string): void {
  if (plannedRollbacks(into.model).length > 0) {
    into.record({ kind: 'run-rolling-back', then, reason });
    continueRollback(into, then, reason);
  } else into.record({ kind: then === 'failed' ? 'run-failed' : 'run-aborted', reason });
}

function continueRollback(into: Recorder, then: 'failed' | 'aborted', reason: string): void {
  const { model } = into;
  if (model.rollback !== null) return;
  const next = model.rollbacks[0];
  if (next === undefined) {
    return into.record({ kind: then === 'failed' ? 'run-failed' : 'run-aborted', reason });
  }
  const { node, index } = next;
  const attempt = node.rollbackAttempts + (index === 1 ? 1 : 0);
  const session = sessionId(model.run, rollbackTaskId(node.task.id, index), attempt);
  into.record({ kind: 'run-rollback-starting', task: node.task.id, index, attempt, session });
}

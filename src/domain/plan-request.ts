import type { RunId, TaskId } from './ids.ts';
import { fail, isOver, openRecorder, ready, stop, type Plan, type Recorder } from './plan.ts';
import { isActive, touch, type Clock, type RunModel, type TaskNode } from './plan-model.ts';
import type { RequestOutcome, RunRequest } from './request.ts';
import { settled } from './task.ts';

/** What became of a wish at once; `pending` is asked again after each planning, until it has an outcome. */
export interface RequestPlan {
  readonly plan: Plan;
  readonly outcome: RequestOutcome | 'pending';
  readonly check?: () => RequestOutcome | null;
}

/** Plans what a person wishes of the run: events and stops, and what the person is told. Refusals change nothing. */
export function planRequest(model: RunModel, request: RunRequest, by: string, clock: Clock): RequestPlan {
  const into = openRecorder(model, clock);
  const answer = decide(into, request, by);
  if (typeof answer === 'function') return { plan: into.plan, outcome: 'pending', check: answer };
  return { plan: into.plan, outcome: answer };
}

type Decision = RequestOutcome | (() => RequestOutcome | null);

function decide(into: Recorder, request: RunRequest, by: string): Decision {
  switch (request.kind) {
    case 'pause':
      return pause(into, by);
    case 'resume':
      return resume(into, by);
    case 'abort':
      return abort(into, request.reason);
    case 'retry':
      return request.task === null ? retryAll(into, by) : retry(into, request.task, request.withDependents, by);
    case 'mode':
      if (isOver(into.model)) return refused(`run ${into.model.run} has ended (${into.model.state.kind})`);
      into.record({ kind: 'run-mode-changed', mode: request.mode, room: request.room });
      return done(`run ${into.model.run} is now in ${request.mode} mode`);
    default:
      return decideTask(into, request, by);
  }
}

type TaskRequest = Extract<RunRequest, { readonly task: TaskId }>;

function decideTask(into: Recorder, request: Exclude<TaskRequest, { kind: 'retry' }>, by: string): Decision {
  const { model } = into;
  const node = model.byId.get(request.task);
  if (node === undefined) return refused(`run ${model.run} has no task "${request.task}"`);
  if (isOver(model))
    return refused(`run ${model.run} has ended (${model.state.kind}): cis dag retry ${name(into, node)}`);
  switch (request.kind) {
    case 'skip':
      return skip(into, node, by);
    case 'fail':
      return declareFailed(into, node, by);
    case 'confirm':
      return confirm(into, node, by);
    case 'reject':
      return reject(into, node, by);
    case 'vote':
      return vote(into, node, by, request.vote);
    case 'amend':
      return amend(into, node, request, by);
    case 'unblock':
      return whyNotUnblock(into, node);
  }
}

function pause(into: Recorder, by: string): Decision {
  const { state, run, aborting } = into.model;
  if (aborting !== null) return refused(beingAborted(into));
  if (state.kind === 'paused') return done(`run ${run} is already paused`);
  if (state.kind !== 'running' && state.kind !== 'created') return refused(`run ${run} is ${state.kind}`);
  into.record({ kind: 'run-paused', by });
  const { active } = into.model;
  const rest = active === 0 ? '' : `; ${active} running ${active === 1 ? 'session goes' : 'sessions go'} on`;
  return done(`run ${run} is paused: nothing new starts${rest}`);
}

function resume(into: Recorder, by: string): Decision {
  const { state, run, aborting } = into.model;
  if (aborting !== null) return refused(beingAborted(into));
  if (state.kind === 'running') return done(`run ${run} is running`);
  if (state.kind !== 'paused') return refused(`run ${run} is ${state.kind}, not paused`);
  into.record({ kind: 'run-resumed', by });
  return done(`run ${run} goes on`);
}

/** What has been aborted is not paused, resumed or retried until its end is written: the tasks it cancelled would never go on. */
function beingAborted({ model }: Recorder): string {
  return `run ${model.run} is being aborted: wait until that has ended`;
}

/** Decided when the run has ended, so that a driver that dies meanwhile finds the wish still open. */
function abort(into: Recorder, reason: string): Decision {
  const { model } = into;
  if (model.state.kind === 'aborted') return done(`run ${model.run} is already aborted`);
  if (isOver(model)) return refused(`run ${model.run} has already ended (${model.state.kind})`);
  if (model.state.kind === 'rolling-back' && model.state.then === 'failed') return refused(alreadyRollingBack(into));
  if (model.state.kind === 'created') {
    into.record({ kind: 'run-aborted', reason });
    return done(`run ${model.run} is aborted`);
  }
  model.aborting ??= reason;
  return () => (isOver(model) ? done(`run ${model.run} is ${model.state.kind}`) : null);
}

/** Half of an undoing would be worse than all of it: a command that hangs is ended on its own. */
function alreadyRollingBack({ model }: Recorder): string {
  const hangs = model.rollback === null ? '' : `; if its command hangs: cis dag kill ${model.rollback.session}`;
  return `run ${model.run} has failed and is being rolled back${hangs}`;
}

function retry(into: Recorder, task: TaskId, withDependents: boolean, by: string): Decision {
  const { model } = into;
  const node = model.byId.get(task);
  if (node === undefined) return refused(`run ${model.run} has no task "${task}"`);
  const unable = whyNotRetry(into, node, withDependents);
  if (unable !== null) return refused(unable);
  if (node.state.kind === 'waiting-retry') {
    ready(into, node, 'person');
    return done(`${name(into, node)} is tried again at once`);
  }
  const chosen = withDependents ? [node, ...descendants(node).filter((one) => settled[one.state.kind])] : [node];
  return reopen(into, chosen, by);
}

function whyNotRetry(into: Recorder, node: TaskNode, withDependents: boolean): string | null {
  const { state, aborting } = into.model;
  if (state.kind === 'completed') return `run ${into.model.run} has completed: start a new one`;
  if (aborting !== null && !isOver(into.model)) return beingAborted(into);
  if (state.kind === 'rolling-back') return `run ${into.model.run} is being rolled back: wait until that has ended`;
  switch (node.state.kind) {
    case 'failed':
    case 'skipped':
    case 'cancelled':
    case 'undecided':
    case 'waiting-retry':
      return null;
    case 'completed':
      return withDependents ? null : `${name(into, node)} has completed: add --with-dependents to do it again`;
    default:
      return `${name(into, node)} is ${node.state.kind}: there is nothing to retry`;
  }
}

/** Returns every task that directly or indirectly depends on the node. */
function descendants(node: TaskNode): TaskNode[] {
  const seen = new Set<TaskNode>();
  const open = [node];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const next of one.dependents) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return [...seen];
}

function retryAll(into: Recorder, by: string): Decision {
  const { model } = into;
  if (model.state.kind === 'completed') return refused(`run ${model.run} has completed: start a new one`);
  if (model.state.kind === 'rolling-back')
    return refused(`run ${model.run} is being rolled back: wait until that has ended`);
  if (model.aborting !== null && !isOver(model)) return refused(beingAborted(into));
  const chosen = model.nodes.filter((node) => node.state.kind === 'failed' || node.state.kind === 'undecided');
  if (chosen.length === 0 && !isOver(model)) return refused(`no task of run ${model.run} has failed`);
  return reopen(into, chosen, by);
}

/**
 * Puts tasks back to the start, and with them whatever was cancelled, skipped because of one of them, or undone by a rollback:
 * none of these had its turn.
 */
function reopen(into: Recorder, chosen: readonly TaskNode[], by: string): RequestOutcome {
  const { model } = into;
  const wasOver = isOver(model);
  if (wasOver) into.record({ kind: 'run-reopened', by });
  const all = new Set(chosen);
  for (const node of model.nodes) if (wasOver && deservesAnother(node)) all.add(node);
  for (const node of all) for (const next of descendants(node)) if (mustWaitAgain(next)) all.add(next);
  for (const node of all) if (node.rescuer !== null && settled[node.rescuer.state.kind]) all.add(node.rescuer);
  for (const node of all) into.record({ kind: 'task-reopened', task: node.task.id, by });
  const count = all.size === 1 ? '1 task' : `${all.size} tasks`;
  return done(`${count} of run ${model.run} will be done again`);
}

function deservesAnother(node: TaskNode): boolean {
  return node.state.kind === 'cancelled' || (node.rolledBack && settled[node.state.kind]);
}

/** What has not started waits for its dependency again; a session under way goes on. */
function mustWaitAgain(node: TaskNode): boolean {
  const { state } = node;
  if (state.kind === 'ready' || state.kind === 'gated' || state.kind === 'waiting-retry') return true;
  return state.kind === 'skipped' && state.reason.kind === 'dependency';
}

function skip(into: Recorder, node: TaskNode, by: string): Decision {
  if (settled[node.state.kind]) return refused(`${name(into, node)} is already ${node.state.kind}`);
  const said = done(`${name(into, node)} is skipped`);
  if (isActive(node)) {
    stop(into, node, { cause: 'skip', by });
    return () => (isActive(node) ? null : node.state.kind === 'skipped' ? said : endedFirst(into, node));
  }
  if (node.state.kind === 'lost') return refused(`${name(into, node)} is being decided: try again`);
  into.record({ kind: 'task-skipped', task: node.task.id, reason: { kind: 'person', by } });
  return said;
}

function endedFirst(into: Recorder, node: TaskNode): RequestOutcome {
  return refused(`${name(into, node)} ended first: it is ${node.state.kind}`);
}

function declareFailed(into: Recorder, node: TaskNode, by: string): Decision {
  const { state } = node;
  if (state.kind === 'blocked' && state.session === null) {
    fail(into, node, state.attempt, { kind: 'decided', by }, null);
    return done(`${name(into, node)} counts as failed`);
  }
  if (state.kind !== 'undecided')
    return refused(
      `${name(into, node)} is ${state.kind}: only an undecided task or a merge conflict is declared failed`,
    );
  fail(into, node, state.attempt, state.failure ?? { kind: 'decided', by }, null);
  return done(`${name(into, node)} counts as failed`);
}

/** Merge conflicts are looked into by the driver, because git must be asked; what comes here is none. */
function whyNotUnblock(into: Recorder, node: TaskNode): Decision {
  return refused(`${name(into, node)} has no merge conflict: it is ${node.state.kind}`);
}

function confirm(into: Recorder, node: TaskNode, by: string): Decision {
  const { state } = node;
  if (state.kind === 'undecided' && state.failure !== undefined) {
    const { attempt, failure } = state;
    into.record({ kind: 'task-failed', task: node.task.id, attempt, failure, debt: true, output: null });
    return done(`the failure of ${name(into, node)} is accepted`);
  }
  if (state.kind !== 'gated') return refused(`${name(into, node)} waits for no confirmation: it is ${state.kind}`);
  if (state.gate.kind === 'arbitrated') {
    return refused(`${name(into, node)} is voted on by ${state.gate.stakeholders.join(', ')}: cis dag vote`);
  }
  ready(into, node, 'gate');
  return done(`${name(into, node)} is confirmed by ${by}`);
}

function reject(into: Recorder, node: TaskNode, by: string): Decision {
  const { state } = node;
  if (state.kind === 'undecided') return declareFailed(into, node, by);
  if (state.kind !== 'gated') return refused(`${name(into, node)} waits for no confirmation: it is ${state.kind}`);
  if (state.gate.kind === 'arbitrated') {
    return refused(`${name(into, node)} is voted on by ${state.gate.stakeholders.join(', ')}: cis dag vote`);
  }
  if (state.gate.kind === 'recommended') {
    into.record({ kind: 'task-skipped', task: node.task.id, reason: { kind: 'gate', by } });
    return done(`${name(into, node)} is skipped`);
  }
  fail(into, node, node.attempts, { kind: 'rejected', by }, null);
  return done(`${name(into, node)} is rejected`);
}

/** More than half of the stakeholders must say yes; once that cannot happen any more, the task is rejected. */
function vote(into: Recorder, node: TaskNode, by: string, said: 'yes' | 'no'): Decision {
  const before = node.state;
  if (before.kind !== 'gated' || before.gate.kind !== 'arbitrated') {
    return refused(`${name(into, node)} is not voted on: it is ${before.kind}`);
  }
  const { stakeholders } = before.gate;
  if (!stakeholders.includes(by)) {
    return refused(
      `${by} has no vote on ${name(into, node)}: its stakeholders are ${stakeholders.join(', ')} (--as NAME)`,
    );
  }
  into.record({ kind: 'task-voted', task: node.task.id, by, vote: said });
  const votes = { ...before.gate.votes, [by]: said };
  const yes = stakeholders.filter((one) => votes[one] === 'yes').length;
  const no = stakeholders.filter((one) => votes[one] === 'no').length;
  if (yes * 2 > stakeholders.length) ready(into, node, 'gate');
  else if ((stakeholders.length - no) * 2 <= stakeholders.length) {
    fail(into, node, node.attempts, { kind: 'rejected', by: `vote (${no} of ${stakeholders.length})` }, null);
  }
  return done(`${by} votes ${said} on ${name(into, node)}: ${yes} yes, ${no} no, of ${stakeholders.length}`);
}

function amend(into: Recorder, node: TaskNode, request: Extract<RunRequest, { kind: 'amend' }>, by: string): Decision {
  const { change } = request;
  if (isActive(node))
    return refused(`${name(into, node)} is already running: kill it first, or amend and retry it later`);
  if (node.state.kind === 'completed') return refused(`${name(into, node)} has completed`);
  const wanted = change.kind === 'command' || change.kind === 'prompt' ? change.kind : null;
  const has = node.task.action.kind === 'command' ? 'command' : 'prompt';
  if (wanted !== null && wanted !== has) return refused(`${name(into, node)} has a ${has}, no ${wanted}`);
  into.record({ kind: 'task-amended', task: node.task.id, change, by });
  touch(into.model, node);
  return done(`${name(into, node)} is amended (${change.kind})`);
}

function name(into: Recorder, node: TaskNode): string {
  return `${into.model.run satisfies RunId}:${node.task.id}`;
}

function done(said: string): RequestOutcome {
  return { kind: 'done', said };
}

function refused(reason: string): RequestOutcome {
  return { kind: 'refused', reason };
}

import type { Block } from './block.ts';
import { formatDuration } from './duration.ts';
import type { CisEvent } from './event.ts';
import type { RunId, TaskId } from './ids.ts';
import type { SessionEnd } from './session.ts';
import type { Failure, Gate, SkipReason, TaskStateKind } from './task.ts';
import { unreachable } from './unreachable.ts';

/** What a person reads for each state of a task. */
export const stateWords = {
  pending: 'pending',
  gated: 'needs a word',
  ready: 'ready',
  starting: 'starting',
  running: 'running',
  blocked: 'waits for you',
  'waiting-retry': 'will retry',
  lost: 'lost',
  undecided: 'undecided',
  completed: 'done',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
} as const satisfies Record<TaskStateKind, string>;

function describeEnd(end: SessionEnd): string {
  switch (end.kind) {
    case 'exited':
      return `exit code ${end.code}`;
    case 'signalled':
      return `killed by ${end.signal}`;
    case 'killed':
      return `${killWords[end.by]} (${end.signal})`;
    case 'lost':
      return 'its session was lost';
    case 'not-started':
      return `not started: ${end.reason}`;
    default:
      return unreachable(end);
  }
}

const killWords = {
  user: 'killed by a person',
  timeout: 'killed for taking too long',
  abort: 'killed with the run',
  done: 'closed when it was done',
  'no-wait': 'stopped because nobody waits (--no-wait)',
  skip: 'stopped when it was skipped',
  'host-stop': 'killed with the host',
  superseded: 'killed in favour of a newer driver',
} as const;

export function describeFailure(failure: Failure): string {
  switch (failure.kind) {
    case 'session':
      return describeEnd(failure.end);
    case 'timeout':
      return `took longer than ${formatDuration(failure.afterMs)}`;
    case 'not-started':
      return `not started: ${failure.reason}`;
    case 'not-committed':
      return `its work could not be committed: ${failure.reason}`;
    case 'rejected':
      return `rejected by ${failure.by}`;
    case 'blocked-too-long':
      return `waited for an answer longer than ${formatDuration(failure.afterMs)}`;
    case 'decided':
      return `decided by ${failure.by}`;
    default:
      return unreachable(failure);
  }
}

/** Whether there is something to look at: a session that never started has left nothing. */
export function leftRecording(failure: Failure): boolean {
  return failure.kind !== 'not-started' && !(failure.kind === 'session' && failure.end.kind === 'not-started');
}

export function describeSkip(reason: SkipReason): string {
  switch (reason.kind) {
    case 'condition':
      return `condition not met: ${reason.text}`;
    case 'dependency':
      return `${reason.task} ${reason.state === 'failed' ? 'failed' : `was ${reason.state}`}`;
    case 'gate':
    case 'person':
      return `by ${reason.by}`;
    case 'not-needed':
      return `${reason.task} succeeded first`;
    case 'no-failure':
      return `${reason.task} did not fail`;
    default:
      return unreachable(reason);
  }
}

/** What a gate asks, at the instant `now`. */
export function describeGate(gate: Gate, now: number): string {
  switch (gate.kind) {
    case 'recommended':
      return `${defaultWords[gate.defaultAction]} in ${Math.max(0, Math.ceil((gate.until - now) / 1000))}s unless you say otherwise`;
    case 'confirmed':
      return 'may it start?';
    case 'arbitrated':
      return `vote: ${Object.keys(gate.votes).length} of ${gate.stakeholders.length} have voted (${gate.stakeholders.join(', ')})`;
    case 'failure':
      return `${gate.task} failed: go on without it?`;
    default:
      return unreachable(gate);
  }
}

const defaultWords = { execute: 'starts', skip: 'is skipped', abort: 'aborts the run' } as const;

/** The command that gives a gate its answer. */
export function gateCommand(gate: Gate, run: RunId, task: TaskId): string {
  return gate.kind === 'arbitrated' ? `cis dag vote ${run}:${task} yes|no` : `cis dag confirm|reject ${run}:${task}`;
}

/** Until when cis waits for a limit by itself, on the clock of this machine. */
export function describeWait(block: Block): string | null {
  if (block.waits !== true || block.until === undefined) return null;
  const until = new Date(block.until);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(until.getHours())}:${two(until.getMinutes())}`;
  const isFar = block.until - block.since > 20 * 3_600_000;
  return `waits until ${isFar ? `${until.getFullYear()}-${two(until.getMonth() + 1)}-${two(until.getDate())} ` : ''}${clock}`;
}

/** The command that answers a block. */
export function blockCommand(block: Block, run: RunId, task: TaskId): string {
  if (block.kind === 'merge-conflict') return `cis dag unblock ${run}:${task}`;
  if (block.kind === 'password' || block.kind === 'login') return `cis dag attach ${run}:${task}`;
  return `cis dag unblock ${run}:${task}${block.choices.length > 0 ? ' --choose N' : ''}`;
}

/** `[1 Yes] 2 No`: the choices as a person picks them, the preselected one in brackets. */
export function describeChoices(block: Block): string {
  const label = (index: number, text: string) => `${index + 1} ${text}`;
  return block.choices
    .map((choice, index) => (index === block.selected ? `[${label(index, choice.label)}]` : label(index, choice.label)))
    .join('  ');
}

function describeUnblocked({ answer, source }: Extract<CisEvent, { kind: 'session-unblocked' }>): string {
  if (answer === null) return source.via === 'screen' ? 'asks no more' : `answered in the terminal: ${source.by}`;
  return source.via === 'rule' ? `answered by the rule "${source.by}"` : `answered by ${source.by} (${source.via})`;
}

/** One line for an event, without its time and its task. */
export function describeEvent(event: CisEvent): string {
  switch (event.kind) {
    case 'run-created':
      return `created: ${event.dag}, ${event.tasks} ${event.tasks === 1 ? 'task' : 'tasks'}, ${event.mode}`;
    case 'run-started':
      return 'started';
    case 'run-paused':
    case 'run-resumed':
    case 'run-reopened':
      return `${event.kind.slice(4)} by ${event.by}`;
    case 'run-mode-changed':
      return `now ${event.mode}${event.room === null ? '' : ` in ${event.room}`}`;
    case 'run-driver-changed':
      return `driven by process ${event.pid} on ${event.host}`;
    case 'run-rolling-back':
      return `rolling back: ${event.reason}`;
    case 'run-completed':
      return event.debts === 0 ? 'completed' : `completed with ${event.debts} accepted failures`;
    case 'run-failed':
    case 'run-aborted':
      return `${event.kind.slice(4)}: ${event.reason}`;
    case 'task-gated':
      return event.gate.kind === 'recommended'
        ? `${defaultWords[event.gate.defaultAction]} soon unless you say otherwise`
        : `asks: ${describeGate(event.gate, 0)}`;
    case 'task-voted':
      return `${event.by} votes ${event.vote}`;
    case 'task-ready':
      return 'ready';
    case 'task-starting':
      return event.attempt === 1 ? 'starts' : `starts again, attempt ${event.attempt}`;
    case 'task-running':
      return `running, process ${event.pid}`;
    case 'task-blocked':
    case 'session-blocked':
      return `${describeWait(event.block) ?? 'waits for you'}: ${event.block.question}`;
    case 'task-unblocked':
      return 'goes on';
    case 'session-unblocked':
      return describeUnblocked(event);
    case 'task-completed':
      return 'done';
    case 'task-failed':
      return `failed: ${describeFailure(event.failure)}${event.debt ? ', accepted' : ''}`;
    case 'task-waiting-retry':
      return `will be tried again: ${describeFailure(event.failure)}`;
    case 'task-lost':
      return 'its session was lost';
    case 'task-undecided':
      if (event.failure !== undefined) return `${describeFailure(event.failure)}: what now?`;
      return 'its session was lost in the middle of the work: run it again?';
    case 'task-skipped':
      return `skipped: ${describeSkip(event.reason)}`;
    case 'task-cancelled':
      return `cancelled: ${event.reason}`;
    case 'task-reopened':
      return `will be done again, says ${event.by}`;
    case 'run-rollback-starting':
      return `undoes ${event.task}, step ${event.index}`;
    case 'run-rollback-ended':
      return `undoing ${event.task}, step ${event.index}: ${describeEnd(event.end)}`;
    case 'task-worktree-ready': {
      const kept = event.kept.length === 0 ? '' : `; what the attempt before left is kept on ${event.kept.join(', ')}`;
      return `worktree on ${event.branch} from ${event.base.slice(0, 12)}${kept}`;
    }
    case 'task-work-committed': {
      const files = event.files === 1 ? '1 file' : `${event.files} files`;
      return `ends at ${event.commit.slice(0, 12)} on ${event.branch}${event.files === 0 ? '' : `, ${files} committed by cis`}`;
    }
    case 'task-amended':
      return `${event.change.kind} changed by ${event.by}`;
    case 'session-started':
      return `session started, process ${event.pid}`;
    case 'session-ended':
      return `session ended: ${describeEnd(event.end)}`;
    case 'session-recording-truncated':
      return `recording shortened by ${event.droppedBytes} bytes`;
    case 'session-recording-failed':
      return `recording failed: ${event.reason}`;
    case 'task-found':
      return 'its node is there again: it goes on';
    case 'node-seen':
      return `node ${event.node} is there`;
    case 'node-lost':
      return `node ${event.node} is lost: ${event.reason}`;
    case 'node-given':
      return `given to ${event.node}${event.reason === undefined ? '' : ` (${event.reason})`}`;
    case 'node-refused':
      return `given back by ${event.node}: ${event.reason}`;
    case 'node-ignored':
      return `not taken from ${event.node}: ${event.reason}`;
    case 'node-missing':
      return `no node for it: ${event.reason}`;
    default:
      return unreachable(event);
  }
}

/** Whom an event is about: its session, its task, else nothing. */
export function subjectOf(event: CisEvent): string {
  if ('session' in event && !('task' in event)) return event.session;
  return 'task' in event ? event.task : '';
}

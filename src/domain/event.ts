import type { Answer, AnswerSource, Block } from './block.ts';
import type { BlockId, RunId, SessionId, TaskId } from './ids.ts';
import type { RunMode } from './run.ts';
import type { SessionEnd } from './session.ts';
import type { Failure, Gate, SkipReason } from './task.ts';

/** A past fact in the log. Whatever cis shows, sends or decides is computed from these. */
export interface LoggedEvent {
  /** Position in the log of this home: strictly increasing, with gaps. */
  readonly seq: number;
  readonly run: RunId;
  readonly at: number;
  readonly event: CisEvent;
}

export type CisEvent = RunEvent | TaskEvent | SessionEvent | NodeEvent;

export type RunEvent =
  | { readonly kind: 'run-created'; readonly dag: string; readonly tasks: number; readonly mode: RunMode }
  | { readonly kind: 'run-started' }
  | { readonly kind: 'run-paused'; readonly by: string }
  | { readonly kind: 'run-resumed'; readonly by: string }
  | { readonly kind: 'run-mode-changed'; readonly mode: RunMode; readonly room: string | null }
  | { readonly kind: 'run-driver-changed'; readonly epoch: number; readonly pid: number; readonly host: string }
  | { readonly kind: 'run-rolling-back'; readonly then: 'failed' | 'aborted'; readonly reason: string }
  /** Rollback command `index` (from 1) of a completed task is about to run in `session`. */
  | {
      readonly kind: 'run-rollback-starting';
      readonly task: TaskId;
      readonly index: number;
      readonly attempt: number;
      readonly session: SessionId;
    }
  | {
      readonly kind: 'run-rollback-ended';
      readonly task: TaskId;
      readonly index: number;
      readonly session: SessionId;
      readonly end: SessionEnd;
    }
  | { readonly kind: 'run-completed'; readonly debts: number }
  | { readonly kind: 'run-failed'; readonly reason: string }
  | { readonly kind: 'run-aborted'; readonly reason: string }
  | { readonly kind: 'run-reopened'; readonly by: string };

export type TaskEvent =
  | { readonly kind: 'task-gated'; readonly task: TaskId; readonly gate: Gate }
  | { readonly kind: 'task-voted'; readonly task: TaskId; readonly by: string; readonly vote: 'yes' | 'no' }
  | { readonly kind: 'task-ready'; readonly task: TaskId; readonly why: ReadyCause }
  | { readonly kind: 'task-starting'; readonly task: TaskId; readonly attempt: number; readonly session: SessionId }
  | { readonly kind: 'task-running'; readonly task: TaskId; readonly attempt: number; readonly pid: number }
  | { readonly kind: 'task-blocked'; readonly task: TaskId; readonly attempt: number; readonly block: Block }
  | { readonly kind: 'task-unblocked'; readonly task: TaskId; readonly attempt: number; readonly block: BlockId }
  | {
      readonly kind: 'task-completed';
      readonly task: TaskId;
      readonly attempt: number;
      readonly output: OutputSummary;
    }
  | {
      readonly kind: 'task-failed';
      readonly task: TaskId;
      readonly attempt: number;
      readonly failure: Failure;
      readonly debt: boolean;
      readonly output: OutputSummary | null;
    }
  | {
      readonly kind: 'task-waiting-retry';
      readonly task: TaskId;
      readonly attempt: number;
      readonly failure: Failure;
      readonly retryAt: number;
    }
  | { readonly kind: 'task-lost'; readonly task: TaskId; readonly attempt: number }
  /** A person must decide: `failure` is what `on_failure = "ask"` asks about; without one, the attempt was lost. */
  | { readonly kind: 'task-undecided'; readonly task: TaskId; readonly attempt: number; readonly failure?: Failure }
  | { readonly kind: 'task-skipped'; readonly task: TaskId; readonly reason: SkipReason }
  | { readonly kind: 'task-cancelled'; readonly task: TaskId; readonly reason: string }
  /** `dag retry` and `dag execute --run-id`: the task is to be done again, as if it had not been reached yet. */
  | { readonly kind: 'task-reopened'; readonly task: TaskId; readonly by: string }
  /** Its worktree is there; `kept` are branches with what an earlier attempt left. */
  | {
      readonly kind: 'task-worktree-ready';
      readonly task: TaskId;
      readonly attempt: number;
      readonly path: string;
      readonly branch: string;
      readonly base: string;
      readonly kept: readonly string[];
    }
  /** What it left in its worktree is committed; `files` of it by cis. */
  | {
      readonly kind: 'task-work-committed';
      readonly task: TaskId;
      readonly attempt: number;
      readonly branch: string;
      readonly commit: string;
      readonly files: number;
    }
  /** An attempt that was undecided because its node was silent: the node is there, and the attempt is its own again. */
  | { readonly kind: 'task-found'; readonly task: TaskId; readonly attempt: number; readonly session: SessionId }
  | { readonly kind: 'task-amended'; readonly task: TaskId; readonly change: Amendment; readonly by: string };

export type ReadyCause = 'dependencies' | 'gate' | 'retry' | 'lost' | 'person' | 'rescue';

export type SessionEvent =
  | { readonly kind: 'session-started'; readonly session: SessionId; readonly pid: number }
  | { readonly kind: 'session-ended'; readonly session: SessionId; readonly end: SessionEnd }
  | { readonly kind: 'session-blocked'; readonly session: SessionId; readonly block: Block }
  | {
      readonly kind: 'session-unblocked';
      readonly session: SessionId;
      readonly block: BlockId;
      readonly answer: Answer | null;
      readonly source: AnswerSource;
    }
  | { readonly kind: 'session-recording-truncated'; readonly session: SessionId; readonly droppedBytes: number }
  | { readonly kind: 'session-recording-failed'; readonly session: SessionId; readonly reason: string };

/** What happens between a coordinator and the nodes of its room. `node` is what a node calls itself, `did` who it is. */
export type NodeEvent =
  | { readonly kind: 'node-seen'; readonly node: string; readonly did: string }
  /** Not heard for so long that its attempts count as lost. */
  | { readonly kind: 'node-lost'; readonly node: string; readonly did: string; readonly reason: string }
  /** An attempt was given to a node; `reason` says when it is not what the task asked for first. */
  | {
      readonly kind: 'node-given';
      readonly session: SessionId;
      readonly node: string;
      readonly did: string;
      readonly epoch: number;
      readonly reason?: string;
    }
  /** A node gave an attempt back, or what it said was not taken. */
  | {
      readonly kind: 'node-refused' | 'node-ignored';
      readonly session: SessionId;
      readonly node: string;
      readonly did: string;
      readonly epoch: number;
      readonly reason: string;
    }
  /** No node that is known may run an attempt; it waits for one. */
  | { readonly kind: 'node-missing'; readonly session: SessionId; readonly reason: string };

export interface OutputSummary {
  readonly bytes: number;
  /** Bytes of the whole, when more than is kept. */
  readonly cutFrom: number | null;
  readonly source: 'file' | 'message' | 'screen' | 'none';
}

export type Amendment =
  | { readonly kind: 'command' | 'prompt'; readonly text: string }
  | { readonly kind: 'env'; readonly name: string; readonly value: string }
  | { readonly kind: 'timeout'; readonly timeoutMs: number | null };

export type Category = 'run' | 'task' | 'session' | 'node';

/** Each kind belongs to one category, usable as a filter. */
export function categoryOf(kind: CisEvent['kind']): Category {
  const word = kind.slice(0, kind.indexOf('-'));
  return word as Category;
}

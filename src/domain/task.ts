import type { Block } from './block.ts';
import type { SessionId, TaskId } from './ids.ts';
import type { SessionEnd } from './session.ts';

/**
 * One vertex of a run.
 *
 *   pending ─▶ gated ─▶ ready ─▶ starting ─▶ running ⇄ blocked ─▶ completed ⎫
 *      │         │        ▲          │          │  │                failed    ⎪
 *      │         │        │          │          │  └─▶ waiting-retry ─▶ ready ⎬─▶ pending  (`dag retry`)
 *      │         │        │          └──────────┴────▶ lost ─▶ undecided      ⎪
 *      └─────────┴────────┴─────────────────────────▶ skipped, cancelled      ⎭
 */
export type TaskState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'gated'; readonly gate: Gate }
  | { readonly kind: 'ready' }
  | { readonly kind: 'starting'; readonly attempt: number; readonly session: SessionId; readonly startedAt: number }
  | {
      readonly kind: 'running';
      readonly attempt: number;
      readonly session: SessionId;
      readonly startedAt: number;
      readonly pid: number;
    }
  | {
      readonly kind: 'blocked';
      readonly attempt: number;
      /** A merge conflict has none. */
      readonly session: SessionId | null;
      readonly startedAt: number;
      readonly block: Block;
    }
  | { readonly kind: 'waiting-retry'; readonly attempt: number; readonly retryAt: number; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly attempt: number }
  /** `failure`: what `on_failure = "ask"` asks about; without one, the attempt was lost. */
  | { readonly kind: 'undecided'; readonly attempt: number; readonly failure?: Failure }
  | { readonly kind: 'completed'; readonly attempt: number; readonly startedAt: number; readonly endedAt: number }
  | {
      readonly kind: 'failed';
      readonly attempt: number;
      readonly endedAt: number;
      readonly failure: Failure;
      /** An accepted failure: the run goes on as if it had not mattered, and says so at the end. */
      readonly debt: boolean;
    }
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  | { readonly kind: 'cancelled'; readonly reason: string };

export type TaskStateKind = TaskState['kind'];

/** What a task waits for before it may start. */
export type Gate =
  | { readonly kind: 'recommended'; readonly until: number; readonly defaultAction: 'execute' | 'skip' | 'abort' }
  | { readonly kind: 'confirmed' }
  | {
      readonly kind: 'arbitrated';
      readonly stakeholders: readonly string[];
      readonly votes: Readonly<Record<string, 'yes' | 'no'>>;
    }
  /** `on_failure = "ask"`: a person decides what the failure of `task` does to the rest. */
  | { readonly kind: 'failure'; readonly task: TaskId };

/** Why an attempt did not complete. */
export type Failure =
  | { readonly kind: 'session'; readonly end: SessionEnd }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  /** It never ran: the working directory is missing, the program was not found, the gate said no, … */
  | { readonly kind: 'not-started'; readonly reason: string }
  | { readonly kind: 'rejected'; readonly by: string }
  /** It ended well, but what it left in its worktree could not be committed. */
  | { readonly kind: 'not-committed'; readonly reason: string }
  | { readonly kind: 'blocked-too-long'; readonly afterMs: number }
  | { readonly kind: 'decided'; readonly by: string };

export type SkipReason =
  | { readonly kind: 'condition'; readonly text: string }
  | { readonly kind: 'dependency'; readonly task: TaskId; readonly state: 'failed' | 'skipped' | 'cancelled' }
  | { readonly kind: 'gate'; readonly by: string }
  | { readonly kind: 'person'; readonly by: string }
  /** `first_success`: another task already won. */
  | { readonly kind: 'not-needed'; readonly task: TaskId }
  /** A rescue task whose task did not fail. */
  | { readonly kind: 'no-failure'; readonly task: TaskId };

/** A transition that is not here cannot happen. `blocked` goes back to `starting` when a merge conflict was resolved, `undecided` when a node that was silent is heard again. Back to `pending` goes only what a person reopens (`task-reopened`). */
export const taskTransitions = {
  pending: ['gated', 'ready', 'skipped', 'failed', 'cancelled'],
  gated: ['ready', 'pending', 'skipped', 'failed', 'cancelled'],
  ready: ['starting', 'pending', 'skipped', 'cancelled'],
  starting: ['running', 'blocked', 'completed', 'failed', 'skipped', 'cancelled', 'waiting-retry', 'lost', 'undecided'],
  running: ['blocked', 'completed', 'failed', 'skipped', 'cancelled', 'waiting-retry', 'lost', 'undecided'],
  blocked: ['running', 'starting', 'completed', 'failed', 'skipped', 'cancelled', 'waiting-retry', 'lost', 'undecided'],
  'waiting-retry': ['ready', 'pending', 'skipped', 'cancelled'],
  lost: ['ready', 'pending', 'waiting-retry', 'undecided', 'failed', 'cancelled'],
  undecided: ['ready', 'pending', 'starting', 'skipped', 'failed', 'cancelled'],
  completed: ['pending'],
  failed: ['ready', 'pending'],
  skipped: ['pending'],
  cancelled: ['pending'],
} as const satisfies Record<TaskStateKind, readonly TaskStateKind[]>;

/** States from which a task moves no further by itself. */
export const settled = {
  pending: false,
  gated: false,
  ready: false,
  starting: false,
  running: false,
  blocked: false,
  'waiting-retry': false,
  lost: false,
  undecided: false,
  completed: true,
  failed: true,
  skipped: true,
  cancelled: true,
} as const satisfies Record<TaskStateKind, boolean>;

/** Says whether a task is blocked by a limit whose end cis waits for: no person is needed. */
export function waitsByItself(state: TaskState): boolean {
  return state.kind === 'blocked' && state.block.waits === true;
}

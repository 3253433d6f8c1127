import type { Block } from './block.ts';

/**
 * One PTY process and its screen.
 *
 *   spawning → running ⇄ blocked → stopping → ended
 *
 * Attachment is beside it (who, how many, read-only), not a state.
 */
export type SessionState =
  | { readonly kind: 'spawning' }
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'blocked'; readonly pid: number; readonly block: Block }
  | { readonly kind: 'stopping'; readonly pid: number; readonly killAt: number }
  | { readonly kind: 'ended'; readonly end: SessionEnd };

/** The one reason for which a session ended, set by whoever was first. */
export type SessionEnd =
  | { readonly kind: 'exited'; readonly code: number }
  /** Died by a signal that cis did not send. */
  | { readonly kind: 'signalled'; readonly signal: string }
  /** cis ended it: `by` says on whose word. */
  | { readonly kind: 'killed'; readonly by: KillCause; readonly signal: string }
  /** The host died with it; what became of the process is not known. */
  | { readonly kind: 'lost' }
  /** The process could not be started at all. */
  | { readonly kind: 'not-started'; readonly reason: string };

export type KillCause = 'user' | 'timeout' | 'abort' | 'done' | 'no-wait' | 'skip' | 'host-stop' | 'superseded';

export const sessionTransitions = {
  spawning: ['running', 'ended'],
  running: ['blocked', 'stopping', 'ended'],
  blocked: ['running', 'stopping', 'ended'],
  stopping: ['ended'],
  ended: [],
} as const satisfies Record<SessionState['kind'], readonly SessionState['kind'][]>;

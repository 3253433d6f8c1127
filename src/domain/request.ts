import type { Amendment } from './event.ts';
import type { RunMode } from './run.ts';
import type { TaskId } from './ids.ts';

/**
 * What a person wishes of a run, from any terminal or room. It is written into the database first, then whoever drives the
 * run is woken; its outcome is written beside it. Without a driver, the command itself takes the lease and applies it.
 */
export type RunRequest =
  | { readonly kind: 'pause' | 'resume' }
  | { readonly kind: 'abort'; readonly reason: string }
  | { readonly kind: 'retry'; readonly task: TaskId | null; readonly withDependents: boolean }
  | { readonly kind: 'skip' | 'fail'; readonly task: TaskId }
  /** A merge conflict was resolved in the task's worktree: the driver looks, and goes on. */
  | { readonly kind: 'unblock'; readonly task: TaskId }
  | { readonly kind: 'amend'; readonly task: TaskId; readonly change: Amendment }
  | { readonly kind: 'confirm' | 'reject'; readonly task: TaskId }
  | { readonly kind: 'vote'; readonly task: TaskId; readonly vote: 'yes' | 'no' }
  | { readonly kind: 'mode'; readonly mode: RunMode; readonly room: string | null };

export type RequestOutcome =
  | { readonly kind: 'done'; readonly said: string }
  | { readonly kind: 'refused'; readonly reason: string };

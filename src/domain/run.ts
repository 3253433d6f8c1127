import type { Dag, MatrixSettings } from './dag.ts';
import type { RunId } from './ids.ts';
import type { Repository } from './workspace.ts';

/**
 * One execution of a DAG.
 *
 *   created ─▶ running ⇄ paused ─▶ rolling-back ─▶ failed | aborted
 *                 └────────┴─────▶ completed | failed | aborted
 *   failed | aborted ─▶ running   (`dag retry`, `dag execute --run-id`)
 */
export type RunState =
  | { readonly kind: 'created' }
  | { readonly kind: 'running' }
  | { readonly kind: 'paused'; readonly by: string }
  | { readonly kind: 'rolling-back'; readonly then: 'failed' | 'aborted'; readonly reason: string }
  | { readonly kind: 'completed'; readonly endedAt: number }
  | { readonly kind: 'failed'; readonly endedAt: number; readonly reason: string }
  | { readonly kind: 'aborted'; readonly endedAt: number; readonly reason: string };

export type RunMode = 'local' | 'hybrid' | 'matrix';

export const runTransitions = {
  created: ['running', 'paused', 'aborted'],
  running: ['paused', 'rolling-back', 'completed', 'failed', 'aborted'],
  paused: ['running', 'rolling-back', 'completed', 'failed', 'aborted'],
  'rolling-back': ['failed', 'aborted'],
  completed: [],
  failed: ['running'],
  aborted: ['running'],
} as const satisfies Record<RunState['kind'], readonly RunState['kind'][]>;

/** What a run was started with; it never changes but for `mode` and `room`, which have events of their own. */
export interface RunSettings {
  readonly run: RunId;
  readonly dag: Dag;
  readonly mode: RunMode;
  readonly room: string | null;
  readonly matrix: MatrixSettings;
  readonly vars: Readonly<Record<string, string>>;
  readonly maxWorkers: number;
  /** For tasks that name none. */
  readonly defaultAgent: string | null;
  readonly agentMode: 'oneshot' | 'interactive';
  readonly createdAt: number;
  /** Of the tasks with a worktree, where there was one when the run was made. */
  readonly repositories?: readonly Repository[];
}

import type { Dag, MatrixSettings, Task } from './dag.ts';
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
  /** For tasks that name none; what `--agent`, the environment, the file and the config say of it is settled here. */
  readonly defaultAgent: string | null;
  readonly agentMode: 'oneshot' | 'interactive';
  readonly createdAt: number;
  /** Of the tasks with a worktree, where there was one when the run was made. */
  readonly repositories?: readonly Repository[];
}

/** The agent of a task: its own, that of the conversation it carries on, else the default; null for a command, or when there is none. */
export function agentOf({ dag, defaultAgent }: Pick<RunSettings, 'dag' | 'defaultAgent'>, task: Task): string | null {
  for (let one: Task | undefined = task, hops = 0; one !== undefined && hops <= dag.tasks.length; hops++) {
    const { action, reuseAgent }: Task = one;
    if (action.kind === 'command') return null;
    if (action.agent !== undefined) return action.agent;
    if (reuseAgent === undefined) break;
    one = dag.tasks.find(({ id }) => id === reuseAgent);
  }
  return defaultAgent;
}

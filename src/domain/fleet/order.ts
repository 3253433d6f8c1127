import type { AgentMode, Dag, MatrixSettings, Task } from '../dag.ts';
import type { OutputSummary } from '../event.ts';
import type { RunId, TaskId } from '../ids.ts';
import type { SessionEnd } from '../session.ts';
import type { LargeRef, TravellingFile, WorkspaceResult, WorkspaceSource } from './travel.ts';

/**
 * All that a node must know to run one attempt as the coordinator's home would have. It travels as canonical JSON text within
 * `cis.dag.task.assigned`, or through the media store when it is large.
 */
export interface TaskOrder {
  readonly run: RunId;
  readonly attempt: number;
  /** Absent: the task itself; else its rollback command of that number (from 1). */
  readonly rollback?: number;
  readonly task: Task;
  /** The task and those whose outputs it may see, the latter without what they do; the file's settings. */
  readonly dag: Dag;
  readonly vars: Readonly<Record<string, string>>;
  readonly defaultAgent: string | null;
  readonly agentMode: AgentMode;
  readonly matrix: MatrixSettings;
  /** What tasks before it left, where it may see that. */
  readonly upstream: Readonly<Record<TaskId, UpstreamOutput>>;
  /** Where its files come from, when it works in a worktree. */
  readonly source?: WorkspaceSource;
}

/** The output of a task before this one. */
export interface UpstreamOutput {
  readonly attempt: number;
  readonly bytes: number;
  /** Absent: it lies in the media store. */
  readonly text?: string;
  readonly media?: LargeRef;
  readonly files: readonly TravellingFile[];
}

export type ErrorClass = 'infra' | 'auth' | 'task' | 'policy' | 'blocked';

/** What became of an attempt, as its node tells it. */
export interface TaskReport {
  readonly end: SessionEnd;
  readonly errorClass?: ErrorClass;
  readonly reason?: string;
  readonly startedAt?: number;
  readonly endedAt: number;
  readonly output: OutputSummary & { readonly text?: string; readonly media?: LargeRef };
  readonly files: readonly TravellingFile[];
  /** What it committed in its worktree. */
  readonly work?: WorkspaceResult;
}

/** One attempt under one grant. A grant with a higher epoch makes this one void, for the coordinator and for its node. */
export interface GrantId {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly epoch: number;
}

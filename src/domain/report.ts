import type { SessionId, TaskId } from './ids.ts';
import type { RunPicture, TaskPicture } from './picture.ts';
import type { TaskStateKind } from './task.ts';
import { describeFailure, describeSkip, leftRecording } from './words.ts';

/** How a run went, task by task, as the end of `dag run`, `dag status` and `--json` say it. */
export interface Report {
  readonly run: RunPicture['run'];
  readonly dag: string;
  readonly state: RunPicture['state'];
  readonly reason: string | null;
  readonly durationMs: number | null;
  readonly counts: Readonly<Partial<Record<TaskStateKind, number>>>;
  /** Failures that were accepted. */
  readonly debts: number;
  readonly tasks: readonly TaskReport[];
}

export interface TaskReport {
  readonly task: TaskId;
  readonly state: TaskStateKind;
  readonly attempts: number;
  readonly durationMs: number | null;
  readonly session: SessionId | null;
  /** False when its session never started: there are no logs to look at. */
  readonly hasRecording: boolean;
  /** Why it failed, was skipped or cancelled. */
  readonly why: string | null;
  readonly debt: boolean;
}

/** Folds the last picture of a run into its report. */
export function buildReport(picture: RunPicture): Report {
  const tasks = [...picture.tasks.values()].map(reportTask);
  const { run, dag, state, reason, startedAt, endedAt } = picture;
  const counts = Object.fromEntries(
    [...picture.byKind].filter(([, set]) => set.size > 0).map(([kind, set]) => [kind, set.size]),
  );
  const debts = tasks.filter((task) => task.debt).length;
  return { run, dag, state, reason, durationMs: between(startedAt, endedAt), counts, debts, tasks };
}

/** Those that failed for good, in the order of the file. */
export function failedTasks(report: Report): TaskReport[] {
  return report.tasks.filter((task) => task.state === 'failed' && !task.debt);
}

function reportTask(task: TaskPicture): TaskReport {
  const { detail } = task;
  return {
    task: task.task,
    state: task.kind,
    attempts: task.attempt,
    durationMs: between(task.startedAt, task.endedAt),
    session: task.session,
    hasRecording: task.attempt > 0 && !(detail.kind === 'failure' && !leftRecording(detail.failure)),
    why: describeDetail(task),
    debt: detail.kind === 'failure' && detail.debt,
  };
}

function describeDetail({ detail }: TaskPicture): string | null {
  if (detail.kind === 'failure') return describeFailure(detail.failure);
  if (detail.kind === 'skip') return describeSkip(detail.reason);
  return detail.kind === 'reason' ? detail.text : null;
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}

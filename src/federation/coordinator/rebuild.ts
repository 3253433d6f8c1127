import type { Did } from '../../domain/fleet/did.ts';
import { coordinatorEpochAbove } from '../../domain/fleet/epoch.ts';
import type { TaskReport } from '../../domain/fleet/order.ts';
import type { LargeRef } from '../../domain/fleet/travel.ts';
import { sessionId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import type { TaskStateKind } from '../../domain/task.ts';
import type { MachineContent, MachineEvent } from '../../matrix/events/index.ts';
import { readResultWords } from '../runner/words.ts';

/** One event of the room's history whose signature was checked. */
export interface PastEvent {
  readonly did: Did;
  readonly event: MachineEvent;
  /** Its sender counts here as what. */
  readonly isCoordinator: boolean;
  readonly isWorker: boolean;
}

export interface PastTask {
  readonly status: TaskStateKind;
  readonly attempt: number;
  readonly at: number;
  readonly reason: string | null;
  readonly exitCode: number | null;
}

/** Who was last given an attempt. */
export interface PastLease {
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  readonly epoch: number;
  /** Null: it was offered to all, and granted to nobody. */
  readonly did: Did | null;
}

/** The order of an attempt: its text, or where in the media store that lies. */
export type PastOrder = string | LargeRef;

/** A run as its room tells it. */
export interface PastRun {
  readonly created: MachineContent<'cis.dag.run.created'>;
  readonly coordinator: Did;
  /** The epoch a new coordinator must have. */
  readonly nextEpoch: number;
  readonly isStarted: boolean;
  readonly pausedBy: string | null;
  readonly end: 'completed' | 'failed' | 'aborted' | null;
  readonly tasks: ReadonlyMap<TaskId, PastTask>;
  readonly leases: ReadonlyMap<SessionId, PastLease>;
  /** The newest of each attempt. */
  readonly orders: ReadonlyMap<SessionId, PastOrder>;
  /** Of attempts that count: what their nodes reported under the epoch that was theirs. */
  readonly reports: ReadonlyMap<SessionId, { readonly did: Did; readonly report: TaskReport }>;
}

/**
 * Makes a run again from the history of its room, in the order of the room. Of several coordinators the one with the highest epoch
 * is right, at every point: what an older one said after that is not taken. Null: nobody who is trusted ever made the run known.
 */
export function rebuildRun(run: RunId, history: readonly PastEvent[]): PastRun | null {
  let created: PastRun['created'] | null = null;
  let coordinator: Did | null = null;
  let highest = 0;
  let isStarted = false;
  let pausedBy: string | null = null;
  let end: PastRun['end'] = null;
  const epochs: number[] = [];
  const tasks = new Map<TaskId, PastTask>();
  const leases = new Map<SessionId, PastLease>();
  const orders = new Map<SessionId, PastOrder>();
  const results: { did: Did; words: MachineContent<'cis.dag.task.result'>['results'][number] }[] = [];

  const grant = (did: Did | null, one: { task_id: string; attempt: number; epoch: number }): void => {
    epochs.push(one.epoch);
    const task = one.task_id as TaskId;
    const session = sessionId(run, task, one.attempt);
    const before = leases.get(session);
    if (before === undefined || before.epoch < one.epoch)
      leases.set(session, { task, attempt: one.attempt, session, epoch: one.epoch, did });
  };
  const isCurrent = (past: PastEvent): boolean => past.isCoordinator && past.did === coordinator;

  for (const past of history) {
    const { event, did } = past;
    switch (event.type) {
      case 'cis.dag.run.created':
        if (event.content.run_id !== run || !past.isCoordinator) break;
        if (
          event.content.epoch < highest ||
          (event.content.epoch === highest && coordinator !== null && did < coordinator)
        )
          break;
        created = event.content;
        coordinator = did;
        highest = event.content.epoch;
        break;
      case 'cis.dag.run.started':
        if (event.content.run_id !== run || !isCurrent(past)) break;
        isStarted = true;
        end = null;
        break;
      case 'cis.dag.run.paused':
      case 'cis.dag.run.resumed':
        if (event.content.run_id === run && isCurrent(past))
          pausedBy = event.type === 'cis.dag.run.paused' ? event.content.by : null;
        break;
      case 'cis.dag.run.completed':
      case 'cis.dag.run.failed':
      case 'cis.dag.run.aborted':
        if (event.content.run_id === run && isCurrent(past)) end = lastWord(event.type);
        break;
      case 'cis.dag.task.assigned':
        if (event.content.run_id !== run || !isCurrent(past)) break;
        for (const one of event.content.assignments) {
          grant(one.to === '*' ? null : (one.to as Did), one);
          const order = one.order ?? one.order_media;
          if (order !== undefined) orders.set(sessionId(run, one.task_id as TaskId, one.attempt), order);
        }
        break;
      case 'cis.dag.task.granted':
        if (event.content.run_id !== run || !isCurrent(past)) break;
        for (const one of event.content.grants) grant(one.to as Did, one);
        break;
      case 'cis.dag.task.status':
        if (event.content.run_id !== run || !isCurrent(past)) break;
        for (const one of event.content.tasks) {
          tasks.set(one.task_id as TaskId, {
            status: one.status,
            attempt: one.attempt,
            at: one.at ?? event.content.at,
            reason: one.reason ?? null,
            exitCode: one.exit_code ?? null,
          });
        }
        break;
      case 'cis.dag.task.result':
        if (!past.isWorker) break;
        for (const words of event.content.results) if (words.run_id === run) results.push({ did, words });
        break;
      default:
        break;
    }
  }
  if (created === null || coordinator === null) return null;
  const reports = new Map<SessionId, { did: Did; report: TaskReport }>();
  for (const { did, words } of results) {
    const session = sessionId(run, words.task_id as TaskId, words.attempt);
    const lease = leases.get(session);
    const report = readResultWords(words);
    if (report === null || lease?.did !== did || lease.epoch !== words.epoch || reports.has(session)) continue;
    reports.set(session, { did, report });
  }
  const nextEpoch = Math.max(coordinatorEpochAbove(epochs, highest), highest + 1);
  return { created, coordinator, nextEpoch, isStarted, pausedBy, end, tasks, leases, orders, reports };
}

function lastWord(type: string): 'completed' | 'failed' | 'aborted' {
  const word = type.slice(type.lastIndexOf('.') + 1);
  return word === 'completed' || word === 'failed' ? word : 'aborted';
}

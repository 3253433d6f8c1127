import type { TaskOrder, TaskReport } from '../domain/fleet/order.ts';
import type { RunId, SessionId, TaskId } from '../domain/ids.ts';
import type { LargeRef } from '../domain/fleet/travel.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/**
 * What this home's node has to do with one attempt:
 *
 *   offered ─▶ held ─▶ asked ─▶ ended ─▶ told ─▶ over
 *      └────────┴───────┴────────┴────────┴───────┘
 */
export type WorkState =
  /** Offered to all: claimed, and not granted yet. */
  | { readonly kind: 'offered' }
  /** Ours; it waits for a slot, or for its files. */
  | { readonly kind: 'held' }
  /** The host was asked for the session: from here on the journal knows, and up to `seq` it was taken. */
  | { readonly kind: 'asked'; readonly startedAt: number; readonly cwd: string; readonly seq: number }
  /** Its report waits to be told. */
  | { readonly kind: 'ended'; readonly report: TaskReport }
  /** It is in the outbox row, which may wait long: until it is sent we still have it. */
  | { readonly kind: 'told'; readonly report: TaskReport; readonly row: number | null }
  /** `report`: it was told; null: it was given back, or it went to another. */
  | { readonly kind: 'over'; readonly report: TaskReport | null };

/** An order, or where it lies when it is large. */
export type OrderPlace =
  | { readonly kind: 'here'; readonly order: TaskOrder }
  | { readonly kind: 'media'; readonly media: LargeRef };

export interface WorkRow {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  readonly epoch: number;
  readonly state: WorkState;
  readonly place: OrderPlace | null;
}

interface RawWork {
  run_id: RunId;
  task_id: TaskId;
  attempt: number;
  session: SessionId;
  epoch: number;
  body: string;
  taken_order: string | null;
}

/** What is not over, oldest first. */
export function listOpenWork(db: Db): WorkRow[] {
  return (db.prepare(`SELECT * FROM node_leases WHERE state != 'over' ORDER BY at`).all() as RawWork[]).map(fromRaw);
}

export function readWork(db: Db, session: SessionId): WorkRow | null {
  const row = db.prepare('SELECT * FROM node_leases WHERE session = ?').get(session) as RawWork | undefined;
  return row === undefined ? null : fromRaw(row);
}

/** Writes how an attempt stands; an order that is of no use any more is dropped with its end. */
export function writeWork(db: Db, row: WorkRow, now: number): void {
  const { run, task, attempt, session, epoch, state, place } = row;
  db.prepare(
    `INSERT INTO node_leases (run_id, task_id, attempt, session, epoch, state, body, taken_order, at)
     VALUES (@run, @task, @attempt, @session, @epoch, @kind, @body, @order, @now)
     ON CONFLICT (run_id, task_id, attempt) DO UPDATE SET epoch = @epoch, state = @kind, body = @body, taken_order = @order`,
  ).run({
    run,
    task,
    attempt,
    session,
    epoch,
    kind: state.kind,
    body: toJson(state),
    order: place === null || state.kind === 'over' ? null : toJson(place),
    now,
  });
}

function fromRaw({ run_id, task_id, attempt, session, epoch, body, taken_order }: RawWork): WorkRow {
  return {
    run: run_id,
    task: task_id,
    attempt,
    session,
    epoch,
    state: fromJson(body),
    place: taken_order === null ? null : fromJson(taken_order),
  };
}

/** Who may give this node work of a run: the coordinator with the highest epoch that it has heard of. */
export interface NodeRun {
  readonly run: RunId;
  readonly room: string;
  readonly coordinator: { readonly did: string; readonly userId: string; readonly deviceId: string };
  /** Of the coordinator. */
  readonly epoch: number;
  /** The newest epoch of a grant that was read. */
  readonly seen: number;
}

export function listNodeRuns(db: Db): NodeRun[] {
  const rows = db.prepare('SELECT run_id AS run, room, coordinator, epoch, seen FROM node_runs').all();
  return (rows as (Omit<NodeRun, 'coordinator'> & { coordinator: string })[]).map((row) => ({
    ...row,
    coordinator: fromJson(row.coordinator),
  }));
}

export function writeNodeRun(db: Db, { run, room, coordinator, epoch, seen }: NodeRun, now: number): void {
  db.prepare(
    `INSERT OR REPLACE INTO node_runs (run_id, room, coordinator, epoch, seen, heard_at) VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(run, room, toJson(coordinator), epoch, seen, now);
}

/** Forgets runs that were not heard of since `before` and of which nothing is open. */
export function pruneNodeWork(db: Db, before: number): void {
  db.prepare(`DELETE FROM node_leases WHERE state = 'over' AND at < ?`).run(before);
  db.prepare('DELETE FROM node_runs WHERE heard_at < ? AND run_id NOT IN (SELECT run_id FROM node_leases)').run(before);
}

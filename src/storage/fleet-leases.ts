import type { Breaker } from '../domain/fleet/breaker.ts';
import { closedBreaker } from '../domain/fleet/breaker.ts';
import type { Did } from '../domain/fleet/did.ts';
import type { Heartbeat } from '../domain/fleet/facts.ts';
import type { TaskReport } from '../domain/fleet/order.ts';
import type { RunId, SessionId, TaskId } from '../domain/ids.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/**
 * Who has an attempt, as its coordinator sees it:
 *
 *   queued ⇄ offered ─▶ given ─▶ fetching ─▶ over
 *      ▲        │         │ ▲                 ▲
 *      └────────┴─────────┤ └── lost ─────────┘
 *      (given back, or never begun)
 */
export type LeaseState =
  /** No node has it yet. */
  | { readonly kind: 'queued' }
  /** To all; `row`: the event in the outbox. */
  | { readonly kind: 'offered'; readonly at: number; readonly row: number | null }
  | {
      readonly kind: 'given';
      readonly did: Did;
      readonly at: number;
      readonly row: number | null;
      /** When the node said that it has it, and that its session runs. */
      readonly heldAt: number | null;
      readonly startedAt: number | null;
    }
  /** It ended, and what it left is being downloaded. */
  | { readonly kind: 'fetching'; readonly did: Did; readonly report: TaskReport }
  /** Its node is silent. Until somebody decided otherwise it may come back, under the same epoch. */
  | { readonly kind: 'lost'; readonly did: Did }
  | { readonly kind: 'over'; readonly did: Did | null };

export interface LeaseRow {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  readonly epoch: number;
  readonly state: LeaseState;
  /** Nodes that gave it back, with what they said. */
  readonly refusals: Readonly<Record<Did, string>>;
}

interface RawLease {
  run_id: RunId;
  task_id: TaskId;
  attempt: number;
  session: SessionId;
  epoch: number;
  body: string;
  refusals: string;
}

export function listLeases(db: Db, run: RunId): LeaseRow[] {
  const rows = db.prepare('SELECT * FROM fleet_leases WHERE run_id = ?').all(run) as RawLease[];
  return rows.map(leaseFrom);
}

export function readLease(db: Db, session: SessionId): LeaseRow | null {
  const row = db.prepare('SELECT * FROM fleet_leases WHERE session = ?').get(session) as RawLease | undefined;
  return row === undefined ? null : leaseFrom(row);
}

function leaseFrom({ run_id, task_id, attempt, session, epoch, body, refusals }: RawLease): LeaseRow {
  return {
    run: run_id,
    task: task_id,
    attempt,
    session,
    epoch,
    state: fromJson(body),
    refusals: fromJson(refusals),
  };
}

export function writeLease(db: Db, { run, task, attempt, session, epoch, state, refusals }: LeaseRow): void {
  db.prepare(
    `INSERT OR REPLACE INTO fleet_leases (run_id, task_id, attempt, session, epoch, did, state, body, refusals)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    run,
    task,
    attempt,
    session,
    epoch,
    'did' in state ? state.did : null,
    state.kind,
    toJson(state),
    toJson(refusals),
  );
}

/** What other runs of this home have and wait for, of the nodes. */
export function countLeases(db: Db): { readonly run: RunId; readonly held: number; readonly waiting: number }[] {
  return db
    .prepare(
      `SELECT run_id AS run, count(*) FILTER (WHERE state = 'given') AS held,
         count(*) FILTER (WHERE state IN ('queued', 'offered')) AS waiting
       FROM fleet_leases WHERE state != 'over'
       AND run_id IN (SELECT run_id FROM leases WHERE pid IS NOT NULL) GROUP BY run_id`,
    )
    .all() as { run: RunId; held: number; waiting: number }[];
}

/** The node that ran the latest attempt of a task; null: none did. */
export function readNodeOfTask(db: Db, run: RunId, task: TaskId): Did | null {
  const query = `SELECT did FROM fleet_leases WHERE run_id = ? AND task_id = ? AND did IS NOT NULL ORDER BY attempt DESC LIMIT 1`;
  return (db.prepare(query).pluck().get(run, task) as Did | undefined) ?? null;
}

/** An entry of that journal; `event` is a `JournalEvent` (host/protocol.ts). */
export interface FleetEntry {
  readonly seq: number;
  readonly at: number;
  readonly session: SessionId;
  readonly event: object;
}

/** Appends to the journal of a run whose sessions are elsewhere. */
export function appendEntry(
  db: Db,
  run: RunId,
  entry: Omit<FleetEntry, 'seq'> & { readonly report?: TaskReport },
): number {
  const { at, session, event, report } = entry;
  const seq = Number(
    db.prepare('SELECT coalesce(max(seq), 0) + 1 FROM fleet_entries WHERE run_id = ?').pluck().get(run),
  );
  db.prepare('INSERT INTO fleet_entries (run_id, seq, at, session, event, report) VALUES (?, ?, ?, ?, ?, ?)').run(
    run,
    seq,
    at,
    session,
    toJson(event),
    report === undefined ? null : toJson(report),
  );
  return seq;
}

export function listEntries(db: Db, run: RunId, after: number): FleetEntry[] {
  const query = 'SELECT seq, at, session, event FROM fleet_entries WHERE run_id = ? AND seq > ? ORDER BY seq';
  const rows = db.prepare(query).all(run, after) as { seq: number; at: number; session: SessionId; event: string }[];
  return rows.map((row) => ({ ...row, event: fromJson(row.event) }));
}

export function readReport(db: Db, run: RunId, session: SessionId): TaskReport | null {
  const query = `SELECT report FROM fleet_entries WHERE run_id = ? AND session = ? AND report IS NOT NULL ORDER BY seq DESC`;
  const text = db.prepare(query).pluck().get(run, session) as string | undefined;
  return text === undefined ? null : fromJson(text);
}

/** A node as this home knows it from what it said. */
export interface FleetNodeRow {
  readonly did: Did;
  readonly name: string;
  readonly userId: string;
  readonly deviceId: string | null;
  readonly heartbeat: Heartbeat | null;
  /** By this home's clock. */
  readonly heardAt: number;
  readonly breaker: Breaker;
  /** As `cis node ping` and `cis cluster test` measured it. */
  readonly latencyMs: number | null;
}

interface RawNode {
  did: Did;
  name: string;
  user_id: string;
  device_id: string | null;
  facts: string | null;
  heard_at: number;
  breaker: string | null;
  latency_ms: number | null;
}

export function listFleetNodes(db: Db): FleetNodeRow[] {
  return (db.prepare('SELECT * FROM fleet_nodes ORDER BY name, did').all() as RawNode[]).map((row) => ({
    did: row.did,
    name: row.name,
    userId: row.user_id,
    deviceId: row.device_id,
    heartbeat: row.facts === null ? null : fromJson(row.facts),
    heardAt: row.heard_at,
    breaker: row.breaker === null ? closedBreaker : fromJson(row.breaker),
    latencyMs: row.latency_ms,
  }));
}

export function writeHeardAt(db: Db, did: Did, heardAt: number): void {
  db.prepare('UPDATE fleet_nodes SET heard_at = ? WHERE did = ?').run(heardAt, did);
}

export function writeBreaker(db: Db, did: Did, breaker: Breaker): void {
  db.prepare('UPDATE fleet_nodes SET breaker = ? WHERE did = ?').run(toJson(breaker), did);
}

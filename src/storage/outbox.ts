import { fromJson, toJson } from './json.ts';
import {
  lanes,
  type Lane,
  type OutboxItem,
  type OutboxRow,
  type OutboxState,
  type OutboxSummary,
} from '../domain/room.ts';
import { readDevice } from './device.ts';
import type { Db } from './open.ts';

interface RawRow {
  id: number;
  room: string;
  lane: Lane;
  type: string;
  content: string;
  ciphertext: string | null;
  txn_id: string;
  refers_to: number | null;
  attempts: number;
  created_at: number;
}

/**
 * Freezes one event and returns the id of its row; call it in the transaction that advances the cursor it came from. The
 * transaction id holds a random part of this home: another database must not reuse ids on the same device.
 */
export function putIntoOutbox(db: Db, item: OutboxItem, now: number): number {
  const prefix = readDevice(db)?.txnPrefix ?? 'cis';
  const insert = db.prepare(
    `INSERT INTO outbox (room, lane, type, content, txn_id, refers_to, created_at)
     VALUES (?, ?, ?, ?, 'new', ?, ?)`,
  );
  const { lastInsertRowid } = insert.run(
    item.room,
    item.lane,
    item.type,
    toJson(item.content),
    item.refersTo ?? null,
    now,
  );
  const id = Number(lastInsertRowid);
  db.prepare('UPDATE outbox SET txn_id = ? WHERE id = ?').run(`${prefix}.${id}`, id);
  return id;
}

/**
 * The first waiting row of each lane and room, the most urgent lane first, but none of the rooms in `held`; a row whose
 * target was not sent yet stands back. Order within a room and lane is the order of writing.
 */
export function nextInOutbox(db: Db, held: ReadonlySet<string>): OutboxRow | null {
  for (const lane of lanes) {
    const rows = db
      .prepare(
        `SELECT o.* FROM outbox o WHERE o.id IN
           (SELECT min(id) FROM outbox WHERE state = 'waiting' AND lane = ? GROUP BY room)
         AND NOT EXISTS (SELECT 1 FROM outbox t WHERE t.id = o.refers_to AND t.state = 'waiting')
         ORDER BY o.id`,
      )
      .all(lane) as RawRow[];
    const row = rows.find((candidate) => !held.has(candidate.room));
    if (row !== undefined) return toRow(row);
  }
  return null;
}

export function readOutboxState(db: Db, id: number): OutboxState | null {
  const row = db.prepare('SELECT state, event_id, reason, done_at FROM outbox WHERE id = ?').get(id) as
    | { state: OutboxState['kind']; event_id: string | null; reason: string | null; done_at: number | null }
    | undefined;
  if (row === undefined) return null;
  switch (row.state) {
    case 'waiting':
      return { kind: 'waiting' };
    case 'sent':
      return { kind: 'sent', eventId: row.event_id ?? '', sentAt: row.done_at ?? 0 };
    case 'parked':
      return { kind: 'parked', reason: row.reason ?? '' };
  }
}

/** Writes the ciphertext once; a row that has one keeps it, and keeps what it has when a second one is made. */
export function freezeCiphertext(db: Db, id: number, ciphertext: object): void {
  db.prepare('UPDATE outbox SET ciphertext = ? WHERE id = ? AND ciphertext IS NULL').run(toJson(ciphertext), id);
}

export function markSent(db: Db, id: number, eventId: string, now: number): void {
  db.prepare(`UPDATE outbox SET state = 'sent', event_id = ?, reason = NULL, done_at = ? WHERE id = ?`).run(
    eventId,
    now,
    id,
  );
}

/** Sets a row aside for good, and with it what relates to it. */
export function markParked(db: Db, id: number, reason: string, now: number): void {
  db.prepare(`UPDATE outbox SET state = 'parked', reason = ?, done_at = ? WHERE id = ?`).run(reason, now, id);
}

/** Counts a failed attempt that was the event's own fault or the server's. */
export function markAttempt(db: Db, id: number, reason: string): number {
  db.prepare('UPDATE outbox SET attempts = attempts + 1, reason = ? WHERE id = ?').run(reason, id);
  const row = db.prepare('SELECT attempts FROM outbox WHERE id = ?').get(id) as { attempts: number } | undefined;
  return row?.attempts ?? 0;
}

/** Parked rows wait again, as after a person mended what was wrong. Returns how many. */
export function unpark(db: Db): number {
  return db.prepare(`UPDATE outbox SET state = 'waiting', attempts = 0, done_at = NULL WHERE state = 'parked'`).run()
    .changes;
}

export function summarizeOutbox(db: Db): OutboxSummary {
  const counts = db
    .prepare(
      `SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'sent') AS sent,
              count(*) FILTER (WHERE state = 'parked') AS parked,
              min(created_at) FILTER (WHERE state = 'waiting') AS oldestAt FROM outbox`,
    )
    .get() as Omit<OutboxSummary, 'lastError'>;
  const last = db.prepare('SELECT reason FROM outbox WHERE reason IS NOT NULL ORDER BY id DESC LIMIT 1').get() as
    | { reason: string }
    | undefined;
  return { ...counts, lastError: readDevice(db)?.lastError ?? last?.reason ?? null };
}

/** The row an event of the room was sent from, when it was one of ours. */
export function findSentRow(db: Db, eventId: string): number | null {
  const row = db.prepare('SELECT id FROM outbox WHERE event_id = ?').get(eventId) as { id: number } | undefined;
  return row?.id ?? null;
}

/** Drops rows that were sent before `before`; their events are in the room. Parked ones stay until somebody looks. */
export function pruneOutbox(db: Db, before: number): void {
  db.prepare(`DELETE FROM outbox WHERE state = 'sent' AND done_at < ?`).run(before);
}

function toRow(row: RawRow): OutboxRow {
  return {
    id: row.id,
    room: row.room,
    lane: row.lane,
    type: row.type,
    content: fromJson(row.content),
    ciphertext: row.ciphertext === null ? null : fromJson(row.ciphertext),
    txnId: row.txn_id,
    refersTo: row.refers_to,
    attempts: row.attempts,
    createdAt: row.created_at,
  };
}

export interface ParkedRow {
  readonly id: number;
  readonly room: string;
  readonly type: string;
  readonly reason: string;
  readonly at: number;
}

/** What was set aside, the newest first. */
export function listParked(db: Db, limit: number): ParkedRow[] {
  const query = `SELECT id, room, type, reason, done_at AS at FROM outbox WHERE state = 'parked' ORDER BY id DESC LIMIT ?`;
  return db.prepare(query).all(limit) as ParkedRow[];
}

/** Whether anything of a lane waits to be sent to a room. */
export function isLaneWaiting(db: Db, room: string, lane: Lane): boolean {
  const query = `SELECT 1 FROM outbox WHERE state = 'waiting' AND lane = ? AND room = ? LIMIT 1`;
  return db.prepare(query).get(lane, room) !== undefined;
}

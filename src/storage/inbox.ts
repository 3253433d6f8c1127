import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/** An event that could not be read because its key has not come yet. */
export interface Undecrypted {
  readonly eventId: string;
  readonly room: string;
  readonly event: Readonly<Record<string, unknown>>;
}

/** What a processed sync leaves behind. */
export interface BatchEnd {
  readonly since: string;
  readonly seen: readonly string[];
  readonly undecrypted: readonly Undecrypted[];
  readonly rooms: readonly string[];
  readonly now: number;
}

/** Writes in one transaction that a sync was processed: its events are seen, and `since` moves on. `also` joins that transaction. */
export function finishBatch(db: Db, end: BatchEnd, also?: () => void): void {
  const finish = db.transaction(() => {
    also?.();
    const seen = db.prepare('INSERT INTO matrix_seen (event_id, at) VALUES (?, ?) ON CONFLICT DO NOTHING');
    const read = db.prepare('DELETE FROM matrix_undecrypted WHERE event_id = ?');
    for (const eventId of end.seen) {
      seen.run(eventId, end.now);
      read.run(eventId);
    }
    const hidden = db.prepare(
      'INSERT INTO matrix_undecrypted (event_id, room_id, event, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    for (const one of end.undecrypted) hidden.run(one.eventId, one.room, toJson(one.event), end.now);
    const synced = db.prepare(
      'INSERT INTO matrix_rooms (room_id, synced) VALUES (?, 1) ON CONFLICT (room_id) DO UPDATE SET synced = 1',
    );
    for (const room of end.rooms) synced.run(room);
    db.prepare('UPDATE matrix_device SET since = ?').run(end.since);
    db.prepare('DELETE FROM matrix_seen WHERE at < ?').run(end.now - seenForMs);
  });
  finish.immediate();
}

/** `since` makes repeats rare; what is older than this can only come from a database that was put back. */
const seenForMs = 14 * 24 * 3600_000;

export function wasSeen(db: Db, eventId: string): boolean {
  return db.prepare('SELECT 1 FROM matrix_seen WHERE event_id = ?').get(eventId) !== undefined;
}

/** True when an earlier sync had this room: what lies between is a gap to fill, not history from before we joined. */
export function wasSynced(db: Db, room: string): boolean {
  return db.prepare('SELECT 1 FROM matrix_rooms WHERE room_id = ? AND synced = 1').get(room) !== undefined;
}

export function markLeft(db: Db, room: string): void {
  db.prepare('UPDATE matrix_rooms SET synced = 0 WHERE room_id = ?').run(room);
}

export function listUndecrypted(db: Db): Undecrypted[] {
  const rows = db.prepare('SELECT event_id, room_id, event FROM matrix_undecrypted ORDER BY at, event_id').all() as {
    event_id: string;
    room_id: string;
    event: string;
  }[];
  return rows.map((row) => ({ eventId: row.event_id, room: row.room_id, event: fromJson(row.event) }));
}

import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/** A machine event as it came from a room, our own included. Nobody has judged it yet. */
export interface InboxEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly room: string;
  readonly sender: string;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** The homeserver's word, ms since 1970. */
  readonly sentAt: number;
}

/** Keeps an event once, however often it comes. */
export function putIntoFleetInbox(db: Db, event: Omit<InboxEvent, 'seq'>, now: number): void {
  const { eventId, room, sender, type, content, sentAt } = event;
  db.prepare(
    `INSERT INTO fleet_inbox (event_id, room, sender, type, content, sent_at, at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  ).run(eventId, room, sender, type, toJson(content), sentAt, now);
}

/** Events of the rooms of a reader that it has not taken, oldest first. */
export function listFleetInbox(db: Db, reader: string, limit = 500): InboxEvent[] {
  const rows = db
    .prepare(
      `SELECT seq, event_id AS eventId, room, sender, type, content, sent_at AS sentAt FROM fleet_inbox
       WHERE seq > coalesce((SELECT inbox FROM fleet_cursors WHERE reader = @reader), 0)
       AND room IN (SELECT room FROM fleet_rooms WHERE reader = @reader) ORDER BY seq LIMIT @limit`,
    )
    .all({ reader, limit }) as (Omit<InboxEvent, 'content'> & { content: string })[];
  return rows.map((row) => ({ ...row, content: fromJson(row.content) }));
}

/** All that this home has of a room, oldest first. */
export function listAllOfRoom(db: Db, room: string): InboxEvent[] {
  const query = `SELECT seq, event_id AS eventId, room, sender, type, content, sent_at AS sentAt FROM fleet_inbox
    WHERE room = ? ORDER BY seq`;
  const rows = db.prepare(query).all(room) as (Omit<InboxEvent, 'content'> & { content: string })[];
  return rows.map((row) => ({ ...row, content: fromJson(row.content) }));
}

/** A message from device to device, as it came. */
export interface DeviceInboxMessage {
  readonly seq: number;
  readonly sender: string;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly encrypted: boolean;
}

/** Keeps a message; one with the same `only` replaces an earlier one and counts as new. */
export function putIntoDeviceInbox(
  db: Db,
  message: Omit<DeviceInboxMessage, 'seq'> & { readonly only: string | null },
  now: number,
): void {
  const { only, sender, type, content, encrypted } = message;
  db.prepare(
    `INSERT OR REPLACE INTO fleet_device_inbox (only, sender, type, content, encrypted, at) VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(only, sender, type, toJson(content), encrypted ? 1 : 0, now);
}

/** Messages of these types that a reader has not taken, oldest first. */
export function listDeviceInbox(db: Db, reader: string, types: readonly string[], limit = 500): DeviceInboxMessage[] {
  const rows = db
    .prepare(
      `SELECT seq, sender, type, content, encrypted FROM fleet_device_inbox
       WHERE seq > coalesce((SELECT devices FROM fleet_cursors WHERE reader = ?), 0)
       AND type IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?`,
    )
    .all(reader, JSON.stringify(types), limit) as (Omit<DeviceInboxMessage, 'content' | 'encrypted'> & {
    content: string;
    encrypted: number;
  })[];
  return rows.map((row) => ({ ...row, content: fromJson(row.content), encrypted: row.encrypted === 1 }));
}

export interface FleetCursor {
  readonly inbox: number;
  readonly devices: number;
  readonly log: number;
}

export function readFleetCursor(db: Db, reader: string): FleetCursor {
  const row = db.prepare('SELECT inbox, devices, log FROM fleet_cursors WHERE reader = ?').get(reader);
  return (row as FleetCursor | undefined) ?? { inbox: 0, devices: 0, log: 0 };
}

/** Moves a reader on; call it in the transaction that holds what came of it. */
export function writeFleetCursor(db: Db, reader: string, moved: Partial<FleetCursor>): void {
  const { inbox = null, devices = null, log = null } = moved;
  db.prepare(
    `INSERT INTO fleet_cursors (reader, inbox, devices, log)
     VALUES (@reader, coalesce(@inbox, 0), coalesce(@devices, 0), coalesce(@log, 0))
     ON CONFLICT (reader) DO UPDATE SET inbox = coalesce(@inbox, inbox), devices = coalesce(@devices, devices),
       log = coalesce(@log, log)`,
  ).run({ reader, inbox, devices, log });
}

/**
 * Tells the bridge to keep the machine events of a room for a reader, from now on: a reader that is new begins behind what others
 * had kept before.
 */
export function followFleetRoom(db: Db, reader: string, room: string): void {
  const follow = db.transaction(() => {
    db.prepare(
      `INSERT INTO fleet_cursors (reader, inbox, devices) VALUES (?, (SELECT coalesce(max(seq), 0) FROM fleet_inbox),
         (SELECT coalesce(max(seq), 0) FROM fleet_device_inbox)) ON CONFLICT DO NOTHING`,
    ).run(reader);
    db.prepare('INSERT INTO fleet_rooms (reader, room) VALUES (?, ?) ON CONFLICT DO NOTHING').run(reader, room);
  });
  follow.immediate();
}

/** Ends what is kept for a reader. */
export function forgetFleetReader(db: Db, reader: string): void {
  db.prepare('DELETE FROM fleet_rooms WHERE reader = ?').run(reader);
  db.prepare('DELETE FROM fleet_cursors WHERE reader = ?').run(reader);
  db.prepare(`DELETE FROM fleet_seen WHERE substr(lane, 1, length(?)) = ?`).run(`${reader} `, `${reader} `);
}

/** Rooms whose machine events somebody reads. */
export function listFleetRooms(db: Db): string[] {
  return db.prepare('SELECT DISTINCT room FROM fleet_rooms').pluck().all() as string[];
}

/** Drops what is old: the room still has it. */
export function pruneFleetInbox(db: Db, before: number): void {
  db.prepare('DELETE FROM fleet_inbox WHERE at < ?').run(before);
  db.prepare('DELETE FROM fleet_device_inbox WHERE at < ?').run(before);
}

/** A message to one device that waits to be sent. */
export interface DeviceOutboxMessage {
  readonly id: number;
  readonly userId: string;
  readonly deviceId: string;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly expiresAt: number;
}

/** Puts a message to a device into the outbox; one with the same `only` that still waits is replaced. */
export function putToDevice(
  db: Db,
  message: Omit<DeviceOutboxMessage, 'id'> & { readonly only: string | null },
  now: number,
): void {
  const { only, userId, deviceId, type, content, expiresAt } = message;
  db.prepare(
    `INSERT OR REPLACE INTO to_device_outbox (only, user_id, device_id, type, content, expires_at, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ).run(only, userId, deviceId, type, toJson(content), expiresAt, now);
}

/** What waits to be sent to devices, oldest first; what is of no use any more is dropped. */
export function listToDevice(db: Db, now: number, limit = 100): DeviceOutboxMessage[] {
  const query = `SELECT id, user_id AS userId, device_id AS deviceId, type, content, expires_at AS expiresAt
    FROM to_device_outbox WHERE expires_at > ? ORDER BY id LIMIT ?`;
  const rows = db.prepare(query).all(now, limit) as (Omit<DeviceOutboxMessage, 'content'> & { content: string })[];
  return rows.map((row) => ({ ...row, content: fromJson(row.content) }));
}

export function removeToDevice(db: Db, ids: readonly number[]): void {
  const remove = db.prepare('DELETE FROM to_device_outbox WHERE id = ?');
  for (const id of ids) remove.run(id);
}

export function dropExpiredToDevice(db: Db, now: number): void {
  db.prepare('DELETE FROM to_device_outbox WHERE expires_at <= ?').run(now);
}

/** Since when this home hears the homeserver without a break; null: it does not. Silence counts only from then on. */
export function readFleetLink(db: Db): number | null {
  return (db.prepare('SELECT up_since FROM fleet_link').pluck().get() as number | null | undefined) ?? null;
}

export function writeFleetLink(db: Db, upSince: number | null): void {
  db.prepare(
    'INSERT INTO fleet_link (only, up_since) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET up_since = excluded.up_since',
  ).run(upSince);
}

import { fromJson, toJson } from './json.ts';
import type { BucketState, RateLimit, RoomEncryption } from '../domain/room.ts';
import type { Db } from './open.ts';

/** The Matrix device of this home. Its access token is in a file of its own, never in the database. */
export interface DeviceRow {
  readonly homeserver: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly txnPrefix: string;
  readonly since: string | null;
  readonly limit: RateLimit | null;
  readonly bucket: BucketState | null;
  readonly lastError: string | null;
}

export interface NewDevice {
  readonly homeserver: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly txnPrefix: string;
  readonly limit: RateLimit | null;
}

interface RawDevice {
  homeserver: string;
  user_id: string;
  device_id: string;
  txn_prefix: string;
  since: string | null;
  limit_json: string | null;
  bucket_json: string | null;
  last_error: string | null;
}

/** Reads the device of this home; null before the first login. */
export function readDevice(db: Db): DeviceRow | null {
  const row = db.prepare('SELECT * FROM matrix_device').get() as RawDevice | undefined;
  if (row === undefined) return null;
  return {
    homeserver: row.homeserver,
    userId: row.user_id,
    deviceId: row.device_id,
    txnPrefix: row.txn_prefix,
    since: row.since,
    limit: row.limit_json === null ? null : fromJson<RateLimit>(row.limit_json),
    bucket: row.bucket_json === null ? null : fromJson<BucketState>(row.bucket_json),
    lastError: row.last_error,
  };
}

/** Writes a device that logged in. Another device than before starts with an empty memory: rooms, `since` and seen events go. */
export function writeDevice(db: Db, device: NewDevice): void {
  const write = db.transaction(() => {
    const before = readDevice(db);
    if (before !== null && before.userId === device.userId && before.deviceId === device.deviceId) {
      db.prepare('UPDATE matrix_device SET homeserver = ?, last_error = NULL').run(device.homeserver);
      return;
    }
    forgetDevice(db);
    db.prepare(
      `INSERT INTO matrix_device (only, homeserver, user_id, device_id, txn_prefix, limit_json) VALUES (1, ?, ?, ?, ?, ?)`,
    ).run(device.homeserver, device.userId, device.deviceId, device.txnPrefix, limitJson(device.limit));
  });
  write.immediate();
}

/** Forgets the device and what it knew. What waits in the outbox stays, and goes out by the next device. */
export function forgetDevice(db: Db): void {
  const forget = db.transaction(() => {
    db.exec('DELETE FROM matrix_device; DELETE FROM matrix_seen; DELETE FROM matrix_undecrypted');
    db.exec(`UPDATE matrix_rooms SET synced = 0`);
    // A ciphertext belongs to the device that made it; the next one encrypts anew, with ratchets of its own.
    db.exec(`UPDATE outbox SET ciphertext = NULL WHERE state = 'waiting'`);
  });
  forget();
}

export function writeBucket(db: Db, bucket: BucketState | null): void {
  db.prepare('UPDATE matrix_device SET bucket_json = ?').run(bucket === null ? null : toJson(bucket));
}

export function writeLastError(db: Db, text: string | null): void {
  db.prepare('UPDATE matrix_device SET last_error = @text WHERE last_error IS NOT @text').run({ text });
}

export function readEncryption(db: Db, room: string): RoomEncryption {
  const row = db.prepare('SELECT encryption FROM matrix_rooms WHERE room_id = ?').get(room) as
    | { encryption: RoomEncryption }
    | undefined;
  return row?.encryption ?? 'unknown';
}

/** Records what a room is. `encrypted` is for ever: nothing that comes later makes such a room plain. */
export function writeEncryption(db: Db, room: string, encryption: 'encrypted' | 'plain'): void {
  db.prepare(
    `INSERT INTO matrix_rooms (room_id, encryption) VALUES (?, ?)
     ON CONFLICT (room_id) DO UPDATE SET encryption = excluded.encryption WHERE encryption != 'encrypted'`,
  ).run(room, encryption);
}

function limitJson(limit: RateLimit | null): string | null {
  return limit === null ? null : toJson(limit);
}

/** Rooms whose keys this device has. */
export function listEncryptedRooms(db: Db): string[] {
  const rooms = db.prepare(`SELECT room_id FROM matrix_rooms WHERE encryption = 'encrypted' ORDER BY room_id`).pluck();
  return rooms.all() as string[];
}

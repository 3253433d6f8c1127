import { randomBytes } from 'node:crypto';
import { connectDevice, type Connection } from '../../bridge/connect.ts';
import { findCompanion } from '../../bridge/prepare.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../../matrix/failure.ts';
import type { JsonObject } from '../../matrix/http.ts';
import type { RoomEvent } from '../../matrix/port.ts';
import { roomPath, textIn } from '../../matrix/rooms.ts';
import { readEvent } from '../../matrix/sync.ts';
import { openTurns } from '../../matrix/turns.ts';
import { watchRoom } from '../../matrix/watch.ts';
import { writeEncryption } from '../../storage/device.ts';
import type { Db } from '../../storage/open.ts';
import { putIntoOutbox, readOutboxState } from '../../storage/outbox.ts';
import { CommandError } from '../exit.ts';
import { files, needRoom, openClient, openWriter, orFail, type Client } from './context.ts';

/** A room as somebody reads it who need not run anything: its messages, and the machine events that may lie in a room beside it. */
export interface RoomReader extends AsyncDisposable {
  readonly room: string;
  readonly userId: string;
  /** Hands on what happens, readable where it is encrypted, until the signal. */
  follow(options: FollowRoom): Promise<Result<void, MatrixFailure>>;
  /** Says something in the room as the account that is logged in; the event's id comes back. */
  send(content: JsonObject): Promise<Result<string, MatrixFailure>>;
}

export interface FollowRoom {
  /** Events from this instant on come first; null: only new ones. */
  readonly since: number | null;
  readonly signal: AbortSignal;
  readonly onEvents: (events: readonly RoomEvent[]) => void;
  readonly onTrouble: (failure: MatrixFailure) => void;
}

interface Device {
  readonly connection: Connection;
  readonly db: Db;
}

export async function openRoomReader(given: string): Promise<RoomReader> {
  const client = openClient();
  const room = await needRoom(client.rooms, given);
  const listing = orFail(await client.rooms.describe(room), `cannot look into ${given}`);
  const companion = listing.encrypted
    ? orFail(await findCompanion(client.rooms, room), `cannot find the machine room of ${given}`)
    : null;
  const device = listing.encrypted ? await openDevice(client, room) : null;
  return {
    room,
    userId: client.account.userId,
    follow: (options) =>
      followAll(client, device?.connection ?? null, companion === null ? [room] : [room, companion], options),
    send: (content) => (device === null ? sendPlain(client, room, content) : sendByDevice(device, room, content)),
    async [Symbol.asyncDispose]() {
      await device?.connection.transport.close();
      device?.db.close();
    },
  };
}

/** Keys for an encrypted room belong to one process at a time. */
async function openDevice({ account }: Client, room: string): Promise<Device> {
  const db = openWriter();
  writeEncryption(db, room, 'encrypted');
  const connection = await connectDevice(files(), account, db);
  if (connection.ok) return { connection: connection.value, db };
  db.close();
  throw new CommandError('refused', `this room is encrypted, and ${connection.error.detail}`, [
    'follow it when nothing else uses this account, or with an account and CIS_HOME of its own',
  ]);
}

async function followAll(
  { rooms }: Client,
  device: Connection | null,
  all: readonly string[],
  { since, signal, onEvents, onTrouble }: FollowRoom,
): Promise<Result<void, MatrixFailure>> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const readAll = openReading(device);
  // One after the other: keys that come with one room's events are taken once.
  const turns = openTurns();
  const read = (room: string, events: readonly JsonObject[]): Promise<void> =>
    turns.next(async () => onEvents(await readAll(room, events)));
  const ends = all.map(async (room) => {
    const options = { room, since, signal: either, onTrouble };
    const end = await watchRoom(rooms, { ...options, onEvents: (events) => read(room, events) });
    stop.abort();
    return end;
  });
  const results = await Promise.all(ends);
  return results.find((end) => !end.ok) ?? ok(undefined);
}

type ReadAll = (room: string, events: readonly JsonObject[]) => Promise<readonly RoomEvent[]>;

/** Decrypts; when something cannot be read, the keys that wait for us are taken first, and it is tried once more. */
function openReading(device: Connection | null): ReadAll {
  if (device === null) return (room, events) => Promise.all(events.map((event) => readEvent(null, room, event)));
  const { transport } = device;
  let since: string | null = null;
  return async (room, events) => {
    const read = await Promise.all(events.map((event) => transport.read(room, event)));
    if (!read.some((event) => event.protection.kind === 'undecryptable')) return read;
    const fetched = await transport.look(since, 1);
    if (!fetched.ok) return read;
    since = fetched.value.next;
    return Promise.all(events.map((event) => transport.read(room, event)));
  };
}

async function sendPlain({ http }: Client, room: string, content: JsonObject): Promise<Result<string, MatrixFailure>> {
  const txn = `cis-says-${randomBytes(8).toString('hex')}`;
  return textIn(
    await http.json({ method: 'PUT', path: `${roomPath(room)}/send/m.room.message/${txn}`, body: content }),
    'event_id',
  );
}

/** By the outbox, so that it is encrypted once and its place in the ratchet is kept. */
async function sendByDevice(
  { connection, db }: Device,
  room: string,
  content: JsonObject,
): Promise<Result<string, MatrixFailure>> {
  const row = putIntoOutbox(db, { room, lane: 'outcome', type: 'm.room.message', content }, Date.now());
  const sent = await connection.transport.drain({ signal: AbortSignal.timeout(60_000), untilEmpty: true });
  if (!sent.ok) return sent;
  const state = readOutboxState(db, row);
  if (state?.kind === 'sent') return ok(state.eventId);
  return err({ kind: 'bad-answer', detail: state?.kind === 'parked' ? state.reason : 'it waits to be sent' });
}

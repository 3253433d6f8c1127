import type { LoadedConfig } from '../../config/load.ts';
import { describeFailure, isPassing } from '../../matrix/failure.ts';
import { makeRooms } from '../../matrix/make-rooms.ts';
import type { RoomListing, Rooms } from '../../matrix/port.ts';
import type { MatrixSettings } from '../../domain/dag.ts';
import type { RunMode } from '../../domain/run.ts';
import { readEncryption, writeEncryption } from '../../storage/device.ts';
import { failed, openClient, openWriter } from '../matrix/context.ts';
import { CommandError } from '../exit.ts';

/**
 * Checks, before a hybrid run starts, that its room is there and as it must be. A homeserver that does not answer is no reason not to
 * run, unless the run asks for an encrypted room, which then nobody can vouch for.
 */
export async function checkRoom(
  room: string | null,
  matrix: MatrixSettings,
  { config }: LoadedConfig,
  mode: Exclude<RunMode, 'local'> = 'hybrid',
): Promise<string> {
  if (room === null) {
    throw new CommandError('usage', `${mode} mode needs a room`, [
      "name one: --room '#dags:example.org'",
      'or set `room` in `[dag.matrix]` of the file, or `room_id` in `[dag]` of the config',
      'make one: cis matrix create-room NAME',
    ]);
  }
  const { rooms } = openClient();
  const mustBeEncrypted = matrix.encrypted || matrix.sensitive;
  const found = await findRoom(rooms, room);
  if (found.ok) return settle(room, found.value, mustBeEncrypted);
  const { error } = found;
  if (error.kind === 'not-found' && config.dagMatrix.auto_create_room && room.startsWith('#')) {
    return make(rooms, room, mustBeEncrypted, config.dagHybrid.accept_answers_from);
  }
  if (!isPassing(error)) throw failed(error, `cannot use the room ${room}`);
  if (mustBeEncrypted && !isKnownEncrypted(room)) throw failed(error, `cannot see whether ${room} is encrypted`);
  process.stderr.write(`cis: the room gets everything later: ${describeFailure(error)}\n`);
  return room;
}

async function findRoom(rooms: Rooms, wanted: string) {
  const { findRoom: find } = await import('../../bridge/prepare.ts');
  return find({ rooms }, wanted);
}

function settle(wanted: string, listing: RoomListing, mustBeEncrypted: boolean): string {
  const db = openWriter();
  writeEncryption(db, listing.room, listing.encrypted ? 'encrypted' : 'plain');
  db.close();
  if (listing.encrypted || !mustBeEncrypted) return wanted;
  throw new CommandError('usage', `the room ${wanted} is not encrypted, and the DAG asks for an encrypted one`, [
    'make one: cis matrix create-room NAME --encrypted',
    'or take `encrypted` and `sensitive` out of `[dag.matrix]`',
  ]);
}

function isKnownEncrypted(room: string): boolean {
  const db = openWriter();
  const known = readEncryption(db, room) === 'encrypted';
  db.close();
  return known;
}

async function make(rooms: Rooms, alias: string, encrypted: boolean, invite: readonly string[]): Promise<string> {
  const name = alias.slice(1).replace(/:.*$/, '');
  const made = await makeRooms(rooms, { name, alias: name, encrypted, invite });
  if (!made.ok) throw failed(made.error, `cannot make the room ${alias}`);
  const db = openWriter();
  for (const room of [made.value.room, made.value.machineRoom]) {
    if (room !== null && encrypted) writeEncryption(db, room, 'encrypted');
  }
  db.close();
  process.stderr.write(`cis: made the room ${alias}\n`);
  return made.value.room;
}

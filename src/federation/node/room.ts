import { findRoom } from '../../bridge/prepare.ts';
import { ok, type Result } from '../../domain/result.ts';
import { isPassing, type MatrixFailure } from '../../matrix/failure.ts';
import type { Rooms } from '../../matrix/port.ts';
import { writeEncryption } from '../../storage/device.ts';
import { readRememberedRoom, rememberRoom } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';

/** A room that nodes work in. */
export interface FleetRoom {
  readonly room: string;
  /** Where machine events go: a companion beside an encrypted room, else the room itself. */
  readonly machines: string;
  readonly encrypted: boolean;
}

/** Finds the room by id or alias, joins it and its companion where needed, and notes for ever that they are encrypted. */
export async function enterRoom(rooms: Rooms, db: Db, wanted: string): Promise<Result<FleetRoom, MatrixFailure>> {
  const listing = await findRoom({ rooms }, wanted);
  if (!listing.ok) return listing;
  const { room, encrypted } = listing.value;
  writeEncryption(db, room, encrypted ? 'encrypted' : 'plain');
  if (!encrypted) return ok({ room, machines: room, encrypted });
  const state = await rooms.readState(room, 'cis.machine_room', '');
  if (!state.ok) return state;
  const given = state.value?.['room_id'];
  if (typeof given !== 'string' || given === '') return ok({ room, machines: room, encrypted });
  const companion = await findRoom({ rooms }, given);
  if (!companion.ok) return companion;
  // In the clear beside an encrypted room: what it protects would be read there.
  if (!companion.value.encrypted) return ok({ room, machines: room, encrypted });
  writeEncryption(db, given, 'encrypted');
  return ok({ room, machines: given, encrypted });
}

/**
 * The same for a node that starts: while the homeserver is away, what it said before. A node that comes back from a crash must take its
 * sessions over at once, not when the homeserver is back.
 */
export async function enterKnownRoom(
  rooms: Rooms,
  db: Db,
  wanted: string,
): Promise<Result<FleetRoom & { readonly remembered: boolean }, MatrixFailure>> {
  const room = await enterRoom(rooms, db, wanted);
  if (room.ok) {
    rememberRoom(db, wanted, room.value);
    return ok({ ...room.value, remembered: false });
  }
  const before = isPassing(room.error) ? readRememberedRoom(db, wanted) : null;
  return before === null ? room : ok({ ...before, remembered: true });
}

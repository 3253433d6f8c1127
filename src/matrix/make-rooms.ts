import { ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import type { NewRoom, Rooms } from './port.ts';

/** The state event of a room for people that names the room for machines. */
const machineRoomState = 'cis.machine_room';

export interface MadeRooms {
  readonly room: string;
  /** Only an encrypted room has one: there every machine event would raise people's unread counts. */
  readonly machineRoom: string | null;
}

/**
 * Makes a room and, when it is encrypted, its companion for machine events. People are not invited there, but who is in the room may
 * join it, as whoever follows runs by `cis` does.
 */
export async function makeRooms(rooms: Rooms, wish: NewRoom): Promise<Result<MadeRooms, MatrixFailure>> {
  const room = await rooms.create(wish);
  if (!room.ok) return room;
  if (!wish.encrypted) return ok({ room: room.value, machineRoom: null });
  const machines = await rooms.create({
    name: `${wish.name} (machines)`,
    encrypted: true,
    invite: [],
    membersOf: room.value,
  });
  if (!machines.ok) return machines;
  const linked = await rooms.writeState(room.value, machineRoomState, '', { room_id: machines.value });
  return linked.ok ? ok({ room: room.value, machineRoom: machines.value }) : linked;
}

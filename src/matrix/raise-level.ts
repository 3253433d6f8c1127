import { ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import { isObject } from './http.ts';
import type { Rooms } from './port.ts';

/** What a coordinator must be able to send. */
export const orderType = 'cis.dag.task.assigned';

const levelsType = 'm.room.power_levels';

/** Gives a user the level that an event of this type takes, unless it has it. False: we may not. */
export async function raiseLevel(
  rooms: Rooms,
  room: string,
  userId: string,
  type: string,
): Promise<Result<boolean, MatrixFailure>> {
  const levels = await rooms.powerLevels(room);
  if (!levels.ok) return levels;
  const needed = levels.value.neededFor(type, false);
  if (levels.value.levelOf(userId) >= needed) return ok(true);
  const state = await rooms.readState(room, levelsType, '');
  if (!state.ok) return state;
  const users = isObject(state.value?.['users']) ? state.value['users'] : {};
  const written = await rooms.writeState(room, levelsType, '', {
    ...state.value,
    users: { ...users, [userId]: needed },
  });
  if (!written.ok && written.error.kind === 'forbidden') return ok(false);
  return written.ok ? ok(true) : written;
}

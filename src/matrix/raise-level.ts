import { ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import { isObject } from './http.ts';
import type { Rooms } from './port.ts';

/** What a coordinator must be able to send. */
export const orderType = 'cis.dag.task.assigned';

const levelsType = 'm.room.power_levels';

/** What answering takes where no list says who may. */
export const answerLevel = 50;

/** Gives a user the level that an event of this type takes, unless it has it. False: we may not. */
export async function raiseLevel(
  rooms: Rooms,
  room: string,
  userId: string,
  type: string,
): Promise<Result<boolean, MatrixFailure>> {
  const levels = await rooms.powerLevels(room);
  if (!levels.ok) return levels;
  return raiseTo(rooms, room, [userId], levels.value.neededFor(type, false));
}

/** Gives users a level, unless they have it. False: we may not. */
export async function raiseTo(
  rooms: Rooms,
  room: string,
  userIds: readonly string[],
  level: number,
): Promise<Result<boolean, MatrixFailure>> {
  const levels = await rooms.powerLevels(room);
  if (!levels.ok) return levels;
  const lower = userIds.filter((userId) => levels.value.levelOf(userId) < level);
  if (lower.length === 0) return ok(true);
  const state = await rooms.readState(room, levelsType, '');
  if (!state.ok) return state;
  const users = isObject(state.value?.['users']) ? state.value['users'] : {};
  const written = await rooms.writeState(room, levelsType, '', {
    ...state.value,
    users: { ...users, ...Object.fromEntries(lower.map((userId) => [userId, level])) },
  });
  if (!written.ok && written.error.kind === 'forbidden') return ok(false);
  return written.ok ? ok(true) : written;
}

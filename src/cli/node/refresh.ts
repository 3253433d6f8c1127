import { describeFailure } from '../../matrix/failure.ts';
import type { Db } from '../../storage/open.ts';
import { openClient } from '../matrix/context.ts';

/** Looks in the room what nodes said of themselves; says on stderr when that cannot be. */
export async function refresh(db: Db, wanted: string): Promise<void> {
  const { refreshNodes } = await import('../../federation/node/refresh.ts');
  const { enterRoom } = await import('../../federation/node/room.ts');
  const { rooms } = openClient();
  const room = await enterRoom(rooms, db, wanted);
  const read = room.ok ? await refreshNodes(rooms, db, room.value.machines, Date.now()) : room;
  if (!read.ok)
    process.stderr.write(
      `${wanted} could not be read (${describeFailure(read.error)}): this is what was heard before\n`,
    );
}

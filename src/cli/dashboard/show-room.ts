import type { MatrixFailure } from '../../matrix/failure.ts';
import { openDashboard } from '../../ui/dashboard/open-dashboard.ts';
import type { DashboardView } from '../dashboard.ts';
import { failed } from '../matrix/context.ts';
import { openRoomReader } from '../matrix/room-reader.ts';
import { openRoomActions } from './room-actions.ts';
import { openRoomSource, type RoomSource } from './room-source.ts';

/** The dashboard of a room: runs of whatever machines, answered by words in that room. */
export async function showRoom(view: DashboardView, room: string): Promise<void> {
  await using reader = await openRoomReader(room);
  const end = new AbortController();
  let why: MatrixFailure | null = null;
  let source: RoomSource | null = null;
  const opened = (): RoomSource => {
    if (source === null) throw new Error('a key before the source was open');
    return source;
  };
  await openDashboard({
    ...view,
    signal: AbortSignal.any([view.signal, end.signal]),
    actions: openRoomActions(reader, opened),
    openSource(changed) {
      source = openRoomSource(reader, room, changed, (failure) => {
        why = failure;
        end.abort();
      });
      return source;
    },
  });
  if (why !== null) throw failed(why, `cannot follow ${room}`);
}

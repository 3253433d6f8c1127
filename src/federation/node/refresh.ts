import { ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../../matrix/failure.ts';
import { isObject, textOf } from '../../matrix/http.ts';
import type { Rooms } from '../../matrix/port.ts';
import type { Db } from '../../storage/open.ts';
import { signedContent } from '../../bridge/carry.ts';
import { hearHeartbeat, heartbeatType } from './hear.ts';

/** So far back it is looked: nodes say who they are when they start and when that changes. */
const mostPages = 5;

/**
 * Reads from the homeserver what nodes said of themselves in a room, without a bridge or the device's keys: in an encrypted room
 * there is nothing to be seen this way.
 */
export async function refreshNodes(
  rooms: Rooms,
  db: Db,
  room: string,
  now: number,
): Promise<Result<void, MatrixFailure>> {
  let from: string | undefined;
  for (let pages = 0; pages < mostPages; pages++) {
    const filter = { types: [heartbeatType] };
    const page = await rooms.messages(room, {
      direction: 'back',
      limit: 100,
      filter,
      ...(from === undefined ? {} : { from }),
    });
    if (!page.ok) return page;
    const take = db.transaction(() => {
      for (const event of page.value.events) {
        const { type, sender, content, origin_server_ts: at } = event;
        if (type !== heartbeatType || !isObject(content) || typeof at !== 'number') continue;
        const received = { type, room, sender: textOf(sender, ''), content: signedContent(content) };
        hearHeartbeat(db, received, Math.min(at, now));
      }
    });
    take.immediate();
    if (page.value.end === null || page.value.events.length === 0) break;
    from = page.value.end;
  }
  return ok(undefined);
}

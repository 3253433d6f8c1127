import { ok, type Result } from '../domain/result.ts';
import { isPassing, type MatrixFailure } from './failure.ts';
import { textOf, type JsonObject } from './http.ts';
import { backoffMs, openPause } from './pause.ts';
import type { Page, Rooms } from './port.ts';

export interface WatchOptions {
  readonly room: string;
  /** Events from this instant on (the server's clock) come first; null: only new ones. */
  readonly since: number | null;
  readonly signal: AbortSignal;
  readonly onEvents: (events: readonly JsonObject[]) => Promise<void>;
  readonly onTrouble: (failure: MatrixFailure) => void;
}

/** How often a room is looked at. One look is one request, of some milliseconds for the server. */
const intervalMs = 1000;

/**
 * Follows one room by its history, oldest first, until the signal. It does not sync: any number of these may run beside
 * whoever has the device, and take nothing away from it.
 */
export async function watchRoom(rooms: Rooms, options: WatchOptions): Promise<Result<void, MatrixFailure>> {
  const { room, signal } = options;
  const history = await readBack(rooms, options);
  if (!history.ok) return history;
  const seen = new Set<string>();
  const pause = openPause();
  let { from, events } = history.value;
  let failures = 0;
  for (;;) {
    const fresh = events.filter((event) => !seen.has(textOf(event['event_id'], '')));
    // Only the last page can come again.
    seen.clear();
    for (const event of events) seen.add(textOf(event['event_id'], ''));
    if (fresh.length > 0) await options.onEvents(fresh);
    if (events.length === 0) await pause.wait(intervalMs, signal);
    if (signal.aborted) return ok(undefined);
    const page = await rooms.messages(room, { direction: 'forward', from, signal });
    if (signal.aborted) return ok(undefined);
    events = page.ok ? page.value.events : [];
    if (page.ok) {
      failures = 0;
      from = page.value.end ?? from;
      continue;
    }
    if (!isPassing(page.error)) return page;
    options.onTrouble(page.error);
    await pause.wait(backoffMs(failures++, 0), signal);
  }
}

/** The newest place, and what lies between it and `since`. */
async function readBack(
  rooms: Rooms,
  { room, since, signal }: WatchOptions,
): Promise<Result<{ from: string; events: readonly JsonObject[] }, MatrixFailure>> {
  const pages: (readonly JsonObject[])[] = [];
  let newest: string | null = null;
  for (let from: string | null | undefined; from !== null;) {
    const place = from === undefined ? {} : { from };
    const limit = since === null ? 1 : 500;
    const page: Result<Page, MatrixFailure> = await rooms.messages(room, {
      direction: 'back',
      ...place,
      limit,
      signal,
    });
    if (!page.ok) return page;
    newest ??= page.value.start ?? '';
    const wanted = page.value.events.filter((event) => since !== null && Number(event['origin_server_ts']) >= since);
    pages.push(wanted);
    from = wanted.length > 0 ? page.value.end : null;
  }
  return ok({ from: newest ?? '', events: pages.flat().toReversed() });
}

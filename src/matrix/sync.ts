import { err, ok, type Result } from '../domain/result.ts';
import { isPassing, type MatrixFailure } from './failure.ts';
import { isObject, textOf, type Http, type JsonObject } from './http.ts';
import { backoffMs, openPause } from './pause.ts';
import type {
  BatchHandler,
  DeviceMessage,
  FollowOptions,
  Look,
  Page,
  Protection,
  RoomCrypto,
  RoomEvent,
  Rooms,
  SyncBatch,
  TransportStore,
} from './port.ts';

export interface SyncContext {
  readonly http: Http;
  readonly rooms: Rooms;
  readonly store: TransportStore;
  readonly crypto: RoomCrypto | null;
  readonly now: () => number;
  readonly random: () => number;
}

/** Synapse gives at most 100 whatever is asked; the rest of a gap comes from the history. */
const filter = {
  presence: { not_types: ['*'] },
  account_data: { not_types: ['*'] },
  room: {
    timeline: { limit: 100 },
    state: { types: ['m.room.encryption'] },
    ephemeral: { not_types: ['*'] },
    account_data: { not_types: ['*'] },
  },
};

/** Syncs until the signal or a failure that does not pass; waits out the others. */
export async function follow(
  context: SyncContext,
  handler: BatchHandler,
  options: FollowOptions,
): Promise<Result<void, MatrixFailure>> {
  const pause = openPause();
  let failures = 0;
  while (!options.signal.aborted) {
    let isEcho = false;
    const look: BatchHandler = (batch) => {
      isEcho = isOnlyEcho(batch);
      return handler(batch);
    };
    const done = await syncOnce(context, look, 30_000, options.signal);
    if (options.signal.aborted) break;
    if (done.ok) {
      failures = 0;
      options.onSynced?.();
      if (isEcho) await pause.wait(echoPauseMs, options.signal);
      continue;
    }
    if (!isPassing(done.error)) return done;
    const waitMs = waitAfter(done.error, failures++, context.random());
    options.onTrouble?.(done.error, waitMs);
    await pause.wait(waitMs, options.signal);
  }
  return ok(undefined);
}

/** While we send, each event of ours would be a sync of its own, which costs the server as much as the event does. */
const echoPauseMs = 150;

/** Nothing but what this device sent itself. */
function isOnlyEcho({ events, deviceMessages, invites, left }: SyncBatch): boolean {
  if (events.length === 0 || deviceMessages.length + invites.length + left.length > 0) return false;
  return events.every(({ txnId }) => txnId !== null);
}

function waitAfter(failure: MatrixFailure, failures: number, random: number): number {
  return failure.kind === 'rate-limited' ? failure.retryAfterMs : backoffMs(failures, random);
}

/**
 * One sync from the stored place. The order matters: keys first, then the events, then the handler, and only then `since`,
 * so that a crash anywhere repeats and never skips.
 */
export async function syncOnce(
  context: SyncContext,
  handler: BatchHandler,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Result<void, MatrixFailure>> {
  const since = context.store.since();
  const answer = await context.http.json({
    method: 'GET',
    path: '/_matrix/client/v3/sync',
    query: {
      filter: JSON.stringify(filter),
      timeout: syncTimeout(context, since, timeoutMs),
      since: since ?? undefined,
    },
    timeoutMs: timeoutMs + 60_000,
    signal,
  });
  if (!answer.ok) return answer;
  return takeAnswer(context, answer.value, since, handler, signal);
}

/** Synapse answers an initial sync from a two minutes old cache, by its parameters: a varied timeout avoids that; it answers at once anyway. */
function syncTimeout({ random }: SyncContext, since: string | null, timeoutMs: number): number {
  return since === null ? 1 + Math.floor(random() * 1e9) : timeoutMs;
}

/**
 * Takes the keys that wait for this device and looks at what is new, but leaves the stored place in the sync where it is:
 * whoever follows next misses nothing. `since` goes on from an earlier look; null begins at the stored place.
 */
export async function look(
  context: SyncContext,
  since: string | null,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Result<Look, MatrixFailure>> {
  const from = since ?? context.store.since();
  const answer = await context.http.json({
    method: 'GET',
    path: '/_matrix/client/v3/sync',
    query: { filter: JSON.stringify(filter), timeout: syncTimeout(context, from, timeoutMs), since: from ?? undefined },
    timeoutMs: timeoutMs + 60_000,
    signal,
  });
  if (!answer.ok) return answer;
  const taken = await takeKeys(context, answer.value);
  if (!taken.ok) return taken;
  const events: RoomEvent[] = [];
  for (const [room, data] of Object.entries(objectIn(objectIn(answer.value, 'rooms'), 'join'))) {
    const timeline = isObject(data) ? listIn(objectIn(data, 'timeline'), 'events') : [];
    for (const event of timeline.filter(isObject)) events.push(await readEvent(context.crypto, room, event));
  }
  return ok({ next: textOf(answer.value['next_batch'], ''), events, deviceMessages: taken.value });
}

async function takeAnswer(
  context: SyncContext,
  answer: JsonObject,
  since: string | null,
  handler: BatchHandler,
  signal: AbortSignal | undefined,
): Promise<Result<void, MatrixFailure>> {
  const next = textOf(answer['next_batch'], '');
  if (next === '') return err({ kind: 'bad-answer', detail: 'a sync without next_batch' });
  const deviceMessages = await takeKeys(context, answer);
  if (!deviceMessages.ok) return deviceMessages;
  const rooms = objectIn(answer, 'rooms');
  const joined = Object.entries(objectIn(rooms, 'join'));
  for (const [room, data] of joined) noteEncryption(context.store, room, data);
  const raw = await gather(context, joined, since, signal);
  if (!raw.ok) return raw;
  const late = await retryUndecrypted(
    context,
    since === null || listIn(objectIn(answer, 'to_device'), 'events').length > 0,
  );
  const events: RoomEvent[] = [];
  const undecrypted: { eventId: string; room: string; event: JsonObject }[] = [];
  for (const { room, event } of raw.value) {
    const read = await readEvent(context.crypto, room, event);
    if (read.protection.kind === 'undecryptable') undecrypted.push({ eventId: read.eventId, room, event });
    events.push(read);
  }
  const batch: SyncBatch = {
    events: [...late, ...events],
    deviceMessages: deviceMessages.value,
    invites: Object.entries(objectIn(rooms, 'invite')).map(([room, data]) => ({ room, by: inviterOf(data) })),
    left: Object.keys(objectIn(rooms, 'leave')),
    initial: since === null,
  };
  const also = await handler(batch);
  const seen = batch.events.filter((event) => event.protection.kind !== 'undecryptable').map((event) => event.eventId);
  context.store.finishBatch(
    { since: next, seen, undecrypted, rooms: joined.map(([room]) => room), now: context.now() },
    also ?? undefined,
  );
  for (const room of batch.left) context.store.markLeft(room);
  return ok(undefined);
}

async function takeKeys(
  context: SyncContext,
  answer: JsonObject,
): Promise<Result<readonly DeviceMessage[], MatrixFailure>> {
  const toDevice = listIn(objectIn(answer, 'to_device'), 'events');
  if (context.crypto === null) return ok(toDevice.filter(isObject).map(plainDeviceMessage));
  const lists = objectIn(answer, 'device_lists');
  return context.crypto.takeSync({
    toDevice,
    changed: textsIn(lists, 'changed'),
    left: textsIn(lists, 'left'),
    oneTimeKeys: objectIn(answer, 'device_one_time_keys_count'),
    fallbackKeys: textsIn(answer, 'device_unused_fallback_key_types'),
  });
}

/** Only ever turns encryption on. */
function noteEncryption(store: TransportStore, room: string, data: unknown): void {
  if (!isObject(data)) return;
  const events = [...listIn(objectIn(data, 'state'), 'events'), ...listIn(objectIn(data, 'timeline'), 'events')];
  if (events.some((event) => isObject(event) && event['type'] === 'm.room.encryption' && event['state_key'] === '')) {
    store.recordEncryption(room, 'encrypted');
  }
}

interface RawEvent {
  readonly room: string;
  readonly event: JsonObject;
}

/** The new events of every room, in the room's order, gaps filled, without those that were handed on before. */
async function gather(
  context: SyncContext,
  joined: readonly (readonly [string, unknown])[],
  since: string | null,
  signal: AbortSignal | undefined,
): Promise<Result<readonly RawEvent[], MatrixFailure>> {
  const all: RawEvent[] = [];
  for (const [room, data] of joined) {
    const timeline = isObject(data) ? objectIn(data, 'timeline') : {};
    const before = await missingBefore(context, room, timeline, since, signal);
    if (!before.ok) return before;
    const events = [...before.value, ...listIn(timeline, 'events').filter(isObject)];
    for (const event of events) {
      if (!context.store.wasSeen(textOf(event['event_id'], ''))) all.push({ room, event });
    }
  }
  return ok(all);
}

/** The events between the last sync and a cut timeline, oldest first. */
async function missingBefore(
  context: SyncContext,
  room: string,
  timeline: JsonObject,
  since: string | null,
  signal: AbortSignal | undefined,
): Promise<Result<readonly JsonObject[], MatrixFailure>> {
  const start = textOf(timeline['prev_batch'], '');
  if (timeline['limited'] !== true || since === null || start === '' || !context.store.wasSynced(room)) return ok([]);
  const pages: (readonly JsonObject[])[] = [];
  let from: string | null = start;
  while (from !== null) {
    const page: Result<Page, MatrixFailure> = await context.rooms.messages(room, {
      direction: 'back',
      from,
      to: since,
      signal,
    });
    if (!page.ok) return page;
    pages.push(page.value.events);
    from = page.value.events.length === 0 ? null : page.value.end;
  }
  return ok(pages.flat().toReversed());
}

async function retryUndecrypted(context: SyncContext, isDue: boolean): Promise<readonly RoomEvent[]> {
  if (!isDue || context.crypto === null) return [];
  const late: RoomEvent[] = [];
  for (const { room, event } of context.store.undecrypted()) {
    const read = await readEvent(context.crypto, room, event);
    if (read.protection.kind !== 'undecryptable') late.push(read);
  }
  return late;
}

/** One event as the server gives it, decrypted where it is encrypted. */
export async function readEvent(crypto: RoomCrypto | null, room: string, event: JsonObject): Promise<RoomEvent> {
  const content = objectIn(event, 'content');
  const base = {
    room,
    eventId: textOf(event['event_id'], ''),
    sender: textOf(event['sender'], ''),
    at: typeof event['origin_server_ts'] === 'number' ? event['origin_server_ts'] : 0,
    stateKey: typeof event['state_key'] === 'string' ? event['state_key'] : null,
    txnId: textOrNull(objectIn(event, 'unsigned')['transaction_id']),
    redacts: textOrNull(event['redacts']) ?? textOrNull(content['redacts']),
  };
  const type = textOf(event['type'], '');
  // A redacted event has no ciphertext left; it is no riddle, it is gone.
  if (type !== 'm.room.encrypted' || !('ciphertext' in content)) return { ...base, type, content, protection: plain };
  const opened = await crypto?.decrypt(room, event);
  if (opened === undefined || !opened.ok) {
    const reason = opened?.error ?? 'this device has no crypto store';
    return { ...base, type, content, protection: { kind: 'undecryptable', reason } };
  }
  const { device, signed } = opened.value;
  return {
    ...base,
    type: opened.value.type,
    content: withRelation(opened.value.content, content),
    protection: { kind: 'encrypted', device, signed },
  };
}

const plain: Protection = { kind: 'plain' };

/** What an encrypted event relates to stands outside of the ciphertext. */
function withRelation(content: JsonObject, outer: JsonObject): JsonObject {
  return 'm.relates_to' in outer && !('m.relates_to' in content)
    ? { ...content, 'm.relates_to': outer['m.relates_to'] }
    : content;
}

function plainDeviceMessage(event: JsonObject): DeviceMessage {
  return {
    sender: textOf(event['sender'], ''),
    type: textOf(event['type'], ''),
    content: objectIn(event, 'content'),
    encrypted: false,
  };
}

function inviterOf(data: unknown): string {
  const events = isObject(data) ? listIn(objectIn(data, 'invite_state'), 'events') : [];
  const invite = events
    .filter(isObject)
    .findLast((event) => event['type'] === 'm.room.member' && objectIn(event, 'content')['membership'] === 'invite');
  return textOf(invite?.['sender'], '');
}

export function objectIn(value: JsonObject, name: string): JsonObject {
  const member = value[name];
  return isObject(member) ? member : {};
}

function listIn(value: JsonObject, name: string): readonly unknown[] {
  const member = value[name];
  return Array.isArray(member) ? member : [];
}

function textsIn(value: JsonObject, name: string): readonly string[] {
  return listIn(value, name).filter((item) => typeof item === 'string');
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

import type { BucketState, OutboxRow } from '../domain/room.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { fullBucket, refill, refused, take, waitMs } from './bucket.ts';
import { checkContent } from './content.ts';
import { describeFailure, type MatrixFailure } from './failure.ts';
import { isObject, textOf, type Http, type JsonObject } from './http.ts';
import { backoffMs, type Pause } from './pause.ts';
import type { DrainOptions, RoomCrypto, Rooms, TransportStore } from './port.ts';
import { roomPath, textIn } from './rooms.ts';
import { objectIn } from './sync.ts';

export interface SendContext {
  readonly userId: string;
  readonly http: Http;
  readonly rooms: Rooms;
  readonly store: TransportStore;
  readonly crypto: RoomCrypto | null;
  readonly pause: Pause;
  /** Rooms whose hold is over; whoever takes one out takes it away. */
  readonly released: Set<string>;
  readonly now: () => number;
  readonly random: () => number;
}

/** Answers of 500 to one event before it is set aside: the server's fault, but the others must go on. */
const maxServerErrors = 8;

/** Synapse forgets transaction ids after about a day; older rows are looked for in the room before they are sent again. */
const lookUpAfterMs = 20 * 3600_000;

/** How long a room that refuses us is left alone. */
const holdRoomMs = 60_000;

/** The longest sleep: rows that another process wrote are found at the latest then. */
const longestSleepMs = 2000;

type Sent =
  | { readonly kind: 'sent'; readonly eventId: string }
  | { readonly kind: 'parked'; readonly reason: string }
  | { readonly kind: 'failed'; readonly failure: MatrixFailure };

/** What one call of `drain` remembers; all of it can be lost. */
interface DrainMemory {
  bucket: BucketState | null;
  failures: number;
  readonly held: Map<string, { readonly until: number; readonly failure: MatrixFailure }>;
  /** Rooms the server was asked about since the start: "plain" is believed for one process, "encrypted" for ever. */
  readonly asked: Set<string>;
}

/** Sends the outbox, the most urgent first, one event at a time, as the homeserver's limit allows. */
export async function drain(context: SendContext, options: DrainOptions): Promise<Result<void, MatrixFailure>> {
  const memory: DrainMemory = { bucket: context.store.bucket(), failures: 0, held: new Map(), asked: new Set() };
  while (!options.signal.aborted) {
    dropHolds(memory, context);
    const row = context.store.nextRow(new Set(memory.held.keys()));
    if (row === null) {
      if (options.untilEmpty === true) return emptied(memory);
      await context.pause.wait(longestSleepMs, options.signal);
      continue;
    }
    const waitFor = tokenWait(context, memory, row);
    if (waitFor > 0) {
      await context.pause.wait(Math.min(waitFor, longestSleepMs), options.signal);
      continue;
    }
    const fatal = await sendAndRecord(context, memory, row, options);
    if (fatal !== null) return err(fatal);
  }
  return ok(undefined);
}

function emptied(memory: DrainMemory): Result<void, MatrixFailure> {
  const [held] = memory.held.values();
  return held === undefined ? ok(undefined) : err(held.failure);
}

function dropHolds(memory: DrainMemory, { now: clock, released }: SendContext): void {
  for (const room of released) memory.held.delete(room);
  released.clear();
  const now = clock();
  for (const [room, hold] of memory.held) {
    if (hold.until <= now || hold.until > now + 2 * holdRoomMs) memory.held.delete(room);
  }
}

function tokenWait(context: SendContext, memory: DrainMemory, row: OutboxRow): number {
  const limit = context.store.limit();
  const now = context.now();
  if (limit === null) return Math.max(0, Math.min((memory.bucket?.notBefore ?? 0) - now, 600_000));
  memory.bucket = refill(memory.bucket ?? fullBucket(limit, now), limit, now);
  return waitMs(memory.bucket, limit, row.lane, now);
}

/** Returns a failure that ends the sending, as a revoked token does. */
async function sendAndRecord(
  context: SendContext,
  memory: DrainMemory,
  row: OutboxRow,
  options: DrainOptions,
): Promise<MatrixFailure | null> {
  const outcome = await sendRow(context, memory, row, options.signal);
  const now = context.now();
  switch (outcome.kind) {
    case 'sent': {
      const limit = context.store.limit();
      memory.bucket = limit === null ? null : take(memory.bucket ?? fullBucket(limit, now), limit, now);
      context.store.markSent(row.id, outcome.eventId, now, memory.bucket);
      memory.failures = 0;
      context.store.noteError(null);
      options.onSent?.(row, outcome.eventId);
      return null;
    }
    case 'parked':
      context.store.markParked(row.id, outcome.reason, now);
      options.onParked?.(row, outcome.reason);
      return null;
    case 'failed':
      return options.signal.aborted ? null : recover(context, memory, row, outcome.failure, options);
  }
}

/** What a failure means for the row, its room and the queue. */
async function recover(
  context: SendContext,
  memory: DrainMemory,
  row: OutboxRow,
  failure: MatrixFailure,
  options: DrainOptions,
): Promise<MatrixFailure | null> {
  const now = context.now();
  context.store.noteError(describeFailure(failure));
  switch (failure.kind) {
    case 'unauthorized':
      return failure;
    case 'rate-limited': {
      const limit = context.store.limit();
      const bucket = memory.bucket ?? { tokens: 0, at: now, notBefore: 0 };
      memory.bucket =
        limit === null
          ? { ...bucket, notBefore: now + failure.retryAfterMs }
          : refused(bucket, limit, now, failure.retryAfterMs);
      context.store.saveBucket(memory.bucket);
      options.onTrouble?.(failure, failure.retryAfterMs);
      return null;
    }
    case 'forbidden':
      memory.held.set(row.room, { until: now + holdRoomMs, failure });
      options.onHeld?.(row.room, failure);
      options.onTrouble?.(failure, holdRoomMs);
      return null;
    case 'too-large':
    case 'refused':
    case 'not-found':
      park(context, row, describeFailure(failure), options);
      return null;
    case 'server':
      if (!failure.gateway && context.store.markAttempt(row.id, describeFailure(failure)) >= maxServerErrors) {
        park(context, row, describeFailure(failure), options);
        return null;
      }
      break;
    case 'offline':
    case 'timeout':
    case 'bad-answer':
      break;
  }
  const waitFor = backoffMs(memory.failures++, context.random());
  options.onTrouble?.(failure, waitFor);
  await sleepThrough(context, waitFor, options.signal);
  return null;
}

/** A new row must not shorten the pause a failing server is given. */
async function sleepThrough(context: SendContext, ms: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + ms;
  for (let left = ms; left > 0 && !signal.aborted; left = until - performance.now()) {
    await context.pause.wait(left, signal);
  }
}

function park(context: SendContext, row: OutboxRow, reason: string, options: DrainOptions): void {
  context.store.markParked(row.id, reason, context.now());
  options.onParked?.(row, reason);
}

async function sendRow(context: SendContext, memory: DrainMemory, row: OutboxRow, signal: AbortSignal): Promise<Sent> {
  const target = targetOf(context, row);
  if (target.kind === 'gone') return { kind: 'parked', reason: 'what it relates to was not sent' };
  const checked = checkContent(related(row.content, target.eventId));
  if (!checked.ok) return { kind: 'parked', reason: checked.error };
  const encrypted = await mustEncrypt(context, memory, row);
  if (!encrypted.ok) return { kind: 'failed', failure: encrypted.error };
  const outer = encrypted.value ? await ciphertextOf(context, row, checked.value) : ok(checked.value);
  if (!outer.ok) return { kind: 'failed', failure: outer.error };
  if (context.now() - row.createdAt > lookUpAfterMs) {
    const found = await findInRoom(context, row, signal);
    if (!found.ok) return { kind: 'failed', failure: found.error };
    if (found.value !== null) return { kind: 'sent', eventId: found.value };
  }
  const type = encrypted.value ? 'm.room.encrypted' : row.type;
  const answer = await put(context, row, type, { ...outer.value, [ownIdField]: row.txnId });
  return answer.ok ? { kind: 'sent', eventId: answer.value } : { kind: 'failed', failure: answer.error };
}

/** By which a row is found again in its room, in the clear also where the rest is encrypted. */
const ownIdField = 'cis.txn';

function put(
  context: SendContext,
  row: OutboxRow,
  type: string,
  content: JsonObject,
): Promise<Result<string, MatrixFailure>> {
  const txn = encodeURIComponent(row.txnId);
  if (type === 'm.room.redaction') {
    return context.rooms.redact(row.room, textOf(content['redacts'], ''), row.txnId, textOf(content['reason'], ''));
  }
  const path = `${roomPath(row.room)}/send/${encodeURIComponent(type)}/${txn}`;
  // No signal: a send that was begun is awaited, so that its event id is known.
  return context.http.json({ method: 'PUT', path, body: content }).then((answer) => textIn(answer, 'event_id'));
}

type Target = { readonly kind: 'known'; readonly eventId: string | null } | { readonly kind: 'gone' };

function targetOf(context: SendContext, row: OutboxRow): Target {
  if (row.refersTo === null) return { kind: 'known', eventId: null };
  const state = context.store.rowState(row.refersTo);
  return state?.kind === 'sent' ? { kind: 'known', eventId: state.eventId } : { kind: 'gone' };
}

/** Fills the target's event id in where the content leaves it empty: in `m.relates_to`, its reply, and `redacts`. */
function related(content: JsonObject, eventId: string | null): JsonObject {
  if (eventId === null) return content;
  if (content['redacts'] === '') return { ...content, redacts: eventId };
  const relation = objectIn(content, 'm.relates_to');
  const reply = relation['m.in_reply_to'];
  const filled = {
    ...relation,
    ...(relation['event_id'] === '' ? { event_id: eventId } : {}),
    ...(isObject(reply) && reply['event_id'] === '' ? { 'm.in_reply_to': { event_id: eventId } } : {}),
  };
  return { ...content, 'm.relates_to': filled };
}

/** Reactions and redactions stay in the clear in encrypted rooms, as every client sends them: servers must see what they relate to. */
const neverEncrypted: ReadonlySet<string> = new Set(['m.reaction', 'm.room.redaction']);

/** Our own record decides; a room that is not known to be encrypted is asked about before the first send of a process. */
async function mustEncrypt(
  context: SendContext,
  memory: DrainMemory,
  row: OutboxRow,
): Promise<Result<boolean, MatrixFailure>> {
  if (neverEncrypted.has(row.type)) return ok(false);
  if (context.store.encryption(row.room) === 'encrypted') return ok(true);
  if (!memory.asked.has(row.room)) {
    const state = await context.rooms.readState(row.room, 'm.room.encryption', '');
    if (!state.ok) return state.error.kind === 'not-found' ? err(forbidden(state.error.detail)) : state;
    context.store.recordEncryption(row.room, state.value === null ? 'plain' : 'encrypted');
    memory.asked.add(row.room);
  }
  return ok(context.store.encryption(row.room) !== 'plain');
}

async function ciphertextOf(
  context: SendContext,
  row: OutboxRow,
  content: JsonObject,
): Promise<Result<JsonObject, MatrixFailure>> {
  if (row.ciphertext !== null) return ok(row.ciphertext);
  if (context.crypto === null) return err(forbidden('the room is encrypted and this process has no crypto store'));
  const made = await context.crypto.encrypt(row.room, row.type, content);
  if (made.ok) context.store.freezeCiphertext(row.id, made.value);
  return made;
}

function forbidden(detail: string): MatrixFailure {
  return { kind: 'forbidden', errcode: 'CIS_NOT_POSSIBLE', detail };
}

/** Looks through what we sent to the room since the row was written; an hour is allowed for clocks that differ. */
async function findInRoom(
  context: SendContext,
  row: OutboxRow,
  signal: AbortSignal,
): Promise<Result<string | null, MatrixFailure>> {
  let from: string | undefined;
  for (;;) {
    const page = await context.rooms.messages(row.room, {
      direction: 'back',
      ...(from === undefined ? {} : { from }),
      filter: { senders: [context.userId] },
      signal,
    });
    if (!page.ok) return page;
    const found = page.value.events.find((event) => objectIn(event, 'content')[ownIdField] === row.txnId);
    if (found !== undefined) return ok(textOf(found['event_id'], ''));
    const oldest = page.value.events.at(-1)?.['origin_server_ts'];
    const isPast = typeof oldest === 'number' && oldest < row.createdAt - 3600_000;
    if (page.value.end === null || page.value.events.length === 0 || isPast) return ok(null);
    from = page.value.end;
  }
}

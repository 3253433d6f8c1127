import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import type { Account } from '../../src/matrix/secrets.ts';
import type { RoomEvent } from '../../src/matrix/port.ts';
import { putIntoOutbox, readOutboxState, summarizeOutbox } from '../../src/storage/outbox.ts';
import { amount, record } from '../support/amounts.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  startTestHomeserver,
  type TestDevice,
  type TestHomeserver,
} from '../support/homeserver.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

let users = 0;

async function secondDevice(account: Account): Promise<Account> {
  const user = account.userId.slice(1, account.userId.indexOf(':'));
  const answer = must(
    await openHttp(account.homeserver, null).json({
      method: 'POST',
      path: '/_matrix/client/v3/login',
      body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: `${user}-password` },
    }),
  );
  return { ...account, deviceId: String(answer['device_id']), accessToken: String(answer['access_token']) };
}

async function twoInARoom(): Promise<{ sender: TestDevice; reader: TestDevice; room: string }> {
  const sender = await openTestDevice(await server.user(`sender${++users}`));
  const reader = await openTestDevice(await server.user(`reader${users}`));
  const room = must(
    await sender.transport.rooms.create({
      name: 'test',
      encrypted: false,
      invite: [reader.account.userId],
    }),
  );
  must(await reader.transport.rooms.join(room));
  must(await reader.transport.syncOnce(() => {}, 0));
  return { sender, reader, room };
}

function put(device: TestDevice, room: string, from: number, count: number): void {
  const all = device.db.transaction(() => {
    for (let n = from; n < from + count; n++) {
      putIntoOutbox(device.db, { room, lane: 'machine', type: 'cis.test', content: { n } }, Date.now());
    }
  });
  all();
  device.transport.wake();
}

/** For the longest of these tests. */
const limitMs = amount(60_000, 3_600_000);

async function sendAll(device: TestDevice): Promise<void> {
  must(await device.transport.drain({ signal: AbortSignal.timeout(limitMs), untilEmpty: true }));
}

/** Follows until `count` events of ours were handed on. */
async function readNumbers(device: TestDevice, count: number, slowMs = 0): Promise<number[]> {
  const numbers: number[] = [];
  const enough = new AbortController();
  const followed = await device.transport.follow(
    async (batch) => {
      if (slowMs > 0) await sleep(slowMs);
      numbers.push(...batch.events.filter(isOurs).map((event) => Number(event.content['n'])));
      if (numbers.length >= count) enough.abort();
    },
    { signal: AbortSignal.any([enough.signal, AbortSignal.timeout(limitMs)]) },
  );
  must(followed);
  return numbers;
}

const isOurs = (event: RoomEvent): boolean => event.type === 'cis.test';
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

const many = amount(260, 5000);

test(
  `a reader that was away for ${many} events gets all of them, in order, none twice`,
  { timeout: limitMs },
  async () => {
    const { sender, reader, room } = await twoInARoom();
    await using _s = sender;
    await using _r = reader;
    put(sender, room, 0, many);
    await sendAll(sender);
    const numbers = await readNumbers(reader, many);
    expect(numbers).toEqual(upTo(many));
    const again: RoomEvent[] = [];
    must(await reader.transport.syncOnce((batch) => void again.push(...batch.events.filter(isOurs)), 0));
    expect(again).toEqual([]);
    record('reader away', { sent: many, read: numbers.length, twice: numbers.length - new Set(numbers).size });
  },
);

test(
  `a reader that is slower than the sender gets all of ${many} events, in order, none twice`,
  { timeout: limitMs },
  async () => {
    const { sender, reader, room } = await twoInARoom();
    await using _s = sender;
    await using _r = reader;
    put(sender, room, 0, many);
    // So long for each sync that far more than a timeline holds comes between two.
    const reading = readNumbers(reader, many, amount(2_000, 8_000));
    await sendAll(sender);
    const numbers = await reading;
    expect(numbers).toEqual(upTo(many));
    record('reader syncs slowly', { sent: many, read: numbers.length, twice: numbers.length - new Set(numbers).size });
  },
);

const some = amount(120, 5000);
const restarts = amount(1, 4);

test.each(['SIGTERM', 'SIGKILL'] as const)(
  `a server ended by %s amid ${some} sends, ${restarts} times, loses nothing and doubles nothing`,
  { timeout: limitMs },
  async (signal) => {
    const { sender, reader, room } = await twoInARoom();
    await using _s = sender;
    await using _r = reader;
    put(sender, room, 0, some);
    let sent = 0;
    let reached = Promise.withResolvers<void>();
    const draining = sender.transport.drain({
      signal: AbortSignal.timeout(limitMs),
      untilEmpty: true,
      onSent: () => {
        if (++sent % Math.floor(some / (restarts + 2)) === 0) reached.resolve();
      },
    });
    const reading = readNumbers(reader, some);
    for (let round = 0; round < restarts; round++) {
      await reached.promise;
      reached = Promise.withResolvers<void>();
      await server.stop(signal);
      await server.start();
    }
    must(await draining);
    const numbers = await reading;
    expect(numbers).toEqual(upTo(some));
    const twice = numbers.length - new Set(numbers).size;
    record(`server restarted by ${signal}`, { restarts, sent: some, read: numbers.length, twice });
  },
);

test('a row sent again after its acknowledgement was lost is one event in the room', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  put(sender, room, 0, 3);
  await sendAll(sender);
  // As after a kill between the server's answer and our commit.
  sender.db.exec(`UPDATE outbox SET state = 'waiting', event_id = NULL`);
  await sendAll(sender);
  put(sender, room, 3, 1);
  await sendAll(sender);
  expect(await readNumbers(reader, 4)).toEqual(upTo(4));
});

test('a row older than the server remembers is found in the room and not sent again', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  put(sender, room, 0, 2);
  await sendAll(sender);
  const sent = readOutboxState(sender.db, 1);
  // To another device of the account the server gives a new event for the same transaction id: only the look-up can find it.
  await using later = await openTestDevice(await secondDevice(sender.account));
  const row = putIntoOutbox(later.db, { room, lane: 'machine', type: 'cis.test', content: { n: 0 } }, Date.now());
  const { txn_id: txnId } = sender.db.prepare('SELECT txn_id FROM outbox WHERE id = 1').get() as { txn_id: string };
  const yesterday = Date.now() - 21 * 3600_000;
  later.db.prepare('UPDATE outbox SET txn_id = ?, created_at = ?').run(txnId, yesterday);
  await sendAll(later);
  expect(readOutboxState(later.db, row)).toMatchObject({ eventId: sent?.kind === 'sent' ? sent.eventId : '' });
  expect(await readNumbers(reader, 2)).toEqual(upTo(2));
});

test('what the server refuses is parked and the rest goes on', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  const now = Date.now();
  const float = putIntoOutbox(sender.db, { room, lane: 'machine', type: 'cis.test', content: { n: 1.5 } }, now);
  const large = { room, lane: 'machine', type: 'cis.test', content: { text: 'x'.repeat(41_000) } } as const;
  const tooLarge = putIntoOutbox(sender.db, large, now);
  const longType = { room, lane: 'machine', type: `cis.${'t'.repeat(300)}`, content: {} } as const;
  const refused = putIntoOutbox(sender.db, longType, now);
  put(sender, room, 0, 1);
  await sendAll(sender);
  expect(readOutboxState(sender.db, float)).toEqual({
    kind: 'parked',
    reason: 'n is 1.5: a room takes whole numbers only',
  });
  expect(readOutboxState(sender.db, tooLarge)).toMatchObject({ kind: 'parked' });
  expect(readOutboxState(sender.db, refused)).toMatchObject({ kind: 'parked' });
  expect(summarizeOutbox(sender.db)).toMatchObject({ waiting: 0, sent: 1, parked: 3 });
  expect(await readNumbers(reader, 1)).toEqual([0]);
});

test('an edit written before its target was sent relates to the target', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  const text = (body: string) => ({ msgtype: 'm.notice', body });
  const card = putIntoOutbox(
    sender.db,
    { room, lane: 'card', type: 'm.room.message', content: text('one') },
    Date.now(),
  );
  const content = {
    ...text('* two'),
    'm.new_content': text('two'),
    'm.relates_to': { rel_type: 'm.replace', event_id: '' },
  };
  putIntoOutbox(sender.db, { room, lane: 'question', type: 'm.room.message', content, refersTo: card }, Date.now());
  await sendAll(sender);
  const state = readOutboxState(sender.db, card);
  const events = must(await sender.transport.rooms.messages(room, { direction: 'back', limit: 1 })).events;
  expect(events[0]).toMatchObject({
    content: { 'm.relates_to': { rel_type: 'm.replace', event_id: state?.kind === 'sent' ? state.eventId : '' } },
  });
});

test('a revoked token ends sending and syncing with a reason, and the queue stays', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  must(await sender.http.json({ method: 'POST', path: '/_matrix/client/v3/logout', body: {} }));
  put(sender, room, 0, 2);
  const drained = await sender.transport.drain({ signal: AbortSignal.timeout(20_000), untilEmpty: true });
  expect(drained).toMatchObject({ ok: false, error: { kind: 'unauthorized' } });
  const followed = await sender.transport.follow(() => {}, { signal: AbortSignal.timeout(20_000) });
  expect(followed).toMatchObject({ ok: false, error: { kind: 'unauthorized' } });
  expect(summarizeOutbox(sender.db)).toMatchObject({ waiting: 2, sent: 0 });
});

test('a room that was left holds back its own rows only', async () => {
  const { sender, reader, room } = await twoInARoom();
  await using _s = sender;
  await using _r = reader;
  const other = must(await sender.transport.rooms.create({ name: 'other', encrypted: false, invite: [] }));
  must(await sender.transport.rooms.leave(room));
  put(sender, room, 0, 1);
  put(sender, other, 0, 1);
  const drained = await sender.transport.drain({ signal: AbortSignal.timeout(20_000), untilEmpty: true });
  expect(drained).toMatchObject({ ok: false, error: { kind: 'forbidden' } });
  expect(summarizeOutbox(sender.db)).toMatchObject({ waiting: 1, sent: 1 });
});

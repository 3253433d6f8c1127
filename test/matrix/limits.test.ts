import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultRateLimit } from '../../src/matrix/bucket.ts';
import { putIntoOutbox } from '../../src/storage/outbox.ts';
import type { Lane } from '../../src/domain/room.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  startTestHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test('at the default limits details wait, questions pass them, and the server never has to refuse', async () => {
  await using device = await openTestDevice(await server.user('limited', { limited: true }), {
    limit: defaultRateLimit,
  });
  const room = must(await device.transport.rooms.create({ name: 'r', encrypted: false, invite: [] }));
  const put = (lane: Lane, n: number): void => {
    putIntoOutbox(device.db, { room, lane, type: 'cis.test', content: { n } }, Date.now());
  };
  for (let n = 0; n < 30; n++) put('detail', n);
  const enough = new AbortController();
  const lanes: Lane[] = [];
  const troubles: unknown[] = [];
  const draining = device.transport.drain({
    signal: AbortSignal.any([enough.signal, AbortSignal.timeout(25_000)]),
    onTrouble: (failure) => void troubles.push(failure),
    onSent: (row) => {
      lanes.push(row.lane);
      // Nine tokens, less three that are kept: after these the details must wait.
      if (lanes.length === 6) {
        for (const n of [100, 101, 102]) put('question', n);
        device.transport.wake();
      }
      if (lanes.length === 9) enough.abort();
    },
  });
  must(await draining);
  expect(lanes).toEqual([...Array<Lane>(6).fill('detail'), 'question', 'question', 'question']);
  expect(troubles).toEqual([]);
});

test('a refusal with 429 is waited out as long as the server says, and nothing is lost or doubled', async () => {
  await using device = await openTestDevice(await server.user('hasty', { limited: true }), { limit: null });
  const room = must(await device.transport.rooms.create({ name: 'r', encrypted: false, invite: [] }));
  for (let n = 0; n < 11; n++) {
    putIntoOutbox(device.db, { room, lane: 'detail', type: 'cis.test', content: { n } }, Date.now());
  }
  const troubles: string[] = [];
  const drained = await device.transport.drain({
    signal: AbortSignal.timeout(28_000),
    untilEmpty: true,
    onTrouble: (failure) => void troubles.push(failure.kind),
  });
  must(drained);
  const events = must(await device.transport.rooms.messages(room, { direction: 'forward' })).events;
  const numbers = events.filter((event) => event['type'] === 'cis.test').map((event) => event['content']);
  expect(numbers).toEqual(Array.from({ length: 11 }, (_, n) => expect.objectContaining({ n })));
  expect(new Set(troubles)).toEqual(new Set(['rate-limited']));
  expect(troubles.length).toBeLessThanOrEqual(3);
});

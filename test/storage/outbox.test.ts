import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lanes, type Lane } from '../../src/domain/room.ts';
import { readDevice, readEncryption, writeDevice, writeEncryption } from '../../src/storage/device.ts';
import { finishBatch, wasSeen, wasSynced } from '../../src/storage/inbox.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';
import {
  findSentRow,
  freezeCiphertext,
  markParked,
  markSent,
  nextInOutbox,
  pruneOutbox,
  putIntoOutbox,
  readOutboxState,
  summarizeOutbox,
  unpark,
} from '../../src/storage/outbox.ts';

function openDb(): Db {
  const opened = openStorage(join(mkdtempSync(join(tmpdir(), 'cis-outbox-')), 'cis.db'));
  if (!opened.ok) throw new Error(JSON.stringify(opened.error));
  return opened.value;
}

const put = (db: Db, room: string, lane: Lane, refersTo?: number): number =>
  putIntoOutbox(db, { room, lane, type: 'cis.test', content: {}, ...(refersTo === undefined ? {} : { refersTo }) }, 1);

test('rows leave by urgency, and in the order they came within a room and lane', () => {
  const item = fc.record({ room: fc.constantFrom('!a', '!b'), lane: fc.constantFrom(...lanes) });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const db = openDb();
      const ids = items.map(({ room, lane }) => ({ id: put(db, room, lane), lane }));
      const left: number[] = [];
      for (let row = nextInOutbox(db, new Set()); row !== null; row = nextInOutbox(db, new Set())) {
        markSent(db, row.id, `$${row.id}`, 2);
        left.push(row.id);
      }
      const expected = ids.toSorted((a, b) => lanes.indexOf(a.lane) - lanes.indexOf(b.lane) || a.id - b.id);
      expect(left).toEqual(expected.map(({ id }) => id));
      db.close();
    }),
    { numRuns: 20 },
  );
});

test('a row waits for the one it relates to, even a more urgent one, and a held room holds no other', () => {
  const db = openDb();
  const card = put(db, '!a', 'card');
  const question = put(db, '!a', 'question', card);
  expect(nextInOutbox(db, new Set())?.id).toBe(card);
  markSent(db, card, '$card', 2);
  expect(nextInOutbox(db, new Set())?.id).toBe(question);
  const other = put(db, '!b', 'detail');
  expect(nextInOutbox(db, new Set(['!a']))?.id).toBe(other);
});

test('a ciphertext is frozen by the first who writes it', () => {
  const db = openDb();
  const id = put(db, '!a', 'card');
  freezeCiphertext(db, id, { ciphertext: 'first' });
  freezeCiphertext(db, id, { ciphertext: 'second' });
  expect(nextInOutbox(db, new Set())?.ciphertext).toEqual({ ciphertext: 'first' });
});

test('parked rows count, wait again when asked, and sent ones are dropped in time', () => {
  const db = openDb();
  const sent = put(db, '!a', 'card');
  const parked = put(db, '!a', 'card');
  markSent(db, sent, '$1', 10);
  markParked(db, parked, 'too large', 10);
  expect(findSentRow(db, '$1')).toBe(sent);
  expect(summarizeOutbox(db)).toMatchObject({ waiting: 0, sent: 1, parked: 1, lastError: 'too large' });
  pruneOutbox(db, 11);
  expect(readOutboxState(db, sent)).toBeNull();
  expect(unpark(db)).toBe(1);
  expect(readOutboxState(db, parked)).toEqual({ kind: 'waiting' });
});

test('an encrypted room never becomes plain again', () => {
  const db = openDb();
  expect(readEncryption(db, '!a')).toBe('unknown');
  for (const encryption of ['plain', 'encrypted', 'plain'] as const) writeEncryption(db, '!a', encryption);
  expect(readEncryption(db, '!a')).toBe('encrypted');
});

const device = { homeserver: 'http://h', userId: '@a:h', deviceId: 'ONE', txnPrefix: 'p', limit: null };

test('what a batch did, its seen events and its place in the sync are one transaction', () => {
  const db = openDb();
  writeDevice(db, device);
  const end = { since: 's1', seen: ['$1'], undecrypted: [], rooms: ['!a'], now: 5 };
  const fails = (): never => {
    throw new Error('disk full');
  };
  expect(() => finishBatch(db, end, fails)).toThrow('disk full');
  expect([readDevice(db)?.since, wasSeen(db, '$1'), wasSynced(db, '!a')]).toEqual([null, false, false]);
  finishBatch(db, end);
  expect([readDevice(db)?.since, wasSeen(db, '$1'), wasSynced(db, '!a')]).toEqual(['s1', true, true]);
});

test('another device starts with an empty memory and encrypts what waits anew; the same one keeps its place', () => {
  const db = openDb();
  writeDevice(db, device);
  finishBatch(db, { since: 's1', seen: [], undecrypted: [], rooms: ['!a'], now: 5 });
  freezeCiphertext(db, put(db, '!a', 'card'), { ciphertext: 'by ONE' });
  writeDevice(db, { ...device, txnPrefix: 'q' });
  expect(readDevice(db)).toMatchObject({ since: 's1', txnPrefix: 'p' });
  writeDevice(db, { ...device, deviceId: 'TWO' });
  expect(readDevice(db)).toMatchObject({ since: null, deviceId: 'TWO' });
  expect(wasSynced(db, '!a')).toBe(false);
  expect(nextInOutbox(db, new Set())?.ciphertext).toBeNull();
});

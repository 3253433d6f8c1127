import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/matrix/http.ts';
import type { Rooms } from '../../src/matrix/port.ts';
import { summarizeOutbox } from '../../src/storage/outbox.ts';
import { amount, record } from '../support/amounts.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  startTestHomeserver,
  type TestDevice,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { ratchetIndex } from '../support/ratchet.ts';

const rounds = amount(4, 25);

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Program {
  readonly child: ChildProcess;
  /** Resolves after that many further lines, or when the program has ended. */
  lines(count: number): Promise<void>;
}

function start(name: string, ...args: string[]): Program {
  const child = spawn(process.execPath, [`test/fixtures/${name}.ts`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const reader = createInterface({ input: child.stdout });
  const ended = once(child, 'exit');
  return {
    child,
    lines: async (count) => {
      for (let n = 0; n < count; n++) await Promise.race([once(reader, 'line'), ended]);
    },
  };
}

async function kill(program: Program): Promise<void> {
  const ended = once(program.child, 'exit');
  program.child.kill('SIGKILL');
  await ended;
}

/** Somewhere between now and two sends from now; the moment must not be always the same. */
const aMoment = (): Promise<void> => sleep(Math.random() * 80);

test(
  `after ${rounds} rounds of kill -9 everything is read once, in order, encrypted, and no ratchet index was used twice`,
  async () => {
    const { senderHome, readerHome, room } = await encryptedPair();
    let sender = start('encrypted-sender', senderHome, room);
    let reader = start('encrypted-reader', readerHome);
    for (let round = 0; round < rounds; round++) {
      await Promise.all([sender.lines(1 + Math.floor(Math.random() * 8)), aMoment()]);
      await aMoment();
      if (round % 3 !== 0) await kill(sender);
      if (round % 3 !== 1) {
        await kill(reader);
        reader = start('encrypted-reader', readerHome);
      }
      if (round % 3 !== 0) sender = start('encrypted-sender', senderHome, room);
    }
    await kill(sender);
    sender = start('encrypted-sender', senderHome, room, 'finish');
    await once(sender.child, 'exit');
    const sent = await audit(senderHome, readerHome, room, reader);
    record('encrypted outbox, sender and reader killed at random', { rounds, messages: sent });
    expect(sent).toBeGreaterThan(rounds);
  },
  60_000 + rounds * 15_000,
);

async function encryptedPair(): Promise<{ senderHome: string; readerHome: string; room: string }> {
  const sender = await openTestDevice(await server.user('sender'));
  const reader = await openTestDevice(await server.user('reader'));
  for (const device of [sender, reader]) must(await device.transport.syncOnce(() => {}, 0));
  const invite = [reader.account.userId];
  const room = must(await sender.transport.rooms.create({ name: 'r', encrypted: true, invite }));
  must(await reader.transport.rooms.join(room));
  for (const device of [sender, reader]) {
    must(await device.transport.syncOnce(() => {}, 0));
    await device[Symbol.asyncDispose]();
  }
  return { senderHome: sender.home, readerHome: reader.home, room };
}

async function audit(senderHome: string, readerHome: string, room: string, running: Program): Promise<number> {
  const sender = await openTestDevice(await accountOf(senderHome), { home: senderHome });
  const { sent, waiting, parked } = summarizeOutbox(sender.db);
  expect({ waiting, parked }).toEqual({ waiting: 0, parked: 0 });
  await untilHeard(readerHome, sent, running);
  await kill(running);
  await using reader: TestDevice = await openTestDevice(await accountOf(readerHome), { home: readerHome });
  const heard = reader.db.prepare('SELECT n, problem FROM heard ORDER BY place').all();
  expect(heard).toEqual(Array.from({ length: sent }, (_, n) => ({ n, problem: null })));
  const events = await everything(sender.transport.rooms, room);
  expect(events.filter((event) => event['type'] === 'cis.test')).toEqual([]);
  const indexes = events.filter((event) => event['type'] === 'm.room.encrypted').map(ratchetIndex);
  expect(indexes).toHaveLength(sent);
  expect(new Set(indexes).size).toBe(sent);
  await sender[Symbol.asyncDispose]();
  return sent;
}

async function untilHeard(home: string, count: number, program: Program): Promise<void> {
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(`${home}/cis.db`, { readonly: true });
  const query = db.prepare('SELECT count(*) FROM heard').pluck();
  while (Number(query.get()) < count) await Promise.race([program.lines(1), sleep(200)]);
  db.close();
}

async function accountOf(home: string) {
  const { matrixFiles, readAccount } = await import('../../src/matrix/secrets.ts');
  const account = must(readAccount(matrixFiles(home)));
  if (account === null) throw new Error('no account');
  return account;
}

async function everything(rooms: Rooms, room: string): Promise<JsonObject[]> {
  const all: JsonObject[] = [];
  for (let from: string | null | undefined; from !== null;) {
    const page = must(await rooms.messages(room, { direction: 'forward', ...(from === undefined ? {} : { from }) }));
    all.push(...page.events);
    from = page.end;
  }
  return all;
}

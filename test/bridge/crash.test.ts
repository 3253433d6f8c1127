import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bridgePaths } from '../../src/bridge/paths.ts';
import { readLockHolder } from '../../src/host/lock.ts';
import { putIntoOutbox } from '../../src/storage/outbox.ts';
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
import { openWorld, type World } from '../support/world.ts';
import { expectOnce, readRoom, typeOf, until, untilAllTold } from './audit.ts';
import { loggedIn, makeRoom, writeDag } from './rooms.ts';

const rounds = amount(3, 25);

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Reads all rooms of a home until it is killed. */
function startReader(home: string): ChildProcess {
  return spawn(process.execPath, ['test/fixtures/room-reader.ts', home], { stdio: ['ignore', 'inherit', 'inherit'] });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Kills it, if it is there, and waits until it is gone: it is no child of ours. */
async function killBridge(world: World): Promise<boolean> {
  const { lock } = bridgePaths(world.home);
  const pid = readLockHolder(lock);
  if (pid === null) return false;
  process.kill(pid, 'SIGKILL');
  while (readLockHolder(lock) === pid) await sleep(5);
  return true;
}

/** The moment must not be always the same. */
const aMoment = (): Promise<void> => sleep(Math.random() * 400);

test(
  `a run in an encrypted room whose bridge and whose reader are killed at random, ${rounds} rounds: all is read once, ` +
    'encrypted, no ratchet index is used twice, and every answer arrives',
  { timeout: 120_000 + rounds * 60_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-crash');
    const [ada, watcher] = [await server.user('ada'), await server.user('watcher')];
    const room = await makeRoom(world, 'secret', '--encrypted', '--invite', ada.userId, '--invite', watcher.userId);
    const readerHome = mkdtempSync(join(tmpdir(), 'cis-reader-'));
    {
      await using device = await openTestDevice(watcher, { home: readerHome });
      must(await device.transport.syncOnce(() => {}, 0));
      must(await device.transport.rooms.join(room));
      must(await device.transport.syncOnce(() => {}, 0));
    }
    await using person: TestDevice = await openTestDevice(ada);
    must(await person.transport.rooms.join(room));
    // Its keys must be known before anything is encrypted for it.
    must(await person.transport.syncOnce(() => {}, 0));
    const following = followAsPerson(person, room);

    const env = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100', CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: ada.userId };
    const tasks = Array.from({ length: rounds }, (_, index) => {
      const deps = index === 0 ? '' : `deps = ["t${index - 1}"]\n`;
      return `[[dag.tasks]]\nid = "t${index}"\n${deps}level = { type = "confirmed" }\ncommand = "echo ${index}"\n`;
    });
    const file = writeDag(
      world,
      `[dag]\nname = "crash"\n[dag.matrix]\nencrypted = true\nroom = "${room}"\n${tasks.join('')}`,
    );
    const run = world.cis(['dag', 'run', file, '--hybrid', '--run-id', 'x'], { env });
    let reader = startReader(readerHome);
    let kills = 0;
    for (let round = 0; round < rounds; round += 1) {
      const answer = following.answer(`t${round}`);
      if (round % 3 !== 1) {
        await aMoment();
        if (await killBridge(world)) kills += 1;
      }
      if (round % 3 !== 0) {
        await kill(reader);
        reader = startReader(readerHome);
      }
      await revive(world, env);
      // A run that ends by itself must not leave the test waiting.
      await Promise.race([answer, run.then((ended) => expect(ended).toMatchObject({ code: 'still running' }))]);
      await aMoment();
      if (await killBridge(world)) kills += 1;
      await revive(world, env);
      await until(world, `SELECT 1 FROM tasks WHERE task_id = 't${round}' AND state = 'completed'`);
    }
    expect((await run).code).toBe(0);
    await revive(world, env);
    await untilAllTold(world);
    await following.end();

    const all = await readRoom(ada, room);
    expectOnce(all);
    const clear = all.map(typeOf).filter((type) => type === 'm.room.message' || type.startsWith('cis.dag'));
    expect(clear).toEqual([]);
    const ciphertexts = all.filter((event) => typeOf(event) === 'm.room.encrypted');
    const ours = ciphertexts.filter((event) => event['sender'] !== ada.userId);
    await untilHeard(readerHome, ciphertexts.length);
    await kill(reader);
    const heard = heardIn(readerHome);
    expect(heard.filter(({ problem }) => problem !== null)).toEqual([]);
    expect(heard.map(({ event_id }) => event_id).toSorted()).toEqual(
      ciphertexts.map((event) => String(event['event_id'])).toSorted(),
    );
    const indexes = ciphertexts.map(ratchetIndex);
    expect(new Set(indexes).size).toBe(indexes.length);
    record('encrypted run, bridge and reader killed at random', {
      rounds,
      'kills of the bridge': kills,
      'events of the bridge': ours.length,
      'events in all': ciphertexts.length,
      undecryptable: 0,
      plaintext: clear.length,
      'indexes twice': indexes.length - new Set(indexes).size,
    });
  },
);

/** As whoever looks at the run does: the bridge of the home comes back. */
async function revive(world: World, env: Readonly<Record<string, string>>): Promise<void> {
  const ended = await world.cis(['matrix', 'status', '--retry'], { env });
  expect(ended.code).toBe(0);
}

/** Reads the room as a person and replies to what is asked. */
function followAsPerson(person: TestDevice, room: string) {
  const stop = new AbortController();
  const asked = new Map<string, string>();
  const waiting = new Map<string, () => void>();
  const following = person.transport.follow(
    (batch) => {
      for (const { content, eventId } of batch.events) {
        const { questions = [] } = (content['cis.question'] ?? {}) as { questions?: { task_id: string }[] };
        for (const { task_id: task } of questions) {
          if (asked.has(task)) continue;
          asked.set(task, eventId);
          waiting.get(task)?.();
        }
      }
    },
    { signal: stop.signal },
  );
  return {
    async answer(task: string) {
      if (!asked.has(task)) await new Promise<void>((resolve) => void waiting.set(task, resolve));
      const content = {
        msgtype: 'm.text',
        body: 'yes',
        'm.mentions': {},
        'm.relates_to': { 'm.in_reply_to': { event_id: asked.get(task) } },
      };
      putIntoOutbox(person.db, { room, lane: 'outcome', type: 'm.room.message', content }, Date.now());
      must(await person.transport.drain({ signal: AbortSignal.timeout(60_000), untilEmpty: true }));
    },
    async end() {
      stop.abort();
      must(await following);
    },
  };
}

interface HeardRow {
  readonly event_id: string;
  readonly problem: string | null;
}

function heardIn(home: string): HeardRow[] {
  const db = new Database(join(home, 'cis.db'), { readonly: true });
  const rows = db.prepare('SELECT event_id, problem FROM heard WHERE encrypted = 1').all() as HeardRow[];
  db.close();
  return rows;
}

async function untilHeard(home: string, count: number): Promise<void> {
  while (heardIn(home).length < count) await sleep(200);
}

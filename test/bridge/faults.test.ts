import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MatrixEvent } from 'matrix-js-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bridgePaths } from '../../src/bridge/paths.ts';
import { readLockHolder } from '../../src/host/lock.ts';
import { matrixFiles, readAccount } from '../../src/matrix/secrets.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { record } from '../support/amounts.ts';
import { openWorld } from '../support/world.ts';
import { contentOf, expectOnce, expectSame, readRoom, typeOf, until, untilAllTold } from './audit.ts';
import { openProxy } from './proxy.ts';
import { bodyOf, goThrough, joinAs, loggedIn, makeRoom, message, react, writeAsking, writeDag } from './rooms.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const env = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' };

test(
  'in an encrypted room everything is encrypted, machine events go beside it, and an answer comes back',
  { timeout: 90_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-locked');
    const person = await server.user('bea');
    const room = await makeRoom(world, 'secret', '--encrypted', '--invite', person.userId);
    await using bea = await joinAs(person, room);
    const file = writeAsking(world, [['Shall I delete it?', 'Yes', 'No']]);
    const accept = { CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
    const run = world.cis(['dag', 'run', file, '--hybrid', '--room', room, '--flush'], { env: { ...env, ...accept } });
    const asked = await bea.seen(message('Shall I delete it?'));
    expect(asked.isEncrypted()).toBe(true);
    await bea.client.sendMessage(room, {
      msgtype: 'm.text' as never,
      body: 'no',
      'm.relates_to': { 'm.in_reply_to': { event_id: asked.getId() ?? '' } },
    });
    expect((await run).code).toBe(0);
    expect(readFileSync(join(world.dir, 'chosen'), 'utf8')).toBe('0:No\n');
    await bea.seen(message('1/1 · completed'));
    const events = await readRoom(person, room);
    const clear = events.map(typeOf).filter((type) => type === 'm.room.message' || type.startsWith('cis.dag'));
    expect(clear).toEqual([]);
    expectOnce(events);
  },
);

test('a room that must be encrypted and is not ends the run before it starts', { timeout: 60_000 }, async () => {
  await using world = openWorld();
  await loggedIn(world, server, 'bot-open');
  const room = await makeRoom(world, 'open');
  const file = writeDag(
    world,
    `[dag]\nname = "d"\n[dag.matrix]\nencrypted = true\nroom = "${room}"\n[[dag.tasks]]\nid = "a"\ncommand = "true"\n`,
  );
  const ended = await world.cis(['dag', 'run', file, '--hybrid']);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('is not encrypted');
  expect(
    (await world.cis(['dag', 'run', file, '--hybrid', '--room', `#nowhere:${room.slice(room.indexOf(':') + 1)}`])).code,
  ).toBe(4);
});

/** Kills the bridge, once there is one, and waits until it is gone: whoever comes next must not take it for alive. */
async function killLiving(lock: string): Promise<void> {
  let pid = readLockHolder(lock);
  for (; pid === null; pid = readLockHolder(lock)) await sleep(20);
  process.kill(pid, 'SIGKILL');
  while (readLockHolder(lock) === pid) await sleep(5);
}

test(
  'a bridge that is killed again and again sends nothing twice and leaves nothing out',
  { timeout: 120_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-killed');
    const person = await server.user('cleo');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using cleo = await joinAs(person, room);
    const tasks = Array.from({ length: 12 }, (_, index) => {
      const deps = index === 0 ? '' : `deps = ["t${index}"]\n`;
      return `[[dag.tasks]]\nid = "t${index + 1}"\n${deps}command = "sleep 0.4"\n`;
    });
    const file = writeDag(world, `[dag]\nname = "chain"\n${tasks.join('')}`);
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'k'], { env });
    const { lock } = bridgePaths(world.home);
    await cleo.seen(message('▶ chain'));
    for (const task of ['t3', 't6', 't9']) {
      await until(world, `SELECT 1 FROM tasks WHERE task_id = '${task}' AND state = 'completed'`);
      await killLiving(lock);
      // What a second run, or whoever looks, does: the bridge of the home comes back.
      await world.cis(['dag', 'mode', 'k', 'hybrid', '--room', room], { env });
    }
    expect((await run).code).toBe(0);
    await cleo.seen(message('12/12 · completed'));
    await cleo.seen((event: MatrixEvent) => event.getType() === 'cis.dag.run.completed');
    await untilAllTold(world);
    const events = await readRoom(person, room);
    record('bridge killed -9 three times', { ...expectSame(world, 'k', room, events) });
    expect(events.filter((event) => typeOf(event) === 'cis.dag.run.created')).toHaveLength(1);
  },
);

test(
  'at default limits a run of 60 tasks is folded: nothing is refused, questions come first, the room ends complete',
  {
    timeout: 240_000,
  },
  async () => {
    await using world = openWorld();
    await using proxy = await openProxy(server.url);
    await loggedIn(world, server, 'bot-limited', true);
    goThrough(world, proxy.url);

    const person = await server.user('dora');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using dora = await joinAs(person, room);
    const tasks = Array.from({ length: 60 }, (_, index) => `[[dag.tasks]]\nid = "t${index}"\ncommand = "sleep 0.2"\n`);
    const asking = `[[dag.tasks]]\nid = "ask"\ndeps = ["t59"]\nlevel = { type = "confirmed" }\ncommand = "true"\n`;
    const file = writeDag(world, `[dag]\nname = "wide"\n${tasks.join('')}${asking}`);
    const accept = { CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'w', '--flush'], {
      env: { ...env, ...accept },
    });
    const asked = await dora.seen(message('ask waits for you'));
    await react(dora, room, asked, '👍');
    expect((await run).code).toBe(0);
    const card = await dora.seen(message('61/61 · completed'));
    expect(bodyOf(card).split('\n').length).toBeLessThan(15);
    const all = await readRoom(person, room);
    const events = all.filter((event) => contentOf(event)['cis.txn'] !== undefined);
    expectOnce(events);
    // The log has four times as many events as tasks.
    expect(events.length).toBeLessThan(30);
    expect(proxy.refusals()).toBe(0);
  },
);

test('a homeserver that is down for the whole run gets all of it afterwards', { timeout: 120_000 }, async () => {
  await using world = openWorld();
  await loggedIn(world, server, 'bot-late');
  const person = await server.user('emma');
  const room = await makeRoom(world, 'dags', '--invite', person.userId);
  {
    await using emma = await joinAs(person, room);
    expect(emma.client.getUserId()).toBe(person.userId);
  }
  await server.stop();
  const file = writeDag(
    world,
    `[dag]\nname = "late"\n[[dag.tasks]]\nid = "a"\ncommand = "echo a"\n[[dag.tasks]]\nid = "b"\ndeps = ["a"]\ncommand = "echo b"\n`,
  );
  const ended = await world.cis(['dag', 'run', file, '--hybrid', '--room', room, '--run-id', 'late'], { env });
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain('the room gets everything later');
  await server.start();
  await untilAllTold(world);
  const events = await readRoom(person, room);
  record('homeserver down for the whole run', { ...expectSame(world, 'late', room, events) });
  const bodies = events
    .filter((event) => typeOf(event) === 'm.room.message')
    .map((event) => String(contentOf(event)['body']));
  expect(bodies[0]).toContain('✅ late · 2/2 · completed');
  expect(events.map(typeOf).filter((type) => type.startsWith('cis.dag'))).toEqual([
    'cis.dag.run.created',
    'cis.dag.run.started',
    'cis.dag.task.status',
    'cis.dag.run.completed',
  ]);
});

test(
  'a bridge that is killed between an event and its acknowledgement sends it once',
  { timeout: 120_000 },
  async () => {
    await using world = openWorld();
    await using proxy = await openProxy(server.url);
    await loggedIn(world, server, 'bot-cut');
    goThrough(world, proxy.url);
    const person = await server.user('fay');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using fay = await joinAs(person, room);
    const file = writeAsking(world, [['Shall I delete it?', 'Yes', 'No']]);
    const accept = { ...env, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
    let swallowed = proxy.swallowNextSend();
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'c', '--flush'], { env: accept });
    const { lock } = bridgePaths(world.home);
    for (let round = 0; round < 6; round += 1) {
      await swallowed;
      if (round < 5) swallowed = proxy.swallowNextSend();
      await killLiving(lock);
      await world.cis(['dag', 'mode', 'c', 'hybrid', '--room', room], { env: accept });
    }
    await react(fay, room, await fay.seen(message('Shall I delete it?')), '👍');
    expect((await run).code).toBe(0);
    await fay.seen(message('1/1 · completed'));
    const events = await readRoom(person, room);
    record('killed -9 between send and acknowledgement, six times', { ...expectSame(world, 'c', room, events) });
    expect(events.filter((event) => typeOf(event) === 'cis.dag.run.created')).toHaveLength(1);
    expect(events.filter((event) => isMessage(event, 'Shall I delete it?') && !isMessage(event, '* '))).toHaveLength(1);
  },
);

const isMessage = (event: Record<string, unknown>, part: string): boolean =>
  typeOf(event) === 'm.room.message' && String(contentOf(event)['body']).includes(part);

test(
  'a token that is revoked in the middle of a run ends the sending, says so, and leaves the run alone',
  {
    timeout: 60_000,
  },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-revoked');
    const account = must(readAccount(matrixFiles(world.home.dir)));
    const room = await makeRoom(world, 'dags');
    const file = writeDag(
      world,
      `[dag]\nname = "d"\n[[dag.tasks]]\nid = "a"\nlevel = { type = "confirmed" }\ncommand = "true"\n`,
    );
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'r'], { env });
    // Made by the command, so it may not be there yet.
    await world.cis(['dag', 'wait', 'r', '--blocked'], { env });
    await until(world, `SELECT 1 FROM outbox WHERE lane = 'question' AND state = 'sent'`);
    const logout = `${server.url}/_matrix/client/v3/logout`;
    await fetch(logout, { method: 'POST', headers: { authorization: `Bearer ${account?.accessToken ?? ''}` } });
    expect((await world.cis(['dag', 'confirm', 'r:a'], { env })).code).toBe(0);
    expect((await run).code).toBe(0);
    await until(world, `SELECT 1 FROM matrix_device WHERE last_error IS NOT NULL`);
    expect((await world.cis(['matrix', 'status'])).stdout).toMatch(/(?:last error|homeserver) .*access token/);
    const again = ['matrix', 'login', '--homeserver', server.url, '--user', 'bot-revoked', '--password-stdin'];
    expect((await world.cis(again, { env, stdin: 'bot-revoked-password\n' })).code).toBe(0);
    await untilAllTold(world);
    const bot = must(readAccount(matrixFiles(world.home.dir)));
    if (bot === null) throw new Error('not logged in');
    record('token revoked in mid-run, logged in again', {
      ...expectSame(world, 'r', room, await readRoom(bot, room)),
    });
  },
);

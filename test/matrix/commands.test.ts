import { mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeMachineEvent } from '../../src/matrix/events/index.ts';
import { openHttp } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount } from '../../src/matrix/secrets.ts';
import { putIntoOutbox } from '../../src/storage/outbox.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  sharedEngine,
  sharedInstall,
  startTestHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { openWorld, type Ended, type World } from '../support/world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** What a command with `--json` printed. */
function json(ended: Ended): Record<string, unknown> {
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

async function loggedIn(world: World, name: string): Promise<string> {
  const { userId } = await server.user(name);
  const args = ['matrix', 'login', '--homeserver', server.url, '--user', name, '--password-stdin', '--json'];
  const login = json(await world.cis(args, { stdin: `${name}-password\n` }));
  expect(login).toMatchObject({ user_id: userId, homeserver: server.url, signed: true });
  return userId;
}

/** The power level of a user in a room, as the account of the home sees it. */
async function levelOf(world: World, room: string, userId: string): Promise<number> {
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('not logged in');
  return must(await openRooms(openHttp(account.homeserver, account.accessToken)).powerLevels(room)).levelOf(userId);
}

test('login, whoami, rooms, status and logout, with the token in a file of its own', async () => {
  await using world = openWorld();
  const userId = await loggedIn(world, 'anna');
  const files = matrixFiles(world.home.dir);
  expect(statSync(files.account).mode & 0o777).toBe(0o600);
  const { accessToken } = JSON.parse(readFileSync(files.account, 'utf8')) as { accessToken: string };
  expect(readFileSync(world.home.database).includes(accessToken)).toBe(false);
  expect(json(await world.cis(['matrix', 'whoami', '--json']))).toMatchObject({ user_id: userId });

  const [ada, cleo] = [(await server.user('pl-ada')).userId, (await server.user('pl-cleo')).userId];
  const people = ['--answers-from', ada, '--invite', cleo];
  const plain = json(await world.cis(['matrix', 'create-room', 'my dags', '--alias', 'mine', '--json', ...people]));
  const levels = [ada, cleo].map((person) => levelOf(world, String(plain['room_id']), person));
  expect(await Promise.all(levels)).toEqual([50, 0]); // whom a room is made for may answer there
  const locked = json(await world.cis(['matrix', 'create-room', 'secret dags', '--encrypted', '--json']));
  expect(locked).toMatchObject({ encrypted: true, machine_room: expect.stringMatching(/^!/) });
  const { rooms } = json(await world.cis(['matrix', 'list-rooms', '--json'])) as { rooms: object[] };
  expect(rooms).toHaveLength(3);
  expect(rooms).toContainEqual({
    room_id: plain['room_id'],
    name: 'my dags',
    alias: `#mine:${new URL(server.url).host.replace('127.0.0.1', 'localhost')}`,
    encrypted: false,
  });
  const status = json(await world.cis(['matrix', 'status', '--json']));
  expect(status).toMatchObject({ user_id: userId, reachable: true, outbox: { waiting: 0 }, limit: { perSecond: 0.2 } });

  const kept = await world.cis(['matrix', 'logout']);
  expect(kept.code).toBe(6);
  expect(kept.stderr).toContain('loses the keys of 2 encrypted rooms');
  expect(json(await world.cis(['matrix', 'logout', '--yes', '--json']))).toMatchObject({ logged_out: true });
  const after = await world.cis(['matrix', 'whoami']);
  expect(after.code).toBe(6);
  expect(after.stderr).toContain('cis matrix login');
});

test('the password is asked for without being shown', async () => {
  await using world = openWorld();
  await server.user('emil');
  const login = world.terminal(['matrix', 'login', '--homeserver', server.url, '--user', 'emil']);
  await login.waitForText('password of emil:');
  login.type('emil-passwordX\u007f\r');
  expect(await login.waitForText('logged in as @emil:')).not.toContain('emil-password');
  expect((await login.ended).code).toBe(0);
  expect(login.output().toString()).not.toContain('emil-password');
});

test('each kind of failure has its exit code and says what to do', async () => {
  await using world = openWorld();
  const at = (homeserver: string) => [
    'matrix',
    'login',
    '--homeserver',
    homeserver,
    '--user',
    'bert',
    '--password-stdin',
  ];
  await server.user('bert');
  const wrong = await world.cis(at(server.url), { stdin: 'guess\n' });
  expect([wrong.code, wrong.stderr]).toEqual([6, `cis: ${server.url} does not accept this user and password\n`]);
  const nowhere = await world.cis(at('http://127.0.0.1:9'), { stdin: 'x\n' });
  expect(nowhere.code).toBe(5);
  const open = await world.cis(at('http://example.org'), { stdin: 'x\n' });
  expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('must not travel unencrypted')]);
  expect((await world.cis(['matrix', 'login', '--user', 'bert'])).code).toBe(2);
  expect((await world.cis(at(server.url), { stdin: 'bert-password\n' })).code).toBe(0);
  const noRoom = await world.cis(['matrix', 'subscribe', `#nothing:localhost:${new URL(server.url).port}`]);
  expect([noRoom.code, noRoom.stderr]).toEqual([4, expect.stringContaining('#nothing:localhost')]);
  const elsewhere = await world.cis([...at(server.url).slice(0, 4), '--user', 'other', '--password-stdin'], {
    stdin: 'x\n',
  });
  expect([elsewhere.code, elsewhere.stderr]).toEqual([6, expect.stringContaining('logged in as @bert:')]);
});

test('subscribe shows what a run of another machine says in a room, from a while ago and live', async () => {
  await using world = openWorld();
  const reader = await loggedIn(world, 'carla');
  await using sender = await openTestDevice(await server.user('runner'));
  const room = must(await sender.transport.rooms.create({ name: 'r', encrypted: false, invite: [reader] }));
  const say = async (reason: string): Promise<void> => {
    const content = must(
      writeMachineEvent('cis.dag.run.failed', { at: 1_700_000_000_000, run_id: 'brave-otter', reason }),
    );
    putIntoOutbox(sender.db, { room, lane: 'machine', type: 'cis.dag.run.failed', content }, Date.now());
    must(await sender.transport.drain({ signal: AbortSignal.timeout(20_000), untilEmpty: true }));
  };
  await say('before \u001b[2J');
  expect((await world.cis(['matrix', 'join', room])).code).toBe(0);
  const follower = world.terminal(['matrix', 'subscribe', room, '--since', '10m'], { cols: 120 });
  await follower.waitForText('failed: before');
  await say('later');
  const screen = await follower.waitForText('failed: later');
  expect(screen).toContain('TIME      RUN                     TASK                    STATUS');
  expect(screen).toMatch(/22:13:20 {2}brave-otter +failed: before {2}\[2J/);
  follower.signal('SIGINT');
  expect((await follower.ended).code).toBe(130);
});

test('up brings a private homeserver, its accounts and a room; down keeps them, reset removes them', async () => {
  await sharedEngine();
  await using world = openWorld();
  const { dir, homeserver } = matrixFiles(world.home.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  symlinkSync(sharedInstall(), join(dir, basename(sharedInstall())));
  try {
    const first = await world.cis(['matrix', 'up', '--user', 'Dora', '--json']);
    expect(first.code).toBe(0);
    const up = JSON.parse(first.stdout) as Record<string, string>;
    expect(up).toMatchObject({ logged_in: true, started: true, user: expect.stringMatching(/^@dora:/) });
    expect(readFileSync(world.home.config, 'utf8')).toContain(`room_id = "${up['room_alias']}"`);
    expect(statSync(homeserver).mode & 0o777).toBe(0o700);
    expect(await levelOf(world, up['room_id'] ?? '', up['user'] ?? '')).toBe(50);
    const status = json(await world.cis(['matrix', 'status', '--json']));
    expect(status).toMatchObject({ reachable: true, limit: null, own_homeserver: { url: up['homeserver'] } });
    expect(json(await world.cis(['matrix', 'down', '--json']))).toEqual({ stopped: true });
    expect((await world.cis(['matrix', 'whoami'])).code).toBe(5);
    const again = await world.cis(['matrix', 'up', '--user', 'Dora', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ room_id: up['room_id'], password: up['password'], started: true });
    expect((await world.cis(['matrix', 'reset'])).code).toBe(6);
  } finally {
    await world.cis(['matrix', 'reset', '--yes']);
  }
  expect((await world.cis(['matrix', 'whoami'])).code).toBe(6);
}, 120_000);

test('up says in one line what is missing where there is neither Python nor Docker', async () => {
  await using world = openWorld();
  const up = await world.cis(['matrix', 'up'], { env: { PATH: '/nonexistent' } });
  expect(up.code).toBe(1);
  expect(up.stderr).toContain('no homeserver can be started here: neither Python 3.10');
  expect(up.stderr).toContain('cis matrix login');
});

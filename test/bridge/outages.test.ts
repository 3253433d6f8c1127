import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount, type Account } from '../../src/matrix/secrets.ts';
import { amount, record } from '../support/amounts.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';
import { expectSame, readRoom, typeOf, until, untilAllTold } from './audit.ts';
import { openProxy } from './proxy.ts';
import { bodyOf, goThrough, joinAs, loggedIn, makeRoom, message, reply, setLimit, writeDag } from './rooms.ts';

let server: TestHomeserver;
beforeAll(async () => {
  // Every test logs in from the same address.
  const many = { per_second: 100, burst_count: 100 };
  server = await startTestHomeserver({ rc_login: { address: many, account: many } });
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const env = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' };

/** Tasks in a row, each of which waits until the test lets it go. */
function writeSteps(world: World, count: number, last = ''): string {
  const steps = Array.from({ length: count }, (_, index) => {
    const deps = index === 0 ? '' : `deps = ["step${index}"]\n`;
    const command = `until [ -e go${index + 1} ]; do sleep 0.05; done`;
    return `[[dag.tasks]]\nid = "step${index + 1}"\n${deps}command = "${command}"\n`;
  });
  return writeDag(world, `[dag]\nname = "steps"\n${steps.join('')}${last}`);
}

const go = (world: World, step: number): void => writeFileSync(join(world.dir, `go${step}`), '');

const isRunning = (step: number): string =>
  `SELECT 1 FROM tasks WHERE task_id = 'step${step}' AND state = 'running' AND EXISTS (SELECT 1 FROM outbox WHERE state = 'sent')`;

/** The room has what there is so far. */
const isQuiet = `SELECT 1 FROM bridge_runs WHERE card IS NOT NULL AND seq = (SELECT max(seq) FROM events)
  AND NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting')`;

/** A room that the person made, in which the account of the home is a guest. */
async function roomOf(person: Account, guest: string) {
  const rooms = openRooms(openHttp(person.homeserver, person.accessToken));
  const room = must(await rooms.create({ name: 'r', encrypted: false, invite: [guest] }));
  // Machine events need level 50 in rooms that cis makes.
  const levels = must(await rooms.readState(room, 'm.room.power_levels', '')) ?? {};
  const users = { [person.userId]: 100, [guest]: 50 };
  must(await rooms.writeState(room, 'm.room.power_levels', '', { ...levels, users }));
  return { rooms, room };
}

async function post(person: Account, path: string, body: Readonly<Record<string, unknown>>) {
  const http = openHttp(person.homeserver, person.accessToken);
  return must(await http.json({ method: 'POST', path: `/_matrix/client/v3/rooms/${path}`, body }));
}

const restarts = amount(2, 5);

test(`a homeserver that is restarted ${restarts} times in a run`, { timeout: 240_000 }, async () => {
  await using world = openWorld();
  await loggedIn(world, server, 'bot-restarts');
  const person = await server.user('gina');
  const room = await makeRoom(world, 'dags', '--invite', person.userId);
  await using _ = await joinAs(person, room);
  const file = writeSteps(world, restarts + 1);
  const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'x'], { env });
  for (let round = 1; round <= restarts; round += 1) {
    await until(world, isRunning(round));
    await server.stop(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    go(world, round);
    await until(world, isRunning(round + 1));
    await server.start();
  }
  go(world, restarts + 1);
  expect((await run).code).toBe(0);
  await untilAllTold(world);
  record(`homeserver restarted ${restarts} times in a run`, {
    ...expectSame(world, 'x', room, await readRoom(person, room)),
  });
});

const slowMs = amount(300, 5000);

test(`a homeserver that takes ${slowMs} ms for each request`, { timeout: 400_000 }, async () => {
  await using world = openWorld();
  await using proxy = await openProxy(server.url);
  await loggedIn(world, server, 'bot-slow');
  const room = await makeRoom(world, 'dags');
  goThrough(world, proxy.url);
  proxy.slow(slowMs);
  const gate = `[[dag.tasks]]\nid = "gate"\ndeps = ["step2"]\nlevel = { type = "confirmed" }\ncommand = "true"\n`;
  const run = world.cis(['dag', 'run', writeSteps(world, 2, gate), '--room', room, '--run-id', 'x'], { env });
  go(world, 1);
  go(world, 2);
  await until(world, `SELECT 1 FROM tasks WHERE task_id = 'gate' AND state = 'gated'`);
  expect((await world.cis(['dag', 'confirm', 'x:gate'], { env })).code).toBe(0);
  expect((await run).code).toBe(0);
  await untilAllTold(world);
  record(`homeserver takes ${slowMs} ms a request`, { ...expectSame(world, 'x', room, await readAs(world, room)) });
});

/** The room as the home's own account sees it. */
async function readAs(world: World, room: string) {
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('not logged in');
  return readRoom({ ...account, homeserver: server.url }, room);
}

test.runIf(amount(0, 1) === 1)(
  'a homeserver that refuses by its default limits, which the home believes to be lifted, under 500 tasks',
  { timeout: 900_000 },
  async () => {
    await using world = openWorld();
    await using proxy = await openProxy(server.url);
    await loggedIn(world, server, 'bot-refused', true);
    setLimit(world, null);
    goThrough(world, proxy.url);
    const room = await makeRoom(world, 'dags');
    const tasks = Array.from({ length: 500 }, (_, index) => `[[dag.tasks]]\nid = "t${index}"\ncommand = "sleep 0.2"\n`);
    // So long that far more rounds are due than ten events hold.
    const file = writeDag(world, `[dag]\nname = "wide"\nmax_workers = 4\n${tasks.join('')}`);
    const ended = await world.cis(['dag', 'run', file, '--room', room, '--run-id', 'x', '--flush'], { env });
    expect(ended.code).toBe(0);
    await untilAllTold(world);
    expect(proxy.refusals()).toBeGreaterThan(0);
    const audit = expectSame(world, 'x', room, await readAs(world, room));
    record('429 at default limits under 500 tasks', { ...audit, refusals: proxy.refusals() });
  },
);

test.each([-10, 10])(
  'a clock that is %d minutes off: asked, answered, told as ever',
  { timeout: 60_000 },
  async (minutes) => {
    await using world = openWorld();
    await loggedIn(world, server, `bot-skewed${minutes + 10}`);
    const person = await server.user(`ida${minutes + 10}`);
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using ida = await joinAs(person, room);
    const dag = `[dag]\nname = "d"\n[[dag.tasks]]\nid = "a"\nlevel = { type = "confirmed" }\ncommand = "true"\n`;
    const skewed = {
      ...env,
      CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId,
      NODE_OPTIONS: `--import ${fixture('skewed-clock.mjs')}`,
      CIS_TEST_SKEW_MS: String(minutes * 60_000),
    };
    const words = ['dag', 'run', writeDag(world, dag), '--room', room, '--run-id', 'x', '--flush'];
    const run = world.cis(words, { env: skewed });
    await reply(ida, room, await ida.seen(message('a waits for you')), 'yes');
    expect((await run).code).toBe(0);
    const all = await readRoom(person, room);
    record(`clock ${minutes} minutes off`, { ...expectSame(world, 'x', room, all) });
    const created = all.find((event) => typeOf(event) === 'cis.dag.run.created');
    if (created === undefined) throw new Error('the run was not told');
    const { at } = created['content'] as { at: number };
    const off = Math.round((at - Number(created['origin_server_ts'])) / 60_000);
    expect(off).toBe(minutes);
  },
);

test('a room that was replaced: the run goes on in the new one, with its questions', { timeout: 60_000 }, async () => {
  await using world = openWorld();
  const guest = await loggedIn(world, server, 'bot-upgraded');
  const person = await server.user('jana');
  const { rooms, room } = await roomOf(person, guest);
  await using jana = await joinAs(person, room);
  const gate = `[[dag.tasks]]\nid = "gate"\nlevel = { type = "confirmed" }\ncommand = "true"\n`;
  const run = world.cis(['dag', 'run', writeSteps(world, 1, gate), '--room', room, '--run-id', 'x', '--flush'], {
    env,
  });
  await jana.seen(message('gate waits for you'));
  await until(world, isQuiet);
  const upgraded = await post(person, `${encodeURIComponent(room)}/upgrade`, { new_version: '10' });
  const next = String(upgraded['replacement_room']);
  must(await rooms.invite(next, guest));
  go(world, 1);
  const again = await jana.seen((event) => event.getRoomId() === next && message('gate waits for you')(event));
  await reply(jana, next, again, 'yes');
  expect((await run).code).toBe(0);
  await untilAllTold(world);
  record('room replaced in mid-run', { ...expectSame(world, 'x', next, await readRoom(person, next)) });
  const old = await readRoom(person, room);
  const end = old.findIndex((event) => typeOf(event) === 'm.room.tombstone');
  expect(old.slice(end).filter(({ sender }) => sender === guest)).toEqual([]);
});

test(
  'a room it was put out of: the run goes on, the status says so, and the room is complete once it is invited again',
  { timeout: 60_000 },
  async () => {
    await using world = openWorld();
    const guest = await loggedIn(world, server, 'bot-kicked');
    const person = await server.user('kim');
    const { rooms, room } = await roomOf(person, guest);
    await using kim = await joinAs(person, room);
    const file = writeSteps(world, 3);
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'x'], { env });
    await until(world, isRunning(1));
    await kim.seen(message('▶ steps'));
    await post(person, `${encodeURIComponent(room)}/kick`, { user_id: guest, reason: 'test' });
    go(world, 1);
    await until(world, isRunning(2));
    await until(world, 'SELECT 1 FROM bridge_runs WHERE problem IS NOT NULL');
    const { stdout } = await world.cis(['matrix', 'status']);
    expect(stdout).toMatch(/follows .*(no longer in|M_FORBIDDEN)/);
    go(world, 2);
    await until(world, isRunning(3));
    must(await rooms.invite(room, guest));
    await until(world, 'SELECT 1 FROM bridge_runs WHERE problem IS NULL');
    go(world, 3);
    expect((await run).code).toBe(0);
    await untilAllTold(world);
    record('put out of the room and invited again', { ...expectSame(world, 'x', room, await readRoom(person, room)) });
  },
);

test(
  'what would be too large for an event is cut, not set aside: long questions, hostile outputs, many tasks',
  { timeout: 90_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-large');
    const person = await server.user('lena');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using lena = await joinAs(person, room);
    const noise = `<b>&"'@room [x](http://y) \u202E\u001b[31m\u0007 \u{1F600}\u{1F4A3}`;
    writeFileSync(join(world.dir, 'noise'), noise.repeat(2000));
    const tasks = Array.from({ length: 60 }, (_, index) => {
      return `[[dag.tasks]]\nid = "t${index}-${'x'.repeat(50)}"\ncommand = "cat noise; exit ${index % 2}"\n`;
    });
    const asks = `[[dag.tasks]]\nid = "ask"\ncommand = '''printf '%s' "$(head -c 9000 noise)"; printf '\\nProceed? [y/N] '; read -r x'''\n`;
    const file = writeDag(
      world,
      `[dag]\nname = "large <b>&"\npolicy = "continue_until_blocking"\n${asks}${tasks.join('')}`,
    );
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'x', '--flush'], {
      env: {
        CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '5000',
        CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId,
        CIS_DAG_HYBRID_BROADCAST_OUTPUT: 'true',
      },
    });
    const asked = await lena.seen(message('ask waits for you'));
    await reply(lena, room, asked, 'y');
    await run;
    await untilAllTold(world);
    const all = await readRoom(person, room);
    const audit = expectSame(world, 'x', room, all);
    record('messages that would be too large', { ...audit });
    expect(audit.parked).toBe(0);
    for (const event of all) {
      const text = JSON.stringify((event['content'] as object | undefined) ?? {});
      // oxlint-disable-next-line no-control-regex -- they must not be there
      expect(text).not.toMatch(/\\u001b|\\u0007|[\u202A-\u202E\u2066-\u2069]/);
    }
    expect(bodyOf(asked).length).toBeLessThan(4000);
  },
);

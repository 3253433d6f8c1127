import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld } from '../support/world.ts';
import { loggedIn, makeRoom, writeDag } from './rooms.ts';

let server: TestHomeserver;
beforeAll(async () => {
  const often = { per_second: 100, burst_count: 100 };
  server = await startTestHomeserver({ rc_login: { address: often, account: often, failed_attempts: often } });
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A question that has just come takes no answer until the person moves to it, if only by a move that goes nowhere. */
const up = '\u001B[A';
const fast = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' };

const menu = `node ${fixture('asks-menu.mjs')} '${JSON.stringify({ questions: [{ question: 'Which one?', choices: ['red', 'green'] }] })}'`;

const dag = `[dag]
name = "release"
[[dag.tasks]]
id = "deploy"
level = "confirmed"
command = "true"
[[dag.tasks]]
id = "pick"
deps = ["deploy"]
command = '''${menu}'''
[[dag.tasks]]
id = "name"
deps = ["pick"]
command = '''printf "Your name: "; read -r name; echo "$name" >name'''
[[dag.tasks]]
id = "last"
deps = ["name"]
command = "sleep 1000"
`;

test.for(['plain', 'encrypted'] as const)(
  'a dashboard on another machine shows the runs of a room that is %s, answers there, and hears what came of it',
  { timeout: 90_000 },
  async (how) => {
    await using machine = openWorld();
    await using desk = openWorld();
    await loggedIn(machine, server, `bot-desk-${how}`);
    const person = await loggedIn(desk, server, `petra-${how}`);
    const room = await makeRoom(machine, 'dags', ...(how === 'plain' ? [] : ['--encrypted']), '--invite', person);
    expect((await desk.cis(['matrix', 'join', room])).code).toBe(0);
    const env = { ...fast, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person };
    const terminal = desk.terminal(['dashboard', '--room', room], { cols: 100, rows: 24 });
    await terminal.waitForText('Nothing has run yet');
    const run = machine.cis(['dag', 'run', writeDag(machine, dag), '--room', room, '--run-id', 'rel', '--flush'], {
      env,
    });
    await terminal.waitForText(/›.*rel:deploy[^]*may it start\?/);
    terminal.type(`${up}1`);
    await terminal.waitForText(`${person}: Yes`);
    await terminal.waitForText(/✓\s+deploy/);
    await terminal.waitForText(/›.*rel:pick[^]*Which one\?[^]*2\s+green/);
    terminal.type(`${up}2`);
    await terminal.waitForText(`${person}: green`);
    await terminal.waitForText(/›.*rel:name[^]*Your name:/);
    terminal.type(`${up}t`);
    await terminal.waitForText(/ answer: _/);
    terminal.type('Zoë\r');
    await terminal.waitForText(`${person}: Zoë`);
    await terminal.waitForText(/●\s+last/);
    expect(readFileSync(join(machine.dir, 'chosen'), 'utf8')).toBe('0:green\n');
    terminal.type('\u001B[F');
    await terminal.waitForText(/›\s+●\s+last/);
    terminal.type('\r');
    await terminal.waitForText('its output stays there: cis dag logs rel:last');
    terminal.type('a');
    await terminal.waitForText('rel:last lives on another machine');
    terminal.type('k');
    await terminal.waitForText('kill rel:last?');
    terminal.type('y');
    await terminal.waitForText('killed rel:last');
    terminal.type('\u001B[D');
    await terminal.waitForText(/✗\s+rel\s.*4\/4\s+failed/);
    expect(readFileSync(join(machine.dir, 'name'), 'utf8')).toBe('Zoë\n');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, signal: null });
    expect((await run).code).toBe(1);
    expect((await machine.cis(['dag', 'events', 'rel'])).stdout).toContain(person);
  },
);

test(
  'the same account on the same machine answers by the room as well; who may not is told so',
  { timeout: 60_000 },
  async () => {
    await using machine = openWorld();
    await using desk = openWorld();
    const bot = await loggedIn(machine, server, 'bot-self');
    const stranger = await loggedIn(desk, server, 'trudi');
    const room = await makeRoom(machine, 'dags', '--invite', stranger);
    expect((await desk.cis(['matrix', 'join', room])).code).toBe(0);
    const env = { ...fast, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: bot };
    const short = dag.slice(0, dag.indexOf('[[dag.tasks]]\nid = "pick"'));
    const run = machine.cis(['dag', 'run', writeDag(machine, short), '--room', room, '--run-id', 'own', '--flush'], {
      env,
    });
    const other = desk.terminal(['dashboard', '--room', room], { cols: 110, rows: 16 });
    await other.waitForText(/›.*own:deploy/);
    other.type(`${up}y`);
    await other.waitForText('answers are taken only from');
    const own = machine.terminal(['dashboard', '--room', room], { cols: 110, rows: 16 });
    await own.waitForText(/›.*own:deploy/);
    own.type(`${up}1`);
    await own.waitForText(/✓\s+own\s.*1\/1\s+done/);
    await other.waitForText(/✓\s+own\s.*1\/1\s+done/);
    expect((await run).code).toBe(0);
  },
);

test('a room that is not there, and an account that is not logged in, end with a line', async () => {
  await using world = openWorld();
  const without = world.terminal(['dashboard', '--room', '!x:y'], { cols: 120 });
  expect((await without.ended).code).toBe(6);
  expect(without.screen()).toContain('not logged in to any homeserver');
  await loggedIn(world, server, 'nora');
  const nowhere = world.terminal(['dashboard', '--room', `#no:localhost:${new URL(server.url).port}`], { cols: 120 });
  expect((await nowhere.ended).code).toBe(4);
  expect(nowhere.screen()).toContain('no room #no:localhost');
});

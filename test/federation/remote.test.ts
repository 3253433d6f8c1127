import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunId } from '../../src/domain/ids.ts';
import type { HostConnection } from '../../src/host/port.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import {
  fileIn,
  giveRun,
  introduce,
  openMachine,
  spawnOn,
  startService,
  trustAsCoordinator,
  type Machine,
} from './remote-world.ts';

let server: TestHomeserver;
let here: Machine;
let node: Machine;
let host: HostConnection;
let service: AsyncDisposable;
const run = 'bold-heron-77aa' as RunId;

beforeAll(async () => {
  server = await startTestHomeserver();
  here = await openMachine(server, 'here');
  node = await openMachine(server, 'faraway');
  trustAsCoordinator(node, here.identity.did);
  giveRun(node, run, here);
  host = await node.world.host();
  service = startService(node);
}, installTimeoutMs);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  host[Symbol.dispose]();
  await here[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function start(task: string, script: string, machine = node): Promise<string> {
  const session = await spawnOn(machine, host, run, task, script);
  introduce(here, machine, run, [task]);
  return session;
}

const patience = { timeout: 60_000 };

test(
  'attach from another machine: what is typed arrives, its echo comes back, and the session goes on',
  patience,
  async () => {
    const session = await start('talk', 'printf "name? "; read name; echo "hello $name"; read rest; echo "end $rest"');
    const terminal = here.world.terminal(['dag', 'attach', session]);
    await terminal.waitForText('name? ');
    terminal.type('ada\r');
    await terminal.waitForText('hello ada');
    terminal.type('\u001dd');
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.screen()).toContain(`[detached from ${session}`);
    const again = here.world.terminal(['dag', 'attach', session]);
    await again.waitForText('hello ada');
    again.type('over\r');
    expect((await again.ended).code).toBe(0);
    expect(again.screen()).toContain(`[${session} exited with 0]`);
  },
);

test('sessions names the node; send, why and kill work there', patience, async () => {
  const session = await start('work', 'while read line; do echo "got $line"; done');
  const listed = await here.world.cis(['dag', 'sessions']);
  expect(listed.stdout).toMatch(/SESSION +NODE +STATE/);
  expect(listed.stdout).toMatch(new RegExp(`${session} +faraway +(running|blocked)`));
  const { sessions } = JSON.parse((await here.world.cis(['dag', 'sessions', '--json'])).stdout) as {
    sessions: { id: string; node: string; state: string }[];
  };
  expect(sessions.find(({ id }) => id === session)).toMatchObject({ node: 'faraway' });
  expect((await here.world.cis(['dag', 'send', session, 'ping', '--enter'])).code).toBe(0);
  await expect
    .poll(async () => (await here.world.cis(['dag', 'logs', session])).stdout, patience)
    .toContain('got ping');
  expect((await here.world.cis(['dag', 'why', session])).stdout).toContain(`${session} is `);
  const killed = await here.world.cis(['dag', 'kill', session]);
  expect(killed.stdout).toBe(`killed ${session}\n`);
  const list = must(await host.request({ kind: 'list', run }));
  const alive = list.kind === 'sessions' ? list.sessions.filter((one) => one.session === session) : [];
  expect(alive.filter(({ state }) => state.kind === 'running')).toEqual([]);
});

test('logs: the last lines masked by the node, the exact bytes, and what comes until the end', patience, async () => {
  const session = await start('loud', 'seq 1 2000; echo sesame; while read line; do echo "more $line"; done; echo bye');
  await expect
    .poll(async () => (await here.world.cis(['dag', 'logs', session])).stdout, patience)
    .toContain('[masked]');
  const last = await here.world.cis(['dag', 'logs', session, '-n', '3']);
  expect(last.stdout).toBe('1999\n2000\n[masked]\n');
  const raw = await here.world.cis(['dag', 'logs', session, '--raw']);
  expect(raw.stdout.startsWith('1\r\n2\r\n')).toBe(true);
  expect(raw.stdout.split('\r\n')).toHaveLength(2002);
  const following = here.world.terminal(['dag', 'logs', session, '--follow', '-n', '2']);
  await following.waitForText('2000');
  must(
    await host.request({
      kind: 'write',
      session: session as never,
      base64: Buffer.from('x\n\u0004').toString('base64'),
    }),
  );
  expect((await following.ended).code).toBe(0);
  expect(following.screen()).toMatch(/more x[^]*bye/);
});

test('unblock answers a question there; passwords are not taken from elsewhere', patience, async () => {
  const menu = await start('ask', 'printf "Continue? [y/N] "; read answer; echo "$answer" > answered');
  await expect
    .poll(async () => (await here.world.cis(['dag', 'sessions'])).stdout, patience)
    .toMatch(new RegExp(`${menu} +faraway +blocked`));
  const answered = await here.world.cis(['dag', 'unblock', menu, 'y']);
  expect(answered.stderr + answered.stdout).toContain(`answered ${menu}`);
  await expect.poll(() => existsSync(fileIn(node, 'answered')), patience).toBe(true);
  expect(readFileSync(fileIn(node, 'answered'), 'utf8')).toBe('y\n');

  const secret = await start('login', 'printf "Password: "; stty -echo; read word; stty echo; echo "len ${#word}"');
  await expect
    .poll(async () => (await here.world.cis(['dag', 'sessions'])).stdout, patience)
    .toMatch(new RegExp(`${secret} +faraway +blocked`));
  const refused = await here.world.cis(['dag', 'unblock', secret, '--text', '-'], { stdin: 'open sesame' });
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('takes no passwords from elsewhere');
  const typed = await here.world.cis(['dag', 'send', secret, 'opensesame', '--enter']);
  expect(typed.stderr).toContain('takes no passwords from elsewhere');
  const terminal = here.world.terminal(['dag', 'attach', secret]);
  await terminal.waitForText('Password: ');
  terminal.type('opensesame\r');
  await terminal.waitForText('takes no passwords from elsewhere');
  terminal.type('\u001dd');
  await terminal.ended;
  expect((await here.world.cis(['dag', 'logs', secret])).stdout).not.toContain('len');
  await here.world.cis(['dag', 'kill', secret]);
});

test(
  'where the policy takes passwords one is given from a terminal, and is written down nowhere',
  patience,
  async () => {
    await using open = await openMachine(server, 'trusting');
    trustAsCoordinator(open, here.identity.did);
    giveRun(open, run, here);
    using theirs = await open.world.host();
    await using _ = startService(open, { takesPasswords: true });
    const script = 'printf "Password: "; stty -echo; read word; stty echo; echo "len ${#word}"; read rest';
    const session = await spawnOn(open, theirs, run, 'vault', script);
    introduce(here, open, run, ['vault']);
    await expect
      .poll(async () => (await here.world.cis(['dag', 'sessions'])).stdout, patience)
      .toMatch(new RegExp(`${session} +trusting +blocked`));
    const word = 'correct-horse-battery';
    const given = await here.world.cis(['dag', 'unblock', session, '--text', '-'], { stdin: word });
    expect(given.stderr + given.stdout).toContain(`answered ${session}: done`);
    await expect
      .poll(async () => (await here.world.cis(['dag', 'logs', session])).stdout, patience)
      .toContain('len 21');
    for (const { world } of [here, open]) {
      const found = spawnSync('grep', ['-rl', word, world.home.dir], { encoding: 'utf8' });
      expect(found.stdout).toBe('');
    }
    await here.world.cis(['dag', 'kill', session]);
  },
);

test('a flooding session is shown as it is now, and floods neither the homeserver nor memory', patience, async () => {
  const session = await start('flood', 'read go; seq 1 400000; echo done flooding; read end');
  const terminal = here.world.terminal(['dag', 'attach', session]);
  await terminal.waitForText('attached to');
  terminal.type('\r');
  await terminal.waitForText('done flooding');
  // 2.7 MB were written; what came is the screen some times over
  expect(terminal.output().length).toBeLessThan(1_000_000);
  terminal.type('x\r');
  await terminal.ended;
});

test('what is not theirs is not there: other runs, own runs, strangers', patience, async () => {
  const own = 'own-run-1' as RunId;
  const session = await spawnOn(node, host, own, 'private', 'read x');
  introduce(here, node, own, ['private']);
  const hidden = await here.world.cis(['dag', 'send', session, 'x', '--enter']);
  expect(hidden.code).not.toBe(0);
  expect((await here.world.cis(['dag', 'sessions'])).stdout).not.toMatch(new RegExp(`${session} .*running`));

  await using stranger = await openMachine(server, 'stranger');
  const theirs = await start('target', 'read x');
  introduce(stranger, node, run, ['target']);
  const refused = await stranger.world.cis(['dag', 'kill', theirs]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('faraway refuses: this node takes no answers from');
  expect(refused.stderr).toContain('node.policy.answers_from is coordinators');
  const list = must(await host.request({ kind: 'list', run }));
  expect(JSON.stringify(list)).toContain(theirs);
  await here.world.cis(['dag', 'kill', theirs]);
});

test('a node that does not answer is said so, and nothing hangs', patience, async () => {
  await using silent = await openMachine(server, 'silent');
  introduce(here, silent, run, ['gone']);
  const listed = await here.world.cis(['dag', 'sessions']);
  expect(listed.stdout).toMatch(/:gone +silent +not reached/);
  expect(listed.stderr).toContain('silent does not answer (5 s)');
  const killed = await here.world.cis(['dag', 'kill', `${run}:gone`]);
  expect(killed.stderr).toContain('is cis node start running there?');
});

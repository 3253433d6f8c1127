import { expect, test } from 'vitest';
import type { SessionId } from '../../src/domain/ids.ts';
import { ask, fixture, followRun, spawnRequest } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

const id = 'r:a' as SessionId;

async function startIn(world: World, file: string, args: readonly string[] = []) {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  await ask(host, { kind: 'spawn', spawn: spawnRequest(world, id, '', { file, args }) });
  return { host, run, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

const reportsSize = ['node', [fixture('reports-size.mjs')]] as const;

test('attach shows the screen and how to leave, types, follows the size, and gives the terminal back', async () => {
  await using world = openWorld();
  using _session = await startIn(world, ...reportsSize);
  const terminal = world.terminal(['dag', 'attach', 'r:a'], { cols: 70, rows: 20 });
  await terminal.waitForText('Ctrl-] d detaches');
  await terminal.waitForText('size 70x20');
  terminal.resize(90, 30);
  await terminal.waitForText('size 90x30');
  terminal.type('hi');
  await terminal.waitForText('got "hi"');
  terminal.type('\u001d\u001d');
  await terminal.waitForText(String.raw`got "\u001d"`);
  terminal.type('\u001dd');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  expect(terminal.screen()).toContain('[detached from r:a; it goes on: cis dag attach r:a]');
});

test('one writes, others watch, and --force takes the keyboard over', async () => {
  await using world = openWorld();
  using _session = await startIn(world, ...reportsSize);
  const first = world.terminal(['dag', 'attach', 'r:a']);
  await first.waitForText('Ctrl-] d detaches');
  const second = world.terminal(['dag', 'attach', 'r:a'], { cols: 60, rows: 10 });
  await second.waitForText('watching');
  second.type('lost');
  first.type('kept');
  await second.waitForText('got "kept"');
  expect(second.screen()).not.toContain('lost');
  const third = world.terminal(['dag', 'attach', 'r:a', '--force'], { cols: 66, rows: 22 });
  await third.waitForText('size 66x22');
  expect(await first.ended).toMatchObject({ code: 6 });
  expect(first.screen()).toContain('took the keyboard of r:a');
});

test('an attached terminal is told how the session ended, and a later one what it showed last', async () => {
  await using world = openWorld();
  using session = await startIn(world, fixture('asks.sh'));
  const terminal = world.terminal(['dag', 'attach', 'r:a']);
  await terminal.waitForText('Ctrl-] d detaches');
  terminal.type('Ada\r');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  expect(terminal.screen()).toMatch(/Hello, Ada\.[\s\S]*\[r:a exited with 0\]/);
  await session.run.endOf(id);
});

test('a host that is killed gives the attached terminal back and says so', async () => {
  await using world = openWorld();
  using session = await startIn(world, ...reportsSize);
  const terminal = world.terminal(['dag', 'attach', 'r:a']);
  await terminal.waitForText('Ctrl-] d detaches');
  const status = await ask(session.host, { kind: 'status' });
  if (status.kind === 'status') process.kill(status.status.pid, 'SIGKILL');
  expect(await terminal.ended).toMatchObject({ code: 5 });
  expect(terminal.screen()).toContain('the host is gone');
  expect(terminal.output().toString()).toContain('\u001b[?25h');
});

test('a client that is told to end gives the terminal back, and the session goes on', async () => {
  await using world = openWorld();
  using session = await startIn(world, ...reportsSize);
  const terminal = world.terminal(['dag', 'attach', 'r:a']);
  await terminal.waitForText('Ctrl-] d detaches');
  terminal.signal('SIGTERM');
  expect(await terminal.ended).toMatchObject({ code: 130 });
  expect(terminal.output().toString()).toContain('\u001b[?25h');
  const list = await ask(session.host, { kind: 'list', run: null });
  expect(list.kind === 'sessions' && list.sessions.map((one) => one.state.kind)).toEqual(['running']);
});

test('a client that takes nothing holds up neither the session nor another client', async () => {
  await using world = openWorld();
  const script = 'stty -echo; read -r x; head -c 30000000 /dev/zero | tr "\\0" x; echo; echo over; read -r x';
  using session = await startIn(world, 'sh', ['-c', script]);
  const slow = world.terminal(['dag', 'attach', 'r:a', '--readonly']);
  await slow.waitForText('read-only');
  process.kill(slow.pid, 'SIGSTOP');
  const quick = world.terminal(['dag', 'attach', 'r:a']);
  await quick.waitForText('Ctrl-] d detaches');
  quick.type('\r');
  await quick.waitForText('over');
  process.kill(slow.pid, 'SIGCONT');
  await slow.waitForText('over');
  const status = await ask(session.host, { kind: 'status' });
  expect(status.kind === 'status' && status.status.rssBytes).toBeLessThan(250 * 1024 * 1024);
});

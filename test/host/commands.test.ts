import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalPath, recordingPath } from '../../src/config/home.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { connectHost } from '../../src/host/client.ts';
import { readJournal } from '../../src/host/journal.ts';
import { hostPaths } from '../../src/host/paths.ts';
import { isAlive } from '../../src/host/processes.ts';
import { startHost } from '../../src/host/start.ts';
import { ask, fixture, followRun, spawnRequest } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

async function startAll(world: World, sessions: Readonly<Record<string, string>>) {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  for (const [id, script] of Object.entries(sessions)) {
    await ask(host, { kind: 'spawn', spawn: spawnRequest(world, id, script) });
  }
  return { host, run, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

test('sessions are listed, written to by a prefix of their name, and killed', async () => {
  await using world = openWorld();
  using session = await startAll(world, { 'r:first': 'read -r x; echo "got $x"', 'r:second': 'sleep 300' });
  const listed = JSON.parse((await world.cis(['dag', 'sessions', '--json'])).stdout) as {
    sessions: { id: string; state: string }[];
  };
  expect(listed.sessions.map(({ id, state }) => [id, state])).toEqual([
    ['r:first', 'running'],
    ['r:second', 'running'],
  ]);
  expect(await world.cis(['dag', 'send', 'r:f', 'hello', '--enter'])).toMatchObject({ code: 0, stderr: '' });
  expect(await session.run.endOf('r:first')).toEqual({ kind: 'exited', code: 0 });
  const ambiguous = await world.cis(['dag', 'kill', 'x:y']);
  expect(ambiguous).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('there is no session "x:y"') as string,
  });
  expect(await world.cis(['dag', 'kill', 'r:s'])).toMatchObject({ code: 0, stdout: 'killed r:second\n' });
  expect(await session.run.endOf('r:second')).toMatchObject({ kind: 'killed', by: 'user' });
});

test('an id that fits several is refused with the candidates', async () => {
  await using world = openWorld();
  using _session = await startAll(world, { 'r:one': 'sleep 300', 'r:other': 'sleep 300' });
  const refused = await world.cis(['dag', 'send', 'r:o', 'x']);
  expect(refused).toMatchObject({
    code: 6,
    stderr: 'cis: "r:o" fits 2 sessions: give more of it\n  r:one\n  r:other\n',
  });
  expect(await world.cis(['dag', 'kill', '--all'])).toMatchObject({
    code: 0,
    stdout: 'killed r:one\nkilled r:other\n',
  });
});

test('logs show what a session wrote, as text, raw, and as it comes', async () => {
  await using world = openWorld();
  using session = await startAll(world, {
    'r:a': String.raw`printf 'one\ntwo\r\033[31mthree\033[m\n'; read -r x; echo "$x"`,
  });
  const following = world.cis(['dag', 'logs', 'r:a', '-f']);
  expect(await world.cis(['dag', 'send', 'r:a', 'four', '--enter'])).toMatchObject({ code: 0 });
  await session.run.endOf('r:a');
  expect((await following).stdout).toBe('one\nthree\nfour\nfour\n');
});

test('a host refuses to stop while sessions live, and ends them with --force', async () => {
  await using world = openWorld();
  using session = await startAll(world, { 'r:a': 'sleep 300' });
  expect(await world.cis(['host', 'stop'])).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('r:a') as string,
  });
  const status = await world.cis(['host', 'status', '--json']);
  expect(JSON.parse(status.stdout)).toMatchObject({ hosts: [{ sessions: 1 }] });
  expect(await world.cis(['host', 'stop', '--force'])).toMatchObject({ code: 0, stdout: 'stopped\n' });
  await session.host.closed;
  const last = readJournal(journalPath(world.home, 'r' as RunId), 0).at(-1);
  expect(last?.event).toEqual({ kind: 'ended', end: { kind: 'killed', by: 'host-stop', signal: 'SIGTERM' } });
  expect(existsSync(hostPaths(world.home).socket)).toBe(false);
  expect((await world.cis(['host', 'status'])).stdout).toContain('no host is running');
});

test('SIGHUP is nothing to a host, SIGTERM ends its sessions and writes their ends down', async () => {
  await using world = openWorld();
  using session = await startAll(world, { 'r:a': `exec ${fixture('ignores-signals.sh')}`, 'r:b': 'sleep 300' });
  const status = await ask(session.host, { kind: 'status' });
  if (status.kind !== 'status') throw new Error(status.kind);
  process.kill(status.status.pid, 'SIGHUP');
  expect((await ask(session.host, { kind: 'list', run: null })).kind).toBe('sessions');
  process.kill(status.status.pid, 'SIGTERM');
  await session.host.closed;
  const ends = readJournal(journalPath(world.home, 'r' as RunId), 0).filter(({ event }) => event.kind === 'ended');
  expect(ends.map((entry) => entry.session).sort()).toEqual(['r:a', 'r:b']);
});

test('after a host was killed the journal says what was started, and a torn line is cut off', async () => {
  await using world = openWorld();
  using session = await startAll(world, { 'r:a': 'sleep 300' });
  const status = await ask(session.host, { kind: 'status' });
  if (status.kind === 'status') process.kill(status.status.pid, 'SIGKILL');
  await session.host.closed;
  const path = journalPath(world.home, 'r' as RunId);
  const [spawned] = readJournal(path, 0);
  if (spawned?.event.kind !== 'spawned') throw new Error('no spawned entry');
  expect(spawned.event.pidStart).toMatch(/^\d+$/);
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"seq":2,"at":17`);
  expect(readJournal(path, 0)).toEqual([spawned]);
  using again = await startAll(world, { 'r:b': 'true' });
  await again.run.endOf('r:b');
  expect(readJournal(path, 0).map((entry) => [entry.seq, entry.session])).toEqual([
    [1, 'r:a'],
    [2, 'r:b'],
    [3, 'r:b'],
  ]);
  expect(isAlive(spawned.event.pid, 'other')).toBe(false);
});

test('clients that start at once get one host', async () => {
  await using world = openWorld();
  const hosts = await Promise.all(Array.from({ length: 4 }, () => world.host()));
  const pids = await Promise.all(hosts.map((host) => ask(host, { kind: 'status' })));
  expect(new Set(pids.map((reply) => reply.kind === 'status' && reply.status.pid)).size).toBe(1);
  expect(statSync(hostPaths(world.home).socket).mode & 0o777).toBe(0o600);
  expect(statSync(world.home.run).mode & 0o777).toBe(0o700);
  for (const host of hosts) host[Symbol.dispose]();
});

test('a stale socket and the lock of a dead process are replaced', async () => {
  await using world = openWorld();
  mkdirSync(world.home.run, { recursive: true, mode: 0o700 });
  const { socket, lock } = hostPaths(world.home);
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(`${socket}.x`, resolve));
  linkSync(`${socket}.x`, socket);
  await new Promise((resolve) => void server.close(resolve));
  writeFileSync(lock, '{"pid":1,"start":"0"}');
  using host = await world.host();
  expect((await ask(host, { kind: 'status' })).kind).toBe('status');
});

test.runIf(process.getuid?.() === 0)('a socket of somebody else is refused and left alone', async () => {
  await using world = openWorld();
  mkdirSync(world.home.run, { recursive: true, mode: 0o700 });
  const { socket } = hostPaths(world.home);
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  chownSync(socket, 12345, 12345);
  const refused = await connectHost({ home: world.home, what: 'a test', start: true });
  expect(refused).toEqual({ ok: false, error: { kind: 'not-yours', path: socket, uid: 12345 } });
  expect(await startHost(world.home)).toMatchObject({ ok: false, error: { kind: 'not-yours' } });
  await new Promise((resolve) => void server.close(resolve));
});

test('a home whose path is too long for a socket has it elsewhere', async () => {
  await using world = openWorld();
  const env = { CIS_HOME: join(world.dir, 'x'.repeat(120)), XDG_RUNTIME_DIR: world.dir };
  const status = JSON.parse((await world.cis(['host', 'status', '--json'], { env })).stdout) as { socket: string };
  expect(status.socket.startsWith(`${world.dir}/cis-`)).toBe(true);
});

test('a host of another protocol major is still listed, written to and stopped', async () => {
  await using world = openWorld();
  expect(await startHost(world.home, 0)).toEqual({ ok: true, value: undefined });
  expect(JSON.parse((await world.cis(['host', 'status', '--json'])).stdout)).toMatchObject({
    hosts: [{ sessions: 0 }],
  });
  expect(await world.cis(['host', 'stop'])).toMatchObject({ code: 0, stdout: 'stopped\n' });
});

test('what asciinema plays is what the session wrote', async ({ skip }) => {
  await using world = openWorld();
  using session = await startAll(world, { 'r:a': String.raw`printf 'h\303\251llo \033[31mred\033[m\n'; seq 50` });
  await session.run.endOf('r:a');
  if (spawnSync('asciinema', ['--version']).error !== undefined) return skip('asciinema is not installed');
  const path = recordingPath(world.home, 'r' as RunId, 'a' as TaskId, 1);
  const played = join(world.dir, 'played'); // it wants a terminal of its own
  await ask(session.host, {
    kind: 'spawn',
    spawn: spawnRequest(world, 'r:b', `HOME=${world.dir} LANG=C.UTF-8 asciinema cat ${path} >${played}`),
  });
  await session.run.endOf('r:b');
  const raw = await world.cis(['dag', 'logs', 'r:a', '--raw']);
  expect(readFileSync(played, 'utf8')).toBe(raw.stdout);
  expect(raw.stdout).toContain('h\u00e9llo \u001b[31mred');
});

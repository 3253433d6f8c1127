import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalPath, recordingPath } from '../../src/config/home.ts';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import { readJournal } from '../../src/host/journal.ts';
import { hostPaths } from '../../src/host/paths.ts';
import type { SpawnRequest } from '../../src/host/protocol.ts';
import { ask, fixture, followRun, spawnRequest } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

async function start(world: World, sessions: Readonly<Record<string, string>>, changes: Partial<SpawnRequest> = {}) {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  for (const [id, script] of Object.entries(sessions))
    await ask(host, { kind: 'spawn', spawn: spawnRequest(world, id, script, changes) });
  return { host, run, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

test('logs show the last fifty lines, as many as asked for, or all', async () => {
  await using world = openWorld();
  using session = await start(world, { 'r:a': 'seq 200' });
  await session.run.endOf('r:a');
  const lines = async (...flags: string[]) =>
    (await world.cis(['dag', 'logs', 'r:a', ...flags])).stdout.trim().split('\n');
  expect(await lines()).toEqual(Array.from({ length: 50 }, (_, index) => String(index + 151)));
  expect(await lines('-n', '2')).toEqual(['199', '200']);
  expect(await lines('--all')).toHaveLength(200);
  expect((await world.cis(['dag', 'logs', 'r:a', '--raw', '-n', '2'])).stdout).toBe('199\r\n200\r\n');
  expect(await world.cis(['dag', 'logs', 'r:a', '--all', '-n', '2'])).toMatchObject({ code: 2 });
});

test('logs --attempt shows an earlier attempt, and names one that is not there', async () => {
  await using world = openWorld();
  using session = await start(world, { 'r:a': 'echo first', 'r:a#2': 'echo second' });
  await session.run.endOf('r:a#2');
  expect((await world.cis(['dag', 'logs', 'r:a'])).stdout).toBe('second\n');
  expect((await world.cis(['dag', 'logs', 'r:a', '--attempt', '1'])).stdout).toBe('first\n');
  expect(await world.cis(['dag', 'logs', 'r:a', '--attempt', '3'])).toMatchObject({ code: 4 });
});

test('logs -f goes on across a recording that grew beyond its limit', async () => {
  await using world = openWorld();
  const path = recordingPath(world.home, 'r' as RunId, 'a' as TaskId, 1);
  using session = await start(
    world,
    { 'r:a': 'echo ready; read -r x; seq -f "line %.0f of a flood that goes on and on" 60000; echo over' },
    { recording: { path, maxBytes: 64 * 1024, title: '' } },
  );
  const following = world.terminal(['dag', 'logs', 'r:a', '-f', '--raw']);
  await following.waitForText('ready');
  await ask(session.host, {
    kind: 'write',
    session: 'r:a' as SessionId,
    base64: Buffer.from('go\r').toString('base64'),
  });
  expect(await following.ended).toEqual({ code: 0, signal: null });
  const shown = following.output().toString().split(/\r*\n/);
  expect(shown.slice(-3)).toEqual(['line 60000 of a flood that goes on and on', 'over', '']);
  const numbers = shown
    .flatMap((line) => /^line (\d+) of a flood that goes on and on$/.exec(line)?.[1] ?? [])
    .map(Number);
  // Where lines were dropped two halves of a number may meet; what is shown twice would repeat neighbours.
  const neighbours = numbers.filter((number, index) => numbers[index - 1] === number - 1);
  expect(neighbours).toEqual([...new Set(neighbours)]);
  expect(neighbours.length).toBeGreaterThan(500);
});

test('replay plays what was recorded, faster and with shorter pauses when asked', async () => {
  await using world = openWorld();
  using session = await start(world, { 'r:a': 'echo one; sleep 0.3; echo two' });
  await session.run.endOf('r:a');
  const path = recordingPath(world.home, 'r' as RunId, 'a' as TaskId, 1);
  const header = '{"version":2,"width":80,"height":24}\n';
  writeFileSync(path, `${header}[0.1,"o","one\\r\\n"]\n[5000,"o","two\\r\\n"]\n`); // it would take more than an hour
  for (const flags of [
    ['--idle-limit', '0.01'],
    ['--speed', '1000000'],
  ])
    expect(await world.cis(['dag', 'replay', 'r:a', ...flags])).toMatchObject({ code: 0, stdout: 'one\r\ntwo\r\n' });
  expect(await world.cis(['dag', 'replay', 'r:a', '--speed', '0'])).toMatchObject({ code: 2 });
});

test('sessions lists the living ones, all, those of a run, and again when something changed', async () => {
  await using world = openWorld();
  using session = await start(world, { 'r:a': 'echo done', 'r:b': 'read -r x' });
  await ask(session.host, { kind: 'spawn', spawn: spawnRequest(world, 's:c', 'sleep 300') });
  await session.run.endOf('r:a');
  const ids = async (...flags: string[]) => {
    const { stdout } = await world.cis(['dag', 'sessions', '--json', ...flags]);
    return (JSON.parse(stdout) as { sessions: { id: string }[] }).sessions.map(({ id }) => id).sort();
  };
  expect(await ids()).toEqual(['r:b', 's:c']);
  expect(await ids('--dag', 'r')).toEqual(['r:b']);
  expect(await ids('--dag', 'r', '--all')).toEqual(['r:a', 'r:b']);
  const watching = world.terminal(['dag', 'sessions', '--watch']);
  await watching.waitForText('r:b');
  await world.cis(['dag', 'send', 'r:b', '--enter']);
  await watching.waitFor((screen) => screen.includes('s:c') && !screen.includes('r:b'));
});

test('send presses the keys that are named, and names one that is not there', async () => {
  await using world = openWorld();
  const script = 'stty raw -echo; echo ready; head -c 6 | od -An -tx1; stty sane';
  using session = await start(world, { 'r:a': script });
  const following = world.terminal(['dag', 'logs', 'r:a', '-f']);
  await following.waitForText('ready');
  expect(await world.cis(['dag', 'send', 'r:a', '--keys', 'C-c Down M-x'])).toMatchObject({ code: 0 });
  await session.run.endOf('r:a');
  expect((await world.cis(['dag', 'logs', 'r:a'])).stdout).toContain('03 1b 5b 42 1b 78');
  expect(await world.cis(['dag', 'send', 'r:a', '--keys', 'Dwon'])).toMatchObject({ code: 2 });
});

test('kill --signal sends just that one', async () => {
  await using world = openWorld();
  using session = await start(world, {
    'r:a': 'trap "echo caught; exit 3" USR1; echo ready; while :; do read -r x; done',
  });
  const following = world.terminal(['dag', 'logs', 'r:a', '-f']);
  await following.waitForText('ready');
  expect(await world.cis(['dag', 'kill', 'r:a', '--signal', 'usr1'])).toMatchObject({
    code: 0,
    stdout: 'SIGUSR1 r:a\n',
  });
  expect(await session.run.endOf('r:a')).toEqual({ kind: 'exited', code: 3 });
  expect(await world.cis(['dag', 'kill', 'r:a', '--signal', 'nope'])).toMatchObject({ code: 2 });
});

test('a host that has nothing to do ends and takes its socket along', async () => {
  await using world = openWorld();
  const { socket, pid } = hostPaths(world.home);
  const { startHost } = await import('../../src/host/start.ts');
  mkdirSync(world.home.run, { recursive: true, mode: 0o700 });
  const gone = Promise.withResolvers<void>();
  using _ = disposable(watch(world.home.run, () => existsSync(socket) || existsSync(pid) || gone.resolve()));
  expect(await startHost(world.home, undefined, 200)).toEqual({ ok: true, value: undefined });
  await gone.promise;
});

function disposable(watcher: { close(): void }): Disposable {
  return { [Symbol.dispose]: () => watcher.close() };
}

test('a client that crashes gives the terminal back', async () => {
  await using world = openWorld();
  using _session = await start(world, { 'r:a': '' }, { file: 'node', args: [fixture('reports-size.mjs')] });
  const crash = fixture('crashes-when-told.mjs');
  const terminal = world.terminal(['dag', 'attach', 'r:a'], { env: { NODE_OPTIONS: `--import=${crash}` } });
  await terminal.waitForText('Ctrl-] d detaches');
  const before = terminal.output().length;
  terminal.signal('SIGUSR2');
  expect((await terminal.ended).code).not.toBe(0);
  expect(terminal.output().subarray(before).toString()).toContain('\u001b[?25h');
});

test('the keys that detach are those of the config', async () => {
  await using world = openWorld();
  using _session = await start(world, { 'r:a': 'sleep 300' });
  writeFileSync(join(world.home.dir, 'config.toml'), '[attach]\ndetach = "C-b x"\n');
  const terminal = world.terminal(['dag', 'attach', 'r:a']);
  await terminal.waitForText('Ctrl-B x detaches');
  terminal.type('\u0002x');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  const flagged = world.terminal(['dag', 'attach', 'r:a', '--detach-keys', 'C-q']);
  await flagged.waitForText('Ctrl-Q detaches');
});

test('a full disk for the journal refuses new sessions and tells ends only once they are written', async ({ skip }) => {
  await using world = openWorld();
  mkdirSync(world.home.sessions, { recursive: true, mode: 0o700 });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', world.home.sessions]).status !== 0)
    return skip('needs the right to mount a small disk');
  try {
    const recording = { path: join(world.dir, 'a.cast'), maxBytes: 1_000_000, title: '' };
    using session = await start(world, { 'r:a': 'read -r x; exit 4' }, { recording });
    const filler = join(world.home.sessions, 'filler');
    spawnSync('sh', ['-c', `cat /dev/zero >'${filler}'`]);
    const spawn = (name: string) =>
      session.host.request({ kind: 'spawn', spawn: spawnRequest(world, `r:${name}`, 'exit 4', { recording }) });
    // The journal's own last page has room for some; then replies and ends wait.
    const replies = Array.from({ length: 40 }, (_, index) => spawn(`fill-${index}`));
    const log = join(world.home.logs, 'host.log');
    const said = Promise.withResolvers<void>();
    const look = (): void => {
      if (readFileSync(log, 'utf8').includes('the journal cannot be written')) said.resolve();
    };
    using _ = disposable(watch(log, look));
    look();
    await said.promise;
    expect(await spawn('late')).toMatchObject({ ok: false, error: { kind: 'not-started' } });
    rmSync(filler);
    const started = (await Promise.all(replies)).filter((reply) => reply.ok).length;
    expect(started).toBeGreaterThan(10);
    await session.run.waitFor(
      () => session.run.entries.filter(({ event }) => event.kind === 'ended').length === started,
    );
    const onDisk = readJournal(journalPath(world.home, 'r' as RunId), 0);
    expect(onDisk).toEqual(session.run.entries);
  } finally {
    spawnSync('umount', ['-l', world.home.sessions]);
  }
});

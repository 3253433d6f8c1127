import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalPath, recordingPath } from '../../src/config/home.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { readJournal } from '../../src/host/journal.ts';
import { renderTranscript } from '../../src/host/transcript.ts';
import { ask, followRun, spawnRequest, readRecording } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

const castOf = (world: World, task: string, attempt = 1): string =>
  recordingPath(world.home, 'r' as RunId, task as TaskId, attempt);

test('a session runs, is recorded, and its end is on disk when it is told', async () => {
  await using world = openWorld();
  using host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '', GREETING: 'hello' } });
  const reply = await ask(host, { kind: 'spawn', spawn: spawnRequest(world, 'r:a', 'echo $GREETING; exit 3') });
  expect(reply.kind).toBe('spawned');
  expect(await run.endOf('r:a')).toEqual({ kind: 'exited', code: 3 });
  expect(readJournal(journalPath(world.home, 'r' as RunId), 0)).toEqual(run.entries);
  expect(run.entries.map((entry) => [entry.seq, entry.event.kind])).toEqual([
    [1, 'spawned'],
    [2, 'ended'],
  ]);
  expect(readRecording(castOf(world, 'a')).toString()).toBe('hello\r\n');
  expect(renderTranscript(castOf(world, 'a'))).toBe('hello');
  expect(statSync(castOf(world, 'a')).mode & 0o777).toBe(0o600);
});

test('cwd, umask and environment are those asked for, and nothing of the host itself', async () => {
  await using world = openWorld();
  using host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '', DROPPED: 'x', KEPT: 'y' } });
  const spawn = spawnRequest(world, 'r:a', 'umask; pwd; touch made; env | sort > env.txt', {
    umask: 0o027,
    env: { DROPPED: null, ADDED: 'z' },
  });
  await ask(host, { kind: 'spawn', spawn });
  expect(await run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
  expect(renderTranscript(castOf(world, 'a'))).toBe(`0027\n${world.dir}`);
  expect(statSync(join(world.dir, 'made')).mode & 0o777).toBe(0o640);
  const names = readFileSync(join(world.dir, 'env.txt'), 'utf8').match(/^\w+(?==)/gm);
  expect(names).toEqual(['ADDED', 'KEPT', 'PATH', 'PWD', 'TERM']);
});

test('a session that was spawned before is refused, also by the next host, and so is an old epoch', async () => {
  await using world = openWorld();
  {
    using host = await world.host();
    const run = await followRun(host, 'r');
    await ask(host, { kind: 'spawn', spawn: spawnRequest(world, 'r:a', 'true', { epoch: 2 }) });
    await run.endOf('r:a');
    await ask(host, { kind: 'stop', force: false });
    await host.closed;
  }
  using host = await world.host();
  const again = await host.request({ kind: 'spawn', spawn: spawnRequest(world, 'r:a', 'touch twice', { epoch: 2 }) });
  expect(again).toEqual({ ok: false, error: { kind: 'session-exists', session: 'r:a' } });
  const older = await host.request({ kind: 'spawn', spawn: spawnRequest(world, 'r:b', 'touch twice', { epoch: 1 }) });
  expect(older).toEqual({ ok: false, error: { kind: 'old-epoch', run: 'r', epoch: 1, seen: 2 } });
  expect(existsSync(join(world.dir, 'twice'))).toBe(false);
});

test.for([
  ['a program that is not there', { file: 'no-such-program' }, 'command not found: no-such-program'],
  ['a directory that is not there', { cwd: '/no/such' }, 'the working directory /no/such is not there'],
] as const)('%s is said before anything starts', async ([, changes, reason]) => {
  await using world = openWorld();
  using host = await world.host();
  const reply = await host.request({ kind: 'spawn', spawn: spawnRequest(world, 'r:a', 'true', changes) });
  expect(reply).toEqual({ ok: false, error: { kind: 'not-started', reason } });
});

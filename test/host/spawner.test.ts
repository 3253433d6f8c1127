import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { recordingPath } from '../../src/config/home.ts';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import type { HostConnection } from '../../src/host/port.ts';
import { isAlive } from '../../src/host/processes.ts';
import type { SpawnRequest } from '../../src/host/protocol.ts';
import { renderTranscript } from '../../src/host/transcript.ts';
import { ask, followRun, readRecording, spawnRequest, type Followed } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

const castOf = (world: World, task: string): string => recordingPath(world.home, 'r' as RunId, task as TaskId, 1);
const shown = (world: World, task: string): string => renderTranscript(castOf(world, task));

async function connect(world: World): Promise<{ readonly host: HostConnection; readonly run: Followed }> {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  return { host, run };
}

const start = (world: World, host: HostConnection, task: string, script: string, changes: Partial<SpawnRequest> = {}) =>
  ask(host, { kind: 'spawn', spawn: spawnRequest(world, `r:${task}`, script, changes) });

const write = (host: HostConnection, session: string, text: string) =>
  ask(host, { kind: 'write', session: session as SessionId, base64: Buffer.from(text).toString('base64') });

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

async function spawnerOf(host: HostConnection): Promise<number> {
  const reply = await ask(host, { kind: 'status' });
  if (reply.kind !== 'status') throw new Error('no status');
  const isSpawner = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('spawner');
  return childrenOf(reply.status.pid).find(isSpawner) ?? 0;
}

const forms = [
  ['a command', { file: '/bin/sh' }],
  ['another program', { file: 'bash' }],
] as const;

test.for(forms)('%s has its terminal, no other one, and can control its jobs', async ([, form]) => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'other', 'read -r x');
  const script = `exec 3>/dev/tty; echo controls >&3; exec 3>&-
    ls -l /proc/self/fd | grep -c -e ptmx -e "pts/" ; stty size
    ps -o pid=,sid=,tpgid= -p $$ | { read -r pid sid tpgid; [ $pid = $sid ] && echo leads; [ $pid = $tpgid ] && echo foreground; }
    set -m; sleep 100 & kill %1; wait %1; echo "job $?"`;
  await start(world, host, 'a', script, { ...form, cols: 91, rows: 17 });
  expect(await run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
  expect(
    shown(world, 'a')
      .split('\n')
      .filter((line) => !line.includes('Terminated')),
  ).toEqual([
    'controls',
    '2', // stdin and stderr; stdout is the pipe
    '17 91',
    'leads',
    'foreground',
    'job 143',
  ]);
  await write(host, 'r:other', '\r');
});

test('the keys that interrupt and stop reach the program in the foreground', async () => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'a', 'sleep 1000');
  await write(host, 'r:a', '\u0003');
  expect(await run.endOf('r:a')).toEqual({ kind: 'signalled', signal: 'SIGINT' });
});

test('arguments come as they are, and what ends at once is told as it ended', async () => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'a', '', { file: 'printf', args: ['%s|', "it's", '$HOME', 'a  b', '', '"; exit 9'] });
  await run.endOf('r:a');
  expect(shown(world, 'a')).toBe('it\'s|$HOME|a  b||"; exit 9|');
  await start(world, host, 'b', 'exit 255');
  expect(await run.endOf('r:b')).toEqual({ kind: 'exited', code: 255 });
  const spawned = run.entries.filter(({ event }) => event.kind === 'spawned').map(({ event }) => event);
  for (const event of spawned) expect(event).toMatchObject({ pidStart: expect.stringMatching(/^\d+$/) as string });
});

test('when the process that starts sessions dies, they are lost with it, and the next one starts all the same', async () => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'a', 'trap "" HUP TERM; echo up; while :; do sleep 1000; done');
  await run.waitFor(({ event }) => event.kind === 'spawned');
  const spawner = await spawnerOf(host);
  const [leader = 0] = childrenOf(spawner);
  process.kill(spawner, 'SIGKILL');
  expect(await run.endOf('r:a')).toEqual({ kind: 'lost' });
  while (isAlive(leader, '')) await new Promise(setImmediate);
  await start(world, host, 'b', 'ls -l /proc/self/fd | grep -c -e ptmx -e "pts/"; exit 7');
  expect(await run.endOf('r:b')).toEqual({ kind: 'exited', code: 7 });
  expect(shown(world, 'b')).toBe('2');
});

test('whoever attaches to type erases whole characters', async () => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'a', 'until stty -a | grep -q " iutf8"; do :; done; echo whole', { file: '/bin/sh' });
  await ask(host, {
    kind: 'attach',
    attach: { session: 'r:a' as SessionId, cols: 80, rows: 24, readonly: false, force: false },
  });
  expect(await run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
});

test('a flood that gives way to somebody who types is recorded to its last byte', async () => {
  await using world = openWorld();
  const { host, run } = await connect(world);
  using _host = host;
  await start(world, host, 'typed', 'stty raw -echo; cat');
  const reply = await ask(host, {
    kind: 'attach',
    attach: { session: 'r:typed' as SessionId, cols: 80, rows: 24, readonly: false, force: false },
  });
  if (reply.kind !== 'attached') throw new Error('not attached');
  const { attachment } = reply;
  host.listen({ output: () => host.type(attachment, Buffer.from('x')) }); // every echo is the next key
  host.type(attachment, Buffer.from('x'));
  const bytes = 6 * 1024 * 1024;
  const recording = { path: castOf(world, 'a'), maxBytes: 100e6, title: '' };
  await start(world, host, 'a', `head -c ${bytes} /dev/zero | tr "\\0" "z"`, { recording });
  expect(await run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
  expect(readRecording(castOf(world, 'a')).equals(Buffer.alloc(bytes, 'z'))).toBe(true);
  await ask(host, { kind: 'stop', force: true });
});

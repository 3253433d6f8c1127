import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordingPath } from '../../src/config/home.ts';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import type { HostConnection } from '../../src/host/port.ts';
import type { SpawnRequest } from '../../src/host/protocol.ts';
import { renderLast, renderTranscript } from '../../src/host/transcript.ts';
import { ask, fixture, followRun, spawnRequest, type Followed, readRecording } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

const id = 'r:a' as SessionId;
const castOf = (world: World): string => recordingPath(world.home, 'r' as RunId, 'a' as TaskId, 1);

interface Started extends Disposable {
  readonly host: HostConnection;
  readonly run: Followed;
}

async function start(world: World, file: string, changes: Partial<SpawnRequest> = {}): Promise<Started> {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  await ask(host, { kind: 'spawn', spawn: spawnRequest(world, id, '', { file, args: [], ...changes }) });
  return { host, run, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

/** Resolves once the session has written `text`; told by its output, not by a clock. */
async function written(host: HostConnection, text: string): Promise<void> {
  const seen = Promise.withResolvers<void>();
  let output = '';
  const look = (bytes: Uint8Array | string): void => {
    output += String(typeof bytes === 'string' ? bytes : Buffer.from(bytes));
    if (output.includes(text)) seen.resolve();
  };
  host.listen({ output: (_, bytes) => look(bytes), attachmentEnded: () => seen.resolve() });
  const attach = { session: id, cols: 80, rows: 24, readonly: true, force: false };
  const reply = await host.request({ kind: 'attach', attach });
  if (reply.ok && reply.value.kind === 'attached') look(reply.value.repaint);
  await seen.promise;
}

const write = (host: HostConnection, text: string) =>
  ask(host, { kind: 'write', session: id, base64: Buffer.from(text).toString('base64') });

test('a program that asks gets what is written, and end of file', async () => {
  await using world = openWorld();
  using session = await start(world, fixture('asks.sh'));
  await written(session.host, 'Name? ');
  await write(session.host, 'Ada\r');
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 0 });
  expect(renderTranscript(castOf(world))).toBe('Name? Ada\nHello, Ada.');
});

test('Ctrl-D ends a program that reads', async () => {
  await using world = openWorld();
  using session = await start(world, 'cat');
  await write(session.host, '\u0004');
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 0 });
});

test('a death by a signal says which', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', { args: ['-c', 'kill -SEGV $$'] });
  expect(await session.run.endOf(id)).toEqual({ kind: 'signalled', signal: 'SIGSEGV' });
});

test('a program that ignores polite signals is killed after the grace', async () => {
  await using world = openWorld();
  using session = await start(world, fixture('ignores-signals.sh'));
  await written(session.host, 'ready');
  await ask(session.host, { kind: 'kill', session: id, signal: 'SIGTERM', graceMs: 50, cause: 'timeout' });
  expect(await session.run.endOf(id)).toEqual({ kind: 'killed', by: 'timeout', signal: 'SIGKILL' });
});

test('a signal that the program survives is no end', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', {
    args: ['-c', 'trap "echo caught; exit 4" INT; echo ready; while :; do sleep 0.02; done'],
  });
  await written(session.host, 'ready');
  await ask(session.host, { kind: 'kill', session: id, signal: 'SIGINT', graceMs: null, cause: 'user' });
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 4 });
});

test('a stopped program with a stopped child is killed too, with all of its session', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', { args: ['-c', 'sleep 300 & echo pid $!; kill -STOP $$'] });
  await written(session.host, 'pid ');
  await ask(session.host, { kind: 'kill', session: id, signal: 'SIGTERM', graceMs: 2_000, cause: 'user' });
  expect((await session.run.endOf(id)).kind).toBe('killed');
  const left = Number(/pid (\d+)/.exec(readRecording(castOf(world)).toString())?.[1]);
  await gone(left);
});

test('a process that was left behind on the terminal does not hold up the end', async () => {
  await using world = openWorld();
  using session = await start(world, fixture('forks-and-lets-go.sh'));
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 0 });
  expect(readRecording(castOf(world)).toString()).toMatch(/^left \d+\r\n$/);
});

test('a program that closes its terminal, lives on and opens it again is recorded to its end', async () => {
  await using world = openWorld();
  using session = await start(world, fixture('closes-its-terminal.sh'));
  await written(session.host, 'before');
  writeFileSync(join(world.dir, 'go'), '');
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 7 });
  expect(readRecording(castOf(world)).toString()).toBe('before\r\nafter\r\n');
});

test('a recording gives back every byte', async () => {
  await using world = openWorld();
  const script = `stty -opost; node ${fixture('writes-bytes.mjs')}`;
  using session = await start(world, 'sh', { args: ['-c', script] });
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 0 });
  const all = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10);
  const text = Buffer.from('zoë \u{1f600} \u{10ff41} \u{10ffff} \u{10fe00}');
  expect(readRecording(castOf(world))).toEqual(Buffer.concat([text, Buffer.from(all), Buffer.from([0xe2, 0x82])]));
  for (const line of readFileSync(castOf(world), 'utf8').trimEnd().split('\n'))
    expect(() => JSON.parse(line)).not.toThrow();
});

test('a flood is recorded to the last byte, or its head and tail where the limit is less', async () => {
  await using world = openWorld();
  const script = 'i=0; while [ $i -lt 20000 ]; do echo "line $i of a flood that goes on and on"; i=$((i+1)); done';
  using session = await start(world, 'sh', {
    args: ['-c', script],
    recording: { path: castOf(world), maxBytes: 200_000, title: '' },
  });
  await session.run.endOf(id);
  const dropped = session.run.entries.find(({ event }) => event.kind === 'recording-truncated');
  const kept = readRecording(castOf(world)).toString();
  const all = Array.from({ length: 20_000 }, (_, i) => `line ${i} of a flood that goes on and on\r\n`).join('');
  expect(dropped?.event).toEqual({ kind: 'recording-truncated', droppedBytes: all.length - kept.length });
  expect(all.startsWith(kept.slice(0, 50_000))).toBe(true);
  expect(all.endsWith(kept.slice(-30_000))).toBe(true);
  expect(readFileSync(castOf(world)).length).toBeLessThan(200_200);
});

test('a recording that cannot be written is said, and the session goes on', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', {
    args: ['-c', 'echo one; read -r x; echo two >made; exit 5'],
    recording: { path: '/proc/no-such-place/a.cast', maxBytes: 1000, title: '' },
  });
  await session.run.waitFor(({ event }) => event.kind === 'recording-failed');
  await write(session.host, '\r');
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 5 });
  expect(readFileSync(join(world.dir, 'made'), 'utf8')).toBe('two\n');
});

test('what is written just before the exit is kept whole, whatever was read before', async () => {
  await using world = openWorld();
  using host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  const names = Array.from({ length: 30 }, (_, index) => `t${index}`);
  const script = 'stty -opost; head -c 9000 /dev/zero | tr "\\0" x; printf end';
  for (const name of names) await ask(host, { kind: 'spawn', spawn: spawnRequest(world, `r:${name}`, script) });
  for (const name of names) {
    await run.endOf(`r:${name}`);
    const recorded = readRecording(recordingPath(world.home, 'r' as RunId, name as TaskId, 1)).toString();
    expect(recorded).toBe(`${'x'.repeat(9_000)}end`);
  }
});

test('a full disk stops the recording at a whole line, and the session goes on', async ({ skip }) => {
  await using world = openWorld();
  const disk = join(world.dir, 'disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  if (mounted.status !== 0) return skip('needs the right to mount a small disk');
  const path = join(disk, 'a.cast');
  try {
    const script = 'i=0; while [ $i -lt 4000 ]; do echo "line $i of a flood that goes on"; i=$((i+1)); done; exit 6';
    using session = await start(world, 'sh', {
      args: ['-c', script],
      recording: { path, maxBytes: 1_000_000, title: '' },
    });
    expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 6 });
    const failed = session.run.entries.find(({ event }) => event.kind === 'recording-failed');
    expect(failed?.event).toMatchObject({ reason: expect.stringContaining('ENOSPC') as string });
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    expect(readRecording(path).toString()).toMatch(/^line 0 of a flood/);
  } finally {
    spawnSync('umount', ['-l', disk]);
  }
});

test('input that nobody reads is kept up to a bound and holds up nobody', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', {
    args: ['-c', 'stty raw -echo; echo ready; while [ ! -e go ]; do sleep 0.02; done; head -c 200000 | wc -c'],
  });
  await written(session.host, 'ready');
  await write(session.host, 'x'.repeat(200_000));
  expect((await ask(session.host, { kind: 'status' })).kind).toBe('status');
  writeFileSync(join(world.dir, 'go'), '');
  expect(await session.run.endOf(id)).toEqual({ kind: 'exited', code: 0 });
  expect(renderTranscript(castOf(world))).toContain('200000');
});

test('a program that asks its terminal where the cursor is gets an answer with nobody attached', async () => {
  await using world = openWorld();
  const script = String.raw`stty raw -echo; printf 'abc\033[6n'; head -c 6 | od -c | head -1`;
  using session = await start(world, 'sh', { args: ['-c', script] });
  await session.run.endOf(id);
  expect(renderTranscript(castOf(world))).toContain('033   [   1   ;   4   R');
});

test('the screen is what a person would see', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', {
    args: ['-c', String.raw`printf 'old\033[2J\033[Htop\033]0;title\007\033[3;5Hx'; read -r x`],
  });
  await written(session.host, 'x');
  const reply = await ask(session.host, { kind: 'screen', session: id });
  if (reply.kind !== 'screen') throw new Error(reply.kind);
  expect(reply.screen.lines.slice(0, 3)).toEqual(['top', '', '    x']);
  expect(reply.screen).toMatchObject({ title: 'title', cursor: { row: 2, col: 5, visible: true } });
});

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
      if (/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}

test('the output of a program that paints its screen can be read', async () => {
  await using world = openWorld();
  using session = await start(world, 'sh', { args: ['-c', String.raw`printf '\033[2J\033[Hpainted\033[5;1Hbelow\n'`] });
  await session.run.endOf(id);
  expect(renderLast(castOf(world), 1024 * 1024).text).toContain('painted');
});

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import Database from 'better-sqlite3';
import { openWorld, type Ended, type World } from '../support/world.ts';
import { dagFile, dagOf, expectEnd } from './support.ts';

/** The first task goes on when the file `go` appears, and notes every start of it. */
const waits = dagOf(
  ['waits', 'echo start >> starts; until [ -e go ]; do sleep 0.05; done; echo waited'],
  ['after', 'cat "$CIS_UPSTREAM_WAITS"', 'waits'],
);

const starts = (world: World): number => {
  const path = join(world.dir, 'starts');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
};
const started = (world: World): Promise<void> => vi.waitFor(() => expect(starts(world)).toBe(1), 20_000);
const go = (world: World): void => writeFileSync(join(world.dir, 'go'), '');

/** Who drives the run, as it stands in its lease. */
function driverOf(world: World, run: string): number | null {
  const db = new Database(world.home.database, { readonly: true });
  const row = db.prepare('SELECT pid FROM leases WHERE run_id = ?').get(run) as { pid: number | null } | undefined;
  db.close();
  return row?.pid ?? null;
}

async function finish(world: World, run: string): Promise<void> {
  go(world);
  expectEnd(await world.cis(['dag', 'execute', '--run-id', run]), 0, `${run} completed`);
  expect(starts(world)).toBe(1);
  expect((await world.cis(['dag', 'output', run, 'after'])).stdout).toBe('waited\n');
}

test.for(['SIGTERM', 'SIGHUP'] as const)(
  '%s to a driver lets its sessions live and says how to carry on',
  async (signal) => {
    await using world = openWorld();
    const run = world.cis(['dag', 'run', dagFile(world, waits), '--run-id', 'told']);
    await started(world);
    process.kill(driverOf(world, 'told') ?? 0, signal);
    const ended = await run;
    expectEnd(ended, 130, 'carry on: cis dag execute --run-id told');
    expect((await world.cis(['dag', 'sessions', '--json'])).stdout).toContain('told:waits');
    await finish(world, 'told');
  },
);

test('SIGINT to a driver without a keyboard aborts the run and its sessions, and it can be carried on', async () => {
  await using world = openWorld();
  const run = world.cis(['dag', 'run', dagFile(world, waits), '--run-id', 'cut']);
  await started(world);
  process.kill(driverOf(world, 'cut') ?? 0, 'SIGINT');
  expectEnd(await run, 1, 'cut aborted');
  expect((await world.cis(['dag', 'sessions', '--json'])).stdout).toContain('"sessions":[]');
  go(world);
  expectEnd(await world.cis(['dag', 'execute', '--run-id', 'cut']), 0, 'cut completed');
});

test('SIGTERM to a driver in the background leaves a run that can be carried on', async () => {
  await using world = openWorld();
  expectEnd(await world.cis(['dag', 'run', dagFile(world, waits), '--run-id', 'far', '--detach']), 0, 'far');
  await started(world);
  const pid = driverOf(world, 'far') ?? 0;
  process.kill(pid, 'SIGTERM');
  await vi.waitFor(() => expect(driverOf(world, 'far')).toBe(null), 20_000);
  await finish(world, 'far');
});

test('a second driver is refused and told who drives', async () => {
  await using world = openWorld();
  const run = world.cis(['dag', 'run', dagFile(world, waits), '--run-id', 'mine']);
  await started(world);
  const pid = driverOf(world, 'mine');
  expectEnd(await world.cis(['dag', 'execute', '--run-id', 'mine']), 6, `already driven by process ${pid} (dag run`);
  go(world);
  expectEnd(await run, 0, 'mine completed');
});

test('a terminal that is closed while it shows the table takes no session with it', async () => {
  await using world = openWorld();
  const terminal = world.terminal(['dag', 'run', dagFile(world, waits), '--run-id', 'shown']);
  await started(world);
  terminal.signal('SIGHUP');
  await terminal.ended;
  expect((await world.cis(['dag', 'sessions', '--json'])).stdout).toContain('shown:waits');
  await finish(world, 'shown');
});

test('a reader that goes away, as head does, ends the showing but not the run', async () => {
  await using world = openWorld();
  const path = dagFile(world, waits);
  const run = pipeToHead(world, ['dag', 'run', path, '--run-id', 'piped']);
  await started(world);
  go(world);
  const ended = await run;
  expectEnd(ended, 0, '');
  expect(ended.stderr).toBe('');
  expectEnd(await world.cis(['dag', 'status', 'piped', '--json']), 0, '"state":"completed"');
});

/** Runs cis with a reader that takes one line and leaves; the exit code is that of cis. */
function pipeToHead(world: World, args: readonly string[]): Promise<Ended> {
  const script = '{ "$@"; echo $? > code; } | head -n 1; exit $(cat code)';
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...world.command, ...args], { cwd: world.dir, env: world.env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  return new Promise((resolve) => void child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

test('a host told to end stops its sessions; a person decides about what was cut off, and the run goes on', async () => {
  await using world = openWorld();
  const run = world.cis(['dag', 'run', dagFile(world, waits), '--run-id', 'hostless']);
  await started(world);
  process.kill(Number(readFileSync(join(world.home.run, 'host.pid'), 'utf8')), 'SIGTERM');
  expectEnd(await run, 3, 'hostless:waits was cut off in the middle: cis dag retry|skip hostless:waits');
  go(world);
  expectEnd(await world.cis(['dag', 'retry', 'hostless:waits']), 0, '');
  expectEnd(await world.cis(['dag', 'execute', '--run-id', 'hostless']), 0, 'hostless completed');
});

test.for([-1, 1])('a clock that jumped by %i days between two drivers delays no retry for days', async (days) => {
  await using world = openWorld();
  const path = dagFile(
    world,
    `[[tasks]]\nid = "again"\ncommand = "echo start >> starts; [ -e go ]"\nretry = { max = 3, backoff_secs = 1 }\n`,
  );
  const run = world.cis(['dag', 'run', path, '--run-id', 'jumpy']);
  await started(world);
  await vi.waitFor(() => expect(eventKinds(world)).toContain('task-waiting-retry'), 20_000);
  process.kill(driverOf(world, 'jumpy') ?? 0, 'SIGTERM');
  expectEnd(await run, 130, 'carry on');
  shiftClock(world, days * 86_400_000);
  go(world);
  expectEnd(await world.cis(['dag', 'execute', '--run-id', 'jumpy']), 0, 'jumpy completed');
});

function eventKinds(world: World): string[] {
  const db = new Database(world.home.database, { readonly: true });
  const rows = db.prepare('SELECT kind FROM events').all() as { kind: string }[];
  db.close();
  return rows.map((row) => row.kind);
}

/** Lets the log have been written by another clock: every instant in it is so much later. */
function shiftClock(world: World, byMs: number): void {
  const db = new Database(world.home.database);
  const shifted = (text: string): string => text.replaceAll(/\b1[6-9]\d{11}\b/g, (at) => String(Number(at) + byMs));
  const rows = db.prepare('SELECT seq, at, body FROM events').all() as { seq: number; at: number; body: string }[];
  const update = db.prepare('UPDATE events SET at = ?, body = ? WHERE seq = ?');
  for (const { seq, at, body } of rows) update.run(at + byMs, shifted(body), seq);
  db.close();
}

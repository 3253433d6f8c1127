import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';
import { killHost, look, watchCis, writeDag } from './support.ts';

const isBlocked = (event: CisEvent): boolean => event.kind === 'task-blocked';
const asking = JSON.stringify('printf "Go on? [y/N] "; read -r x; echo "said $x"');

function runAsking(world: World, more = '', tail = '') {
  const file = writeDag(
    world,
    `[dag]\nmax_workers = 1\n[[dag.tasks]]\nid = "ask"\ncommand = ${asking}\n${more}\n${tail}`,
  );
  return watchCis(world, ['dag', 'run', file, '--run-id', 'r', '--detach'].slice(0, -1));
}

const dependents =
  '[[dag.tasks]]\nid = "then"\ndeps = ["ask"]\ncommand = "true"\n[[dag.tasks]]\nid = "last"\ndeps = ["then"]\ncommand = "true"';

test('a blocked task says what it asks and what it holds up, and goes on when it is answered', async () => {
  await using world = openWorld();
  const run = runAsking(world, '', dependents);
  await run.waitFor((event) => event.kind === 'run-started');
  const waiting = world.cis(['dag', 'wait', 'r', '--blocked']);
  const blocked = await run.waitFor(isBlocked);
  expect(blocked).toMatchObject({ task: 'ask', block: { id: 'r:ask!1', kind: 'approval', question: 'Go on? [y/N]' } });
  expect(await waiting).toMatchObject({ code: 0, stdout: 'r blocked\n' });
  const status = JSON.parse((await world.cis(['dag', 'status', 'r', '--json'])).stdout) as { tasks: unknown[] };
  expect(status.tasks[0]).toMatchObject({
    task: 'ask',
    state: 'blocked',
    block: { id: 'r:ask!1' },
    heldUp: ['then', 'last'],
  });
  expect(await world.cis(['dag', 'unblock', 'r:ask', 'y'])).toMatchObject({
    code: 0,
    stdout: 'answered r:ask: 1 yes\n',
  });
  expect(await run.ended).toMatchObject({ code: 0 });
  expect((await world.cis(['dag', 'output', 'r', 'ask'])).stdout).toContain('said y');
  expect(run.events.find((event) => event.kind === 'session-unblocked')).toMatchObject({
    answer: { kind: 'choose', index: 0 },
    source: { via: 'terminal' },
  });
  expect((await world.cis(['dag', 'wait', 'r', '--blocked'])).code).toBe(1);
});

test('time spent blocked does not count for the time limit', async () => {
  await using world = openWorld();
  const run = runAsking(world, 'timeout_secs = 1.5');
  await run.waitFor(isBlocked);
  const since = Date.now();
  while (Date.now() < since + 2_000) await world.cis(['dag', 'status', 'r']); // longer than the limit
  expect(await world.cis(['dag', 'unblock', 'r:ask', 'y'])).toMatchObject({ code: 0 });
  expect(await run.ended).toMatchObject({ code: 0 });
});

test('what happens to a question that nobody answers is the task’s policy', async () => {
  for (const [policy, code, state] of [
    ['fail', 1, 'failed'],
    ['skip', 0, 'skipped'],
  ] as const) {
    await using world = openWorld();
    const run = runAsking(world, `unblock_timeout_secs = 0.5\non_blocked = "${policy}"`);
    expect((await run.ended).code).toBe(code);
    expect(look(world, 'r').states).toEqual({ ask: state });
    const failed = run.events.find((event) => event.kind === 'task-failed');
    if (policy === 'fail') expect(failed).toMatchObject({ failure: { kind: 'blocked-too-long' } });
  }
});

test('a blocked task gives its slot to another when it says so', async () => {
  await using world = openWorld();
  const run = runAsking(world, 'release_slot_when_blocked = true', '[[dag.tasks]]\nid = "other"\ncommand = "true"');
  await run.waitFor((event) => event.kind === 'task-completed' && event.task === 'other');
  expect(look(world, 'r').states).toEqual({ ask: 'blocked', other: 'completed' });
  await world.cis(['dag', 'unblock', 'r:ask', 'n']);
  expect(await run.ended).toMatchObject({ code: 0 });
});

test('a block outlives its executor with the same id, and an answer given meanwhile is known', async () => {
  await using world = openWorld();
  const run = runAsking(world);
  await run.waitFor(isBlocked);
  run.child.kill('SIGKILL');
  await run.ended;
  const again = watchCis(world, ['dag', 'execute', '--run-id', 'r']);
  await again.waitFor((event) => event.kind === 'run-driver-changed');
  expect(look(world, 'r').states).toEqual({ ask: 'blocked' });
  again.child.kill('SIGKILL');
  await again.ended;
  expect(await world.cis(['dag', 'unblock', 'r:ask', 'y'])).toMatchObject({ code: 0 });
  expect(await watchCis(world, ['dag', 'execute', '--run-id', 'r']).ended).toMatchObject({ code: 0 });
  const { events } = look(world, 'r');
  expect(events.flatMap((event) => (event.kind === 'task-blocked' ? [event.block.id] : []))).toEqual(['r:ask!1']);
  expect(events.find((event) => event.kind === 'session-unblocked')).toMatchObject({
    block: 'r:ask!1',
    answer: { kind: 'choose', index: 0 },
  });
});

test('a host that dies takes the question along: the attempt is lost, the log keeps what was asked', async () => {
  await using world = openWorld();
  const run = runAsking(world);
  await run.waitFor(isBlocked);
  killHost(world);
  expect((await run.ended).code).toBe(3);
  expect(look(world, 'r').states).toEqual({ ask: 'undecided' });
  expect(await world.cis(['dag', 'unblock', 'r:ask', 'y'])).toMatchObject({ code: 6 });
});

test('the config’s rules answer, and the log names them', async () => {
  await using world = openWorld();
  await world.cis(['dag', 'list']);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(world.home.dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(world.home.dir, 'config.toml'), '[[answers]]\nname = "go"\nmatch = "^Go on"\nchoose = "yes"\n');
  const run = runAsking(world);
  expect(await run.ended).toMatchObject({ code: 0 });
  expect(run.events.find((event) => event.kind === 'session-unblocked')).toMatchObject({
    source: { by: 'go', via: 'rule' },
  });
});

test('a program of the user’s is told, once a question, with its words as arguments', async () => {
  await using world = openWorld();
  const { mkdirSync } = await import('node:fs');
  mkdirSync(world.home.dir, { recursive: true, mode: 0o700 });
  const argv = [
    'node',
    fixture('writes-its-arguments.mjs'),
    join(world.dir, 'told'),
    '{{ session }}',
    '{{ kind }}: {{ question }}',
  ];
  writeFileSync(join(world.home.dir, 'config.toml'), `[notify]\ngrace_secs = 0\ncommand = ${JSON.stringify(argv)}\n`);
  const told = Promise.withResolvers<void>();
  const path = join(world.dir, 'told');
  const watcher = watch(world.dir, () => void (existsSync(path) && told.resolve()));
  const run = runAsking(world);
  await told.promise;
  watcher.close();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(['r:ask', 'approval: Go on? [y/N]']);
  await world.cis(['dag', 'unblock', 'r:ask', 'y']);
  expect(await run.ended).toMatchObject({ code: 0 });
});

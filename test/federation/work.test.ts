import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { fixture } from '../support/sessions.ts';
import { eventsOf, inDatabase, openFleetWorld, seen, type FleetWorld } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const agents = `
[agents.fake]
oneshot = ["${node}", "${fixture('fake-agent.mjs')}", "oneshot", "{{ prompt }}"]
interactive = ["${node}", "${fixture('fake-agent.mjs')}", "interactive", "{{ resume }}", "{{ prompt }}"]
resume = ["--resume", "{{ conversation }}"]
final_message = { kind = "hook" }
close = "C-c C-c"
`;

test(
  'agents work on nodes: their hooks end them, their answers are outputs, a conversation goes on where it is',
  { timeout: 120_000 },
  async () => {
    const env = { FAKE_LOG: '', HOOK: join(root, 'dist/hook-main.js') };
    await using fleet = await openFleetWorld({ server, nodes: 2, nodeConfig: () => agents, env });
    const boss = fleet.coordinator.world;
    const log = join(boss.dir, 'fake.log');
    for (const { world } of fleet.nodes) Object.assign(world.env, { FAKE_LOG: log });
    writeFileSync(boss.home.config, `${readFileSync(boss.home.config, 'utf8')}${agents}`);
    await Promise.all(fleet.nodes.map((one) => one.start()));
    const dag = `
[dag]
name = "agents"
default_agent = "fake"
[[dag.tasks]]
id = "plan"
prompt = "plan tea"
mode = "interactive"
keep_agent = true
target_node = "node-b"
[[dag.tasks]]
id = "work"
prompt = "go on"
mode = "interactive"
deps = ["plan"]
reuse_agent = "plan"
[[dag.tasks]]
id = "other"
prompt = "read {{ tasks.plan.output }}"
mode = "interactive"
deps = ["plan"]
target_node = "node-a"
`;
    const ended = await fleet.run(dag, '--run-id', 'agents', '--json');
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    const calls = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { task: string; resumed: string | null; prompt: string });
    const [work] = calls.filter(({ task }) => task === 'work');
    expect(work?.resumed).not.toBeNull();
    const plan = (await boss.cis(['dag', 'output', 'agents', 'plan'])).stdout.trim();
    expect(plan).not.toBe('');
    expect(calls.find(({ task }) => task === 'other')?.prompt).toContain(plan);
    const given = eventsOf(boss, 'agents').flatMap((event) =>
      event.kind === 'node-given' ? [`${event.session} ${event.node}`] : [],
    );
    expect(given.toSorted()).toEqual(['agents:other node-a', 'agents:plan node-b', 'agents:work node-b']);
  },
);

test(
  'time limits, skips and an abort end sessions on nodes; what completed is undone where it was done',
  { timeout: 120_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    await Promise.all(fleet.nodes.map((one) => one.start()));
    const boss = fleet.coordinator.world;
    const undone = join(boss.dir, 'undone');
    const dag = `
[dag]
name = "ends"
[[dag.tasks]]
id = "first"
command = "true"
rollback = ["echo $CIS_HOME >> ${undone}"]
target_node = "node-b"
[[dag.tasks]]
id = "slow"
command = "sleep 1000"
timeout_secs = 1
on_failure = "ignore"
[[dag.tasks]]
id = "skipped"
command = "sleep 1001"
[[dag.tasks]]
id = "long"
command = "sleep 1002"
deps = ["first"]
`;
    const run = fleet.begin(dag, '--run-id', 'ends', '--json');
    const is = (kind: string, task: string) => (event: { kind: string; task?: string }) =>
      event.kind === kind && event.task === task;
    await seen(boss, 'ends', is('task-failed', 'slow'));
    await Promise.all([
      seen(boss, 'ends', is('task-running', 'skipped')),
      seen(boss, 'ends', is('task-running', 'long')),
    ]);
    expect((await boss.cis(['dag', 'skip', 'ends:skipped'])).code).toBe(0);
    await seen(boss, 'ends', is('task-skipped', 'skipped'));
    expect((await boss.cis(['dag', 'abort', 'ends'])).code).toBe(0);
    expect((await run.ended).code).not.toBe(0);
    const [, b] = fleet.nodes;
    expect(readFileSync(undone, 'utf8').trim()).toBe(b?.world.home.dir);
    const ends = eventsOf(boss, 'ends').flatMap((event) =>
      event.kind === 'session-ended' && event.end.kind === 'killed' ? [`${event.session} ${event.end.by}`] : [],
    );
    expect(ends.toSorted()).toEqual(['ends:long abort', 'ends:skipped skip', 'ends:slow timeout']);
  },
);

test('a homeserver that is gone for a while costs time, not work', { timeout: 120_000 }, async () => {
  const own = await startTestHomeserver();
  await using _ = own;
  await using fleet = await openFleetWorld({ server: own, nodes: 2 });
  await Promise.all(fleet.nodes.map((one) => one.start()));
  const boss = fleet.coordinator.world;
  const go = join(boss.dir, 'go');
  const tasks = Array.from({ length: 6 }, (__, i) => waiting(fleet, `t${i}`, go)).join('');
  const last = `[[dag.tasks]]\nid = "last"\ndeps = ["t0", "t1", "t2", "t3", "t4", "t5"]\ncommand = "true"\n`;
  const run = fleet.begin(`[dag]\nname = "gone"\n${tasks}${last}`, '--run-id', 'gone', '--json', '--max-workers', '8');
  await Promise.all(
    [0, 1, 2, 3, 4, 5].map((i) =>
      seen(boss, 'gone', (event) => event.kind === 'task-running' && event.task === `t${i}`),
    ),
  );
  await own.stop('SIGKILL');
  writeFileSync(go, '');
  // Every session has ended on its node, and nobody could be told.
  for (const { world } of fleet.nodes) {
    await inDatabase(world, (db) => {
      const open = db.prepare(`SELECT count(*) FROM node_leases WHERE state IN ('held', 'asked')`).pluck().get();
      return open === 0 ? true : null;
    });
  }
  await own.start();
  expect((await run.ended).code).toBe(0);
  for (let i = 0; i < 6; i += 1) expect(readFileSync(join(boss.dir, `t${i}.done`), 'utf8')).toBe('done\n');
  const lost = eventsOf(boss, 'gone').filter(({ kind }) => kind === 'node-lost' || kind === 'task-lost');
  expect(lost).toEqual([]);
});

function waiting(fleet: FleetWorld, id: string, go: string): string {
  const done = join(fleet.coordinator.world.dir, `${id}.done`);
  if (existsSync(done)) throw new Error(`${done} is there already`);
  const command = `until [ -e ${go} ]; do sleep 0.05; done; echo done >> ${done}`;
  return `[[dag.tasks]]\nid = "${id}"\ncommand = '${command}'\n`;
}

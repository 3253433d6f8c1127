import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import type { CisEvent } from '../../src/domain/event.ts';
import { joinAs, message, reply } from '../bridge/rooms.ts';
import { fixture } from '../support/sessions.ts';
import { beginCis, eventsOf, inDatabase, openDb, openFleetWorld, seen, type FleetWorld, type Member } from './world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A task that says that it runs, waits for the file `go` and writes a line into `done` each time it ends. */
function waits(fleet: FleetWorld, id: string, ...more: readonly string[]): string {
  const file = (name: string): string => join(fleet.coordinator.world.dir, name);
  const loop = `until [ -e ${file(`${id}.go`)} ]; do sleep 0.05; done`;
  const command = `echo begun >> ${file(`${id}.begun`)}; ${loop}; echo done >> ${file(`${id}.done`)}; echo out-${id}`;
  return [`[[dag.tasks]]`, `id = "${id}"`, `command = '${command}'`, ...more, ''].join('\n');
}

function letGo(fleet: FleetWorld, id: string): void {
  writeFileSync(join(fleet.coordinator.world.dir, `${id}.go`), '');
}

function linesOf(fleet: FleetWorld, name: string): number {
  const path = join(fleet.coordinator.world.dir, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').length : 0;
}

const running = (task: string) => (event: { kind: string; task?: string }) =>
  event.kind === 'task-running' && event.task === task;

/** What each side holds of a run: the coordinator's log, the nodes' work, the results in the room. */
function accounts(fleet: FleetWorld, run: string, of: Member = fleet.coordinator) {
  const ends = eventsOf(of.world, run).flatMap((event) =>
    event.kind === 'task-completed' ? [`${event.task}#${event.attempt}`] : [],
  );
  const done = fleet.nodes.flatMap(({ world }) => {
    const db = openDb(world);
    const rows = db
      .prepare(
        `SELECT task_id || '#' || attempt FROM node_leases WHERE run_id = ? AND state = 'over'
         AND json_extract(body, '$.report.end.code') = 0`,
      )
      .pluck()
      .all(run) as string[];
    db.close();
    return rows;
  });
  const db = openDb(of.world);
  const room = db
    .prepare(
      `SELECT json_extract(r.value, '$.task_id') || '#' || json_extract(r.value, '$.attempt')
       FROM fleet_inbox i, json_each(i.content, '$.results') r WHERE i.type = 'cis.dag.task.result'
       AND json_extract(r.value, '$.run_id') = ? AND json_extract(r.value, '$.exit_code') = 0`,
    )
    .pluck()
    .all(run) as string[];
  db.close();
  return { ends: ends.toSorted(), done: done.toSorted(), room: room.toSorted() };
}

test(
  'a task runs on the node it names, and its output reaches a dependent on another',
  { timeout: 90_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    await Promise.all(fleet.nodes.map((node) => node.start()));
    const dag = `
[dag]
name = "straight"
[[dag.tasks]]
id = "make"
command = "echo made on $CIS_HOME"
target_node = "node-a"
[[dag.tasks]]
id = "use"
deps = ["make"]
command = 'echo "got: $(cat "$CIS_UPSTREAM_MAKE") and $CIS_HOME"'
target_node = "node-b"
`;
    const ended = await fleet.run(dag, '--run-id', 'straight', '--json');
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    const [a, b] = fleet.nodes;
    const output = await fleet.coordinator.world.cis(['dag', 'output', 'straight', 'use']);
    expect(output.stdout).toContain(`got: made on ${a?.world.home.dir}`);
    expect(output.stdout).toContain(`and ${b?.world.home.dir}`);
    const given = eventsOf(fleet.coordinator.world, 'straight').filter(({ kind }) => kind === 'node-given');
    expect(given).toMatchObject([{ node: 'node-a' }, { node: 'node-b' }]);
  },
);

test('many tasks over three nodes: each has one result, and all logs agree', { timeout: 120_000 }, async () => {
  await using fleet = await openFleetWorld({ server, nodes: 3 });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const large = `[[dag.tasks]]\nid = "large"\ncommand = "seq 1 20000"\n`;
  const reads = `[[dag.tasks]]\nid = "reads"\ndeps = ["large"]\ncommand = 'tail -n 1 "$CIS_UPSTREAM_LARGE"'\n`;
  const tasks = Array.from({ length: 28 }, (_, i) => {
    const deps = i < 10 ? '' : `deps = ["t${i - 10}"]\n`;
    return `[[dag.tasks]]\nid = "t${i}"\n${deps}command = "echo ${i}"\n`;
  });
  const dag = `[dag]\nname = "many"\n${large}${reads}${tasks.join('')}`;
  const ended = await fleet.run(dag, '--run-id', 'many', '--json', '--max-workers', '30');
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  const { ends, done, room } = accounts(fleet, 'many');
  expect(ends).toHaveLength(30);
  expect(done).toEqual(ends);
  expect(room).toEqual(ends);
  const output = await fleet.coordinator.world.cis(['dag', 'output', 'many', 'reads']);
  expect(output.stdout.split('\n').map((line) => line.trim())).toContain('20000');
});

test('a node that is killed takes its sessions over when it comes back', { timeout: 90_000 }, async () => {
  await using fleet = await openFleetWorld({ server, nodes: 1 });
  const [node] = fleet.nodes;
  await node?.start();
  const run = fleet.begin(`[dag]\nname = "adopt"\n${waits(fleet, 'one')}`, '--run-id', 'adopt', '--json');
  await seen(fleet.coordinator.world, 'adopt', running('one'));
  await node?.kill('SIGKILL');
  letGo(fleet, 'one');
  await node?.start();
  expect((await run.ended).code).toBe(0);
  expect([linesOf(fleet, 'one.begun'), linesOf(fleet, 'one.done')]).toEqual([1, 1]);
  expect(accounts(fleet, 'adopt').ends).toEqual(['one#1']);
});

test('a coordinator that is killed goes on where it was', { timeout: 90_000 }, async () => {
  await using fleet = await openFleetWorld({ server, nodes: 1 });
  await fleet.nodes[0]?.start();
  const after = `[[dag.tasks]]\nid = "two"\ndeps = ["one"]\ncommand = 'cat "$CIS_UPSTREAM_ONE"'\n`;
  const run = fleet.begin(`[dag]\nname = "again"\n${waits(fleet, 'one')}${after}`, '--run-id', 'again', '--json');
  await seen(fleet.coordinator.world, 'again', running('one'));
  run.kill('SIGKILL');
  await run.ended;
  letGo(fleet, 'one');
  const ended = await fleet.coordinator.world.cis(['dag', 'execute', '--run-id', 'again', '--json']);
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  expect(linesOf(fleet, 'one.done')).toBe(1);
  expect(accounts(fleet, 'again').ends).toEqual(['one#1', 'two#1']);
});

test(
  'another home takes a run over from the history of the room; the old one is told',
  { timeout: 120_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    await Promise.all(fleet.nodes.map((node) => node.start()));
    const heir = await fleet.member('heir');
    const first = `[[dag.tasks]]\nid = "zero"\ncommand = "echo nought"\n`;
    const last = `[[dag.tasks]]\nid = "two"\ndeps = ["one", "zero"]\ncommand = 'cat "$CIS_UPSTREAM_ONE" "$CIS_UPSTREAM_ZERO"'\n`;
    const dag = `[dag]\nname = "heritage"\n${first}${waits(fleet, 'one', 'deps = ["zero"]')}${last}`;
    const old = fleet.begin(dag, '--run-id', 'heritage', '--json');
    await seen(fleet.coordinator.world, 'heritage', running('one'));
    const took = beginCis(heir.world, [
      ...['dag', 'execute', '--run-id', 'heritage', '--takeover', '--room', fleet.room, '--json'],
    ]);
    const oldEnd = await old.ended;
    expect(oldEnd.stderr).toContain(`was taken over by ${heir.userId}`);
    expect(oldEnd.code).not.toBe(0);
    letGo(fleet, 'one');
    const ended = await took.ended;
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    expect([linesOf(fleet, 'one.begun'), linesOf(fleet, 'one.done')]).toEqual([1, 1]);
    const output = await heir.world.cis(['dag', 'output', 'heritage', 'two']);
    expect(output.stdout).toMatch(/out-one[^]*nought/);
    const refused = await fleet.coordinator.world.cis(['dag', 'execute', '--run-id', 'heritage']);
    expect(refused.stderr).toContain('was taken over by');
  },
);

test(
  'a node that stays silent: what may run again runs elsewhere, the rest waits and resolves itself',
  { timeout: 180_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    const [a, b] = fleet.nodes;
    await a?.start();
    const dag = `[dag]\nname = "lost"\n${waits(fleet, 'may', 'idempotent = true')}${waits(fleet, 'must', 'idempotent = false')}`;
    const run = fleet.begin(dag, '--run-id', 'lost', '--json', '--detach');
    await run.ended;
    const boss = fleet.coordinator.world;
    await Promise.all([seen(boss, 'lost', running('may')), seen(boss, 'lost', running('must'))]);
    await b?.start();
    await a?.kill('SIGKILL');
    await seen(boss, 'lost', ({ kind }) => kind === 'node-lost');
    await seen(boss, 'lost', (event) => event.kind === 'task-undecided' && event.task === 'must');
    await seen(boss, 'lost', (event) => event.kind === 'task-running' && event.task === 'may' && event.attempt === 2);
    await a?.start();
    await seen(boss, 'lost', (event) => event.kind === 'task-found' && event.task === 'must');
    // What was lost for the run is stopped on the node that still had it.
    await seen(boss, 'lost', (event) => event.kind === 'node-ignored' && event.session === 'lost:may');
    if (a === undefined) throw new Error('no node');
    await inDatabase(a.world, (db) => {
      const query = `SELECT state FROM node_leases WHERE session = 'lost:may'`;
      return db.prepare(query).pluck().get() === 'over' ? true : null;
    });
    letGo(fleet, 'may');
    letGo(fleet, 'must');
    await seen(boss, 'lost', ({ kind }) => kind === 'run-completed');
    expect([linesOf(fleet, 'may.begun'), linesOf(fleet, 'may.done')]).toEqual([2, 1]);
    expect([linesOf(fleet, 'must.begun'), linesOf(fleet, 'must.done')]).toEqual([1, 1]);
    expect(accounts(fleet, 'lost').ends).toEqual(['may#2', 'must#1']);
  },
);

test(
  'what a policy forbids is refused with a reason, and another node takes it where that may be',
  { timeout: 90_000 },
  async () => {
    const deny = '[node.policy]\ndeny_commands = ["*secret*"]\n';
    await using fleet = await openFleetWorld({ server, nodes: 2, nodeConfig: (index) => (index === 0 ? deny : '') });
    await Promise.all(fleet.nodes.map((node) => node.start()));
    const dag = `
[dag]
name = "policy"
[[dag.tasks]]
id = "bound"
command = "echo secret"
target_node = "node-a"
on_failure = "ignore"
[[dag.tasks]]
id = "free"
command = "echo secret too"
`;
    const ended = await fleet.run(dag, '--run-id', 'policy', '--json');
    expect(ended.code).toBe(0);
    const events = eventsOf(fleet.coordinator.world, 'policy');
    const failed = events.find((event) => event.kind === 'task-failed' && event.task === 'bound');
    expect(JSON.stringify(failed)).toContain('node.policy.deny_commands');
    expect(accounts(fleet, 'policy').ends).toEqual(['free#1']);
    expect(events.some((event) => event.kind === 'node-refused' && event.session === 'policy:bound')).toBe(true);
  },
);

test('in an encrypted room what nodes say goes through its companion, encrypted', { timeout: 120_000 }, async () => {
  await using fleet = await openFleetWorld({ server, nodes: 2, encrypted: true });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const dag = `
[dag]
name = "hidden"
[[dag.tasks]]
id = "make"
command = "seq 1 9000"
target_node = "node-a"
[[dag.tasks]]
id = "use"
deps = ["make"]
command = 'tail -n 1 "$CIS_UPSTREAM_MAKE"'
target_node = "node-b"
`;
  const ended = await fleet.run(dag, '--run-id', 'hidden', '--json');
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  const output = await fleet.coordinator.world.cis(['dag', 'output', 'hidden', 'use']);
  expect(output.stdout).toContain('9000');
});

test(
  'a question on a node is shown here and answered from here, in a terminal or in the room',
  { timeout: 120_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    await Promise.all(fleet.nodes.map((node) => node.start()));
    const boss = fleet.coordinator.world;
    const person = await server.user('ada-fleet');
    await fleet.invite(person.userId, 50);
    await using ada = await joinAs(person, fleet.room);
    const asks = (id: string, node: string, question: string): string => {
      const asked = JSON.stringify({ questions: [{ question, choices: ['Yes', 'No'] }] });
      return `[[dag.tasks]]\nid = "${id}"\ntarget_node = "${node}"\ncommand = '''node ${fixture('asks-menu.mjs')} '${asked}''''\n`;
    };
    const dag = `[dag]\nname = "asks"\n${asks('first', 'node-a', 'Shall I?')}${asks('second', 'node-b', 'And I?')}`;
    const run = fleet.begin(dag, '--run-id', 'asks', '--json');
    const blocked = (task: string) => (event: CisEvent) => event.kind === 'task-blocked' && event.task === task;
    await Promise.all([seen(boss, 'asks', blocked('first')), seen(boss, 'asks', blocked('second'))]);
    const status = await boss.cis(['dag', 'status', 'asks', '--json']);
    expect(status.stdout).toContain('Shall I?');
    const answered = await boss.cis(['dag', 'unblock', 'asks:first', '--choose', '1']);
    expect({ code: answered.code, stderr: answered.stderr }).toEqual({ code: 0, stderr: '' });
    const question = await ada.seen(message('And I?'));
    await reply(ada, fleet.room, question, 'no');
    const ended = await run.ended;
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    const by = eventsOf(boss, 'asks').flatMap((event) =>
      event.kind === 'session-unblocked' ? [event.source.via] : [],
    );
    expect(by).toHaveLength(2);
  },
);

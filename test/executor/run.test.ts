import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { openWorld, type World } from '../support/world.ts';
import { killHost, look, watchCis, writeDag } from './support.ts';

let world: World;
let runs = 0;

beforeAll(() => {
  world = openWorld();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A DAG file of tasks, each the lines after its id. */
function dagOf(tasks: Readonly<Record<string, string>>, head = ''): string {
  const text = Object.entries(tasks).map(([id, lines]) => `[[dag.tasks]]\nid = "${id}"\n${lines}\n`);
  return writeDag(world, `[dag]\nname = "test"\n${head}\n${text.join('')}`, `dag-${(runs += 1)}.toml`);
}

const started = (task: string) => (event: CisEvent) => event.kind === 'task-running' && event.task === task;
const became = (kind: CisEvent['kind'], task: string) => (event: CisEvent) =>
  event.kind === kind && 'task' in event && event.task === task;

test('outputs reach dependents as text, as files and as $CIS_OUTPUT', async () => {
  const file = dagOf({
    a: `command = 'echo seen; printf "it'"'"'s $HOME; rm" > "$CIS_OUTPUT"'`.replaceAll(`'"'"'`, '-'),
    b: `command = 'echo shown on the screen'`,
    c: `deps = ["a", "b"]\ncommand = 'echo "{{ tasks.a.output }}|$(cat "$CIS_UPSTREAM_B")|$CIS_TASK_ID|$CIS_ATTEMPT"'`,
  });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'outputs']);
  expect(ended.code, ended.stderr).toBe(0);
  const output = await world.cis(['dag', 'output', 'outputs', 'c']);
  expect(output.stdout).toBe(`it-s ${world.env['HOME']}; rm|shown on the screen|c|1\n`);
});

test('files named by outputs are kept with size and hash', async () => {
  const file = dagOf({ a: `command = 'printf hello > made.txt'\noutputs = ["made.*"]` });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'files'])).code).toBe(0);
  const { outputs } = JSON.parse((await world.cis(['dag', 'output', 'files', '--json'])).stdout) as {
    outputs: { artifacts: { path: string; bytes: number; sha256: string }[] }[];
  };
  expect(outputs[0]?.artifacts).toMatchObject([
    {
      path: join(world.dir, 'made.txt'),
      bytes: 5,
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    },
  ]);
});

test('a session gets the environment of whoever runs it, then the file, the task and --var on top', async () => {
  const file = dagOf(
    { a: `command = 'echo "$FROM_OUTSIDE $FROM_DAG $FROM_TASK $FROM_VAR"'\nenv = { FROM_TASK = "task" }` },
    'env = { FROM_DAG = "dag", FROM_TASK = "dag" }\nvars = { FROM_VAR = "file" }',
  );
  const env = { FROM_OUTSIDE: 'outside' };
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'env', '--var', 'FROM_VAR=flag'], { env });
  expect(ended.code, ended.stderr).toBe(0);
  expect((await world.cis(['dag', 'output', 'env', 'a'])).stdout).toBe('outside dag task flag\n');
});

test('a failed run exits with 1, is retried with dag retry and carried on', async () => {
  const file = dagOf({ a: `command = 'test -e healed'`, b: `deps = ["a"]\ncommand = 'echo b'` });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'heals'])).code).toBe(1);
  expect(look(world, 'heals').states).toEqual({ a: 'failed', b: 'cancelled' });
  writeFileSync(join(world.dir, 'healed'), '');
  expect((await world.cis(['dag', 'retry', 'heals:a'])).code).toBe(0);
  expect((await world.cis(['dag', 'execute', '--run-id', 'heal'])).code).toBe(0);
  expect(look(world, 'heals').states).toEqual({ a: 'completed', b: 'completed' });
});

test('a missing working directory and a missing program are clear failures', async () => {
  const file = dagOf(
    { a: `command = 'true'\nwork_dir = "nowhere"`, b: `command = 'true'\nshell = "/no/such/shell"` },
    'policy = "continue_until_blocking"',
  );
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'lost-dir']);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('nowhere');
  expect(ended.stdout).toContain('/no/such/shell');
});

test('a timeout ends the session and everything in it', async () => {
  const file = dagOf({ a: `command = 'sleep 600 & wait'\ntimeout_secs = 0.3` });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'slow']);
  expect(ended.code).toBe(1);
  expect(look(world, 'slow').events.find(became('task-failed', 'a'))).toMatchObject({ failure: { kind: 'timeout' } });
});

test('retries are sessions of their own, with their own attempt', async () => {
  const file = dagOf({
    a: `command = 'echo "try $CIS_ATTEMPT"; test "$CIS_ATTEMPT" = 3'\nretry = { max = 3, backoff_secs = 0.01 }`,
  });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'tries'])).code).toBe(0);
  const first = await world.cis(['dag', 'output', 'tries', 'a', '--attempt', '1']);
  expect(first.stdout).toBe('try 1\n');
});

test('a condition sees the output of the dependency that has just completed', async () => {
  const file = dagOf({
    a: `command = 'echo all pass'`,
    b: `deps = ["a"]\ncommand = 'echo b'\ncondition = 'tasks.a.output contains "pass"'`,
  });
  expect(await world.cis(['dag', 'run', file, '--run-id', 'seen'])).toMatchObject({ code: 0 });
  expect(look(world, 'seen').states).toEqual({ a: 'completed', b: 'completed' });
});

test('conditions, a rescue and rollbacks do what the file says', async () => {
  const file = dagOf({
    a: `command = 'echo yes'\nrollback = ["echo undo-a >> undone"]`,
    b: `deps = ["a"]\ncommand = 'echo b'\ncondition = 'tasks.a.output contains "no"'`,
    c: `deps = ["a"]\ncommand = 'test -e fixed'\non_failure = "fix"\nrollback = ["echo undo-c1 >> undone", "echo undo-c2 >> undone"]`,
    fix: `deps = ["c"]\ncommand = 'touch fixed'`,
    d: `deps = ["c"]\ncommand = 'exit 9'`,
  });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'undo']);
  expect(ended.code, ended.stdout).toBe(1);
  expect(look(world, 'undo').states).toEqual({
    a: 'completed',
    b: 'skipped',
    c: 'completed',
    fix: 'completed',
    d: 'failed',
  });
  expect(readFileSync(join(world.dir, 'undone'), 'utf8')).toBe('undo-c1\nundo-c2\nundo-a\n');
});

describe('from another terminal', () => {
  test('a gate is confirmed, a vote is counted, and outcomes are printed', async () => {
    const file = dagOf({
      a: `command = 'true'\nlevel = "confirmed"`,
      b: `command = 'true'\nlevel = { type = "arbitrated", stakeholders = ["ann", "bob"] }`,
    });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'gates']);
    await cis.waitFor(became('task-gated', 'b'));
    expect(await world.cis(['dag', 'confirm', 'gates:a'])).toMatchObject({ code: 0 });
    expect(await world.cis(['dag', 'vote', 'gates:b', 'yes', '--as', 'eve'])).toMatchObject({ code: 6 });
    expect(await world.cis(['dag', 'vote', 'gates:b', 'yes', '--as', 'ann'])).toMatchObject({ code: 0 });
    expect(await world.cis(['dag', 'vote', 'gates:b', 'yes', '--as', 'bob'])).toMatchObject({ code: 0 });
    expect((await cis.ended).code).toBe(0);
  });

  test('pause lets nothing new start, amend changes what has not started, resume goes on', async () => {
    const file = dagOf({
      a: `command = 'until test -e go; do sleep 0.05; done'`,
      b: `deps = ["a"]\ncommand = 'echo old'`,
    });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'pauses']);
    await cis.waitFor(started('a'));
    expect((await world.cis(['dag', 'pause', 'pauses'])).stdout).toContain('1 running session goes on');
    expect((await world.cis(['dag', 'amend', 'pauses:b', '--command', 'echo new'])).code).toBe(0);
    expect((await world.cis(['dag', 'amend', 'pauses:a', '--command', 'echo new'])).code).toBe(6);
    writeFileSync(join(world.dir, 'go'), '');
    await cis.waitFor(became('task-ready', 'b'));
    expect(look(world, 'pauses').states).toEqual({ a: 'completed', b: 'ready' });
    expect((await world.cis(['dag', 'resume', 'pauses'])).code).toBe(0);
    expect((await cis.ended).code).toBe(0);
    expect((await world.cis(['dag', 'output', 'pauses', 'b'])).stdout).toBe('new\n');
  });

  test('skip and abort end living sessions', async () => {
    const file = dagOf({ a: `command = 'sleep 600'`, b: `command = 'sleep 600'` });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'ends']);
    await cis.waitFor(started('a'));
    await cis.waitFor(started('b'));
    expect((await world.cis(['dag', 'skip', 'ends:a'])).code).toBe(0);
    expect(look(world, 'ends').states).toEqual({ a: 'skipped', b: 'running' });
    expect((await world.cis(['dag', 'abort', 'ends'])).stdout).toContain('aborted');
    expect((await cis.ended).code).toBe(1);
    expect(look(world, 'ends').states).toEqual({ a: 'skipped', b: 'cancelled' });
  });

  test('a second driver is refused and told who drives', async () => {
    const file = dagOf({ a: `command = 'sleep 600'` });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'mine']);
    await cis.waitFor(started('a'));
    const second = await world.cis(['dag', 'execute', '--run-id', 'mine']);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(`process ${cis.child.pid}`);
    await world.cis(['dag', 'abort', 'mine']);
    await cis.ended;
  });
});

describe('without a driver', () => {
  test('living sessions are adopted, and finished tasks stay finished', async () => {
    const file = dagOf({
      a: `command = 'echo ran >> once'`,
      b: `deps = ["a"]\ncommand = 'echo begin >> once; until test -e adopted; do sleep 0.05; done; echo end >> once'`,
    });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'adopts']);
    await cis.waitFor(started('b'));
    cis.child.kill('SIGKILL');
    await cis.ended;
    const again = watchCis(world, ['dag', 'execute']);
    await again.waitFor((event) => event.kind === 'run-driver-changed' && event.epoch === 2);
    writeFileSync(join(world.dir, 'adopted'), '');
    expect((await again.ended).code).toBe(0);
    expect(readFileSync(join(world.dir, 'once'), 'utf8')).toBe('ran\nbegin\nend\n');
  });

  test('SIGTERM leaves the sessions and says how to go on; abort then needs no driver', async () => {
    const file = dagOf({ a: `command = 'sleep 600'\nrollback = ["true"]` });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'left']);
    await cis.waitFor(started('a'));
    cis.child.kill('SIGTERM');
    const { code, stderr } = await cis.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('cis dag execute --run-id left');
    expect((await world.cis(['dag', 'abort', 'left'])).code).toBe(0);
    expect(look(world, 'left').states).toEqual({ a: 'cancelled' });
  });

  test('a host that dies takes its sessions along: idempotent ones run again, others wait for a person', async () => {
    const file = dagOf({
      a: `command = 'test "$CIS_ATTEMPT" = 2 || sleep 600'\nidempotent = true`,
      b: `command = 'test "$CIS_ATTEMPT" = 2 || sleep 600'`,
    });
    const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'hostless']);
    await cis.waitFor(started('a'));
    await cis.waitFor(started('b'));
    killHost(world);
    const { code, stderr } = await cis.ended;
    expect(code).toBe(3);
    expect(stderr).toContain('cis dag retry|skip hostless:b');
    expect(look(world, 'hostless').states).toEqual({ a: 'completed', b: 'undecided' });
    expect((await world.cis(['dag', 'retry', 'hostless:b'])).code).toBe(0);
    expect((await world.cis(['dag', 'execute', 'hostless'])).code).toBe(0);
  });
});

test('--no-wait ends with 3 when only a person could help', async () => {
  const file = dagOf({ a: `command = 'true'`, b: `deps = ["a"]\ncommand = 'true'\nlevel = "confirmed"` });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'nobody', '--no-wait']);
  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain('cis dag confirm|reject nobody:b');
});

test('--detach prints the id and drives on in the background; dag wait exits as the run did', async () => {
  const file = dagOf({ a: `command = 'exit 4'` });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'behind', '--detach']);
  expect(ended).toMatchObject({ code: 0, stdout: 'behind\n' });
  expect((await world.cis(['dag', 'wait', 'behind'])).code).toBe(1);
});

test('--paused starts nothing until it is resumed', async () => {
  const file = dagOf({ a: `command = 'true'` });
  const cis = watchCis(world, ['dag', 'run', file, '--run-id', 'later', '--paused']);
  await cis.waitFor(became('task-ready', 'a'));
  expect(look(world, 'later').states).toEqual({ a: 'ready' });
  expect((await world.cis(['dag', 'resume', 'later'])).code).toBe(0);
  expect((await cis.ended).code).toBe(0);
});

test('a run id that is taken, a mode without a room and an unknown run are refused in one line', async () => {
  const file = dagOf({ a: `command = 'true'` });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'taken'])).code).toBe(0);
  expect((await world.cis(['dag', 'run', file, '--run-id', 'taken'])).code).toBe(6);
  expect((await world.cis(['dag', 'run', file, '--run-id', '../x'])).code).toBe(2);
  const hybrid = await world.cis(['dag', 'run', file, '--hybrid']);
  expect(hybrid).toMatchObject({ code: 2 });
  expect(hybrid.stderr).toContain('hybrid mode needs a room');
  const matrix = await world.cis(['dag', 'run', file, '--matrix']);
  expect(matrix).toMatchObject({ code: 2 });
  expect(matrix.stderr).toContain('matrix mode needs a room');
  expect((await world.cis(['dag', 'execute', '--run-id', 'nope'])).code).toBe(4);
});

test('rm removes a run with its recordings', async () => {
  const file = dagOf({ a: `command = 'echo hi'` });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'gone'])).code).toBe(0);
  mkdirSync(world.home.sessions, { recursive: true });
  expect(existsSync(join(world.home.sessions, 'gone'))).toBe(true);
  expect((await world.cis(['dag', 'rm', 'gone'])).code).toBe(0);
  expect(existsSync(join(world.home.sessions, 'gone'))).toBe(false);
  expect((await world.cis(['dag', 'output', 'gone'])).code).toBe(4);
});

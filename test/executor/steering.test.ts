import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { openWorld, type World } from '../support/world.ts';
import { look, watchCis, writeDag } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let world: World;
let files = 0;

beforeAll(() => {
  world = openWorld();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function dagOf(tasks: Readonly<Record<string, string>>, head = ''): string {
  const text = Object.entries(tasks).map(([id, lines]) => `[[dag.tasks]]\nid = "${id}"\n${lines}\n`);
  return writeDag(world, `[dag]\nname = "test"\n${head}\n${text.join('')}`, `steer-${(files += 1)}.toml`);
}

/** A command that ends once the file is there. */
const until = (file: string) => `command = 'until test -e ${file}; do sleep 0.02; done'`;
const touch = (file: string) => writeFileSync(join(world.dir, file), '');
const has = (text: string) => expect.stringContaining(text) as string;
const began = (task: string) => (event: CisEvent) => event.kind === 'task-running' && event.task === task;

describe('--takeover', () => {
  test('ends the authority of the other driver, which leaves the sessions alone, says who took over and exits with 6', async () => {
    const file = dagOf({ a: until('taken') });
    const first = watchCis(world, ['dag', 'run', file, '--run-id', 'contested']);
    await first.waitFor(began('a'));
    const second = watchCis(world, ['dag', 'execute', '--run-id', 'contested', '--takeover']);
    const { code, stderr } = await first.ended;
    expect(code).toBe(6);
    const { error } = JSON.parse(stderr) as { error: { message: string } };
    expect(error.message).toBe(`run contested was taken over by process ${second.child.pid} (dag execute contested)`);
    touch('taken');
    expect((await second.ended).code).toBe(0);
    const starts = look(world, 'contested').events.filter((event) => event.kind === 'task-starting');
    expect(starts).toHaveLength(1);
  });

  test('needs a run', async () => {
    const file = dagOf({ a: `command = 'true'` });
    expect(await world.cis(['dag', 'execute', file, '--takeover'])).toMatchObject({ code: 2, stderr: has('--run-id') });
  });
});

describe('a run that is carried on', () => {
  test('says how it stands, and then only what is new', async () => {
    const file = dagOf({ a: `command = 'true'`, b: `deps = ["a"]\n${until('shown')}` });
    const first = watchCis(world, ['dag', 'run', file, '--run-id', 'resumed']);
    await first.waitFor(began('b'));
    first.child.kill('SIGKILL');
    await first.ended;
    touch('shown');
    const { stdout, code } = await world.cis(['dag', 'execute', '--run-id', 'resumed']);
    expect(code).toBe(0);
    const [head = '', ...rest] = stdout.split('\n');
    expect(head).toBe('resumed (test) goes on from here: 1 running, 1 done');
    expect(rest.filter((line) => / a: /.test(line))).toEqual([]);
  });

  test('as JSON begins with its present state', async () => {
    const file = dagOf({ a: `command = 'true'`, b: `deps = ["a"]\ncommand = 'test -e json'` });
    expect((await world.cis(['dag', 'run', file, '--run-id', 'jsonly'])).code).toBe(1);
    touch('json');
    const { stdout } = await world.cis(['dag', 'execute', '--run-id', 'jsonly', '--json']);
    const [present, ...events] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>);
    expect(present).toMatchObject({
      present: { run: 'jsonly', state: 'failed', tasks: [{ task: 'a' }, { task: 'b' }] },
    });
    expect(events.map(({ event }: { event?: CisEvent }) => event?.kind)).not.toContain('run-created');
  });

  test('in the background goes on with the flags that were given, and none of them stands in an argument', async () => {
    const file = dagOf(
      {
        a: `command = 'test -e flags && echo "$SECRET_WORD"'`,
        b: `command = 'sleep 600'`,
      },
      'max_workers = 1',
    );
    expect((await world.cis(['dag', 'run', file, '--run-id', 'flags'])).code).toBe(1);
    touch('flags');
    const args = [
      'dag',
      'execute',
      '--run-id',
      'flags',
      '--detach',
      '--max-workers',
      '2',
      '--var',
      'SECRET_WORD=hunter2hunter2',
    ];
    expect(await world.cis(args)).toMatchObject({ code: 0, stdout: 'flags\n' });
    expect((await world.cis(['dag', 'wait', 'flags:a'])).code).toBe(0);
    expect((await world.cis(['dag', 'output', 'flags', 'a'])).stdout).toContain('hunter2hunter2');
    const driver = look(world, 'flags').events.findLast((event) => event.kind === 'run-driver-changed');
    const pid = driver?.kind === 'run-driver-changed' ? driver.pid : 0;
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('hunter2');
    const both = watchCis(world, ['dag', 'events', 'flags', '-f']);
    await both.waitFor(began('b'));
    await world.cis(['dag', 'abort', 'flags']);
    await both.ended;
  });
});

describe('what flags, environment, file and config say', () => {
  test('holds in this order, and each key is that of the example', async () => {
    const plan = async (file: string, args: string[] = [], env = {}) => {
      const { stdout, stderr } = await world.cis(['dag', 'run', file, '--dry-run', ...args], { env });
      return `${/at most (\d+)/.exec(stdout)?.[1]} ${/agent (\w+)/.exec(stdout)?.[1]}${stderr}`;
    };
    const silent = dagOf({ a: 'prompt = "go"' });
    const saying = dagOf({ a: 'prompt = "go"' }, 'max_workers = 7\ndefault_agent = "codex"');
    mkdirSync(world.home.dir, { recursive: true });
    writeFileSync(world.home.config, '[dag]\nmax_workers = 3\ndefault_agent = "qwen"\n');
    expect(await plan(silent)).toBe('3 qwen');
    expect(await plan(saying)).toBe('7 codex');
    const env = { CIS_DAG_MAX_WORKERS: '9', CIS_DAG_DEFAULT_AGENT: 'gemini' };
    expect(await plan(saying, [], env)).toBe('9 gemini');
    expect(await plan(saying, ['--max-workers', '2', '--agent', 'claude'], env)).toBe('2 claude');
    writeFileSync(world.home.config, '[dag]\ndefault_mode = "hybrid"\n');
    const plain = dagOf({ a: "command = 'true'" });
    expect(await world.cis(['dag', 'run', plain])).toMatchObject({ code: 2, stderr: has('hybrid mode needs') });
    writeFileSync(world.home.config, '');
  });

  test('a recording is kept to recording_max_mb, and a session that hears no signal is killed after kill_grace_ms', async () => {
    const file = dagOf({
      a: `command = 'head -c 3000000 /dev/zero | tr "\\\\0" x'`,
      b: `command = 'trap "" TERM HUP; while :; do sleep 0.1; done'\ntimeout_secs = 0.2`,
    });
    const env = { CIS_HOST_RECORDING_MAX_MB: '1', CIS_HOST_KILL_GRACE_MS: '50' };
    expect((await world.cis(['dag', 'run', file, '--run-id', 'limits'], { env })).code).toBe(1);
    const { events } = look(world, 'limits');
    expect(events.some((event) => event.kind === 'session-recording-truncated')).toBe(true);
    const end = events.find((event) => event.kind === 'session-ended' && event.session === 'limits:b');
    expect(end).toMatchObject({ end: { kind: 'killed', by: 'timeout' } });
  });
});

describe('what a run would need', () => {
  test('is said before it starts, line by line, and nothing is started', async () => {
    const file = dagOf({
      a: `command = 'touch started'`,
      b: `skill = "summarise"\ncommand = 'x'`,
      c: `command = 'true'\ntarget_node = "attic"`,
      d: `command = 'echo {{ var.who }}'`,
      e: `prompt = 'go'`,
    });
    const { code, stderr } = await world.cis(['dag', 'run', file, '--run-id', 'needy']);
    expect(code).toBe(2);
    expect(stderr).toContain('warning');
    for (const line of [
      'task `b` needs the skill `summarise`, which is not defined: there are shell, shell-exec, echo; define it in `[skills.summarise]`',
      'task `c` needs matrix mode: it has `target_node`',
      '{{ var.who }} needs a value: give it with --var who=VALUE',
      'task `e` has a prompt and needs an agent: name one with `agent`',
    ])
      expect(stderr).toContain(line);
    expect(await world.cis(['dag', 'status', 'needy'])).toMatchObject({ code: 4 });
    const plan = await world.cis(['dag', 'run', file, '--dry-run']);
    expect(plan).toMatchObject({ code: 0, stdout: has('needs: task `c` needs matrix mode') });
  });

  test('an agent whose program is not installed is one of it; PATH of the file and of the task count', async () => {
    const bin = join(world.dir, 'agents-bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'codex'), '#!/bin/sh\n', { mode: 0o755 });
    const env = { PATH: '/usr/bin:/bin' };
    const ofTask = (path: string) => dagOf({ a: `prompt = 'go'\nagent = 'codex'\nenv = { PATH = '${path}' }` });
    const refused = await world.cis(['dag', 'run', ofTask('/usr/bin:/bin'), '--run-id', 'absent'], { env });
    expect(refused).toMatchObject({
      code: 2,
      stderr: has(
        'task `a`: its agent is not installed, there is no `codex` in PATH: install it, or say in `[agents.codex]` how it is started',
      ),
    });
    expect(await world.cis(['dag', 'status', 'absent'])).toMatchObject({ code: 4 });
    const plan = async (file: string) => (await world.cis(['dag', 'run', file, '--dry-run'], { env })).stdout;
    expect(await plan(ofTask('/usr/bin:/bin'))).toContain('its agent is not installed');
    expect(await plan(ofTask(`${bin}:/usr/bin`))).not.toContain('installed');
    expect(await plan(ofTask('{{ env.HOME }}/bin:/usr/bin'))).not.toContain('installed');
    const inDag = dagOf({ a: `prompt = 'go'\nagent = 'codex'` }, `env = { PATH = '${bin}:/usr/bin' }`);
    expect(await plan(inDag)).not.toContain('installed');
  });

  test('hybrid mode needs a room for a living run too, nodes do not take it, local is where it is', async () => {
    const file = dagOf({ a: until('moded') });
    const run = watchCis(world, ['dag', 'run', file, '--run-id', 'moded']);
    await run.waitFor(began('a'));
    expect(await world.cis(['dag', 'mode', 'moded', 'hybrid'])).toMatchObject({
      code: 2,
      stderr: has('hybrid mode needs'),
    });
    expect(await world.cis(['dag', 'mode', 'moded', 'matrix', '--room', '!r:x'])).toMatchObject({
      code: 6,
      stderr: has('stays there'),
    });
    expect(await world.cis(['dag', 'mode', 'moded', 'local'])).toMatchObject({
      code: 0,
      stdout: 'run moded is now in local mode\n',
    });
    touch('moded');
    expect((await run.ended).code).toBe(0);
    expect(await world.cis(['dag', 'mode', 'moded', 'local'])).toMatchObject({ code: 6, stderr: has('has ended') });
  });
});

describe('a dag run on a terminal', () => {
  const terminal = (run: string, file: string) => world.terminal(['dag', 'run', file, '--run-id', run], { cols: 100 });

  test('asks at Ctrl-C: c continues, d leaves it to a process in the background', async () => {
    const seen = terminal('asked', dagOf({ a: until('asked') }));
    await seen.waitForText('1 running');
    seen.type('\u0003');
    await seen.waitForText('d detach');
    seen.type('c');
    await seen.waitFor((screen) => !screen.includes('d detach'));
    seen.type('\u0003');
    await seen.waitForText('d detach');
    seen.type('d');
    expect((await seen.ended).code).toBe(0);
    expect(seen.screen()).toContain('asked goes on in the background');
    touch('asked');
    expect((await world.cis(['dag', 'wait', 'asked'])).code).toBe(0);
  });

  test('aborts at the second Ctrl-C, and rolls back', async () => {
    const seen = terminal(
      'twice',
      dagOf({ a: `command = 'true'\nrollback = ["touch undone-twice"]`, b: `deps = ["a"]\n${until('never')}` }),
    );
    await seen.waitForText('1/2');
    seen.type('\u0003');
    await seen.waitForText('d detach');
    seen.type('\u0003');
    expect((await seen.ended).code).toBe(1);
    expect(look(world, 'twice').states).toEqual({ a: 'completed', b: 'cancelled' });
    expect(readFileSync(join(world.dir, 'undone-twice'), 'utf8')).toBe('');
  });

  test('that is hung up leaves its sessions to whoever carries on', async () => {
    const seen = terminal('hungup', dagOf({ a: until('hungup') }));
    await seen.waitForText('1 running');
    seen.signal('SIGHUP');
    expect((await seen.ended).code).toBe(130);
    touch('hungup');
    expect((await world.cis(['dag', 'execute', '--run-id', 'hungup'])).code).toBe(0);
    expect(look(world, 'hungup').events.filter((event) => event.kind === 'task-starting')).toHaveLength(1);
  });
});

describe('wishes', () => {
  test('amend changes command, environment and time limit of what has not started, and says what it cannot', async () => {
    const file = dagOf({ a: until('amended'), b: `deps = ["a"]\ncommand = 'echo old'` });
    const run = watchCis(world, ['dag', 'run', file, '--run-id', 'amended']);
    await run.waitFor(began('a'));
    const amend = (...args: string[]) => world.cis(['dag', 'amend', ...args]);
    expect(
      await amend('amended:b', '--command', 'echo "$WORD"; sleep 600', '--env', 'WORD=new', '--timeout', '0.5'),
    ).toMatchObject({ code: 0 });
    expect(await amend('amended:b', '--prompt', 'x')).toMatchObject({
      code: 6,
      stderr: has('has a command, no prompt'),
    });
    expect(await amend('amended:a', '--timeout', 'none')).toMatchObject({ code: 6, stderr: has('already running') });
    expect(await amend('amended:b', '--timeout', 'soon')).toMatchObject({ code: 2 });
    expect(await amend('amended:b')).toMatchObject({ code: 2, stderr: has('nothing to amend') });
    expect(await amend('amended:x', '--timeout', '1')).toMatchObject({ code: 4, stderr: has('there is no task') });
    touch('amended');
    expect((await run.ended).code).toBe(1);
    expect((await world.cis(['dag', 'output', 'amended', 'b'])).stdout).toBe('new\n');
    const failed = look(world, 'amended').events.find((event) => event.kind === 'task-failed');
    expect(failed).toMatchObject({ failure: { kind: 'timeout', afterMs: 500 } });
  });

  test('retry --with-dependents does a finished task and what follows it again', async () => {
    const file = dagOf(
      {
        a: `command = 'echo a >> again'`,
        b: `deps = ["a"]\ncommand = 'echo b >> again'`,
        c: `command = 'test -e c-heals'`,
      },
      'policy = "continue_until_blocking"',
    );
    expect((await world.cis(['dag', 'run', file, '--run-id', 'again'])).code).toBe(1);
    touch('c-heals');
    expect(await world.cis(['dag', 'retry', 'again:a'])).toMatchObject({ code: 6, stderr: has('--with-dependents') });
    expect(await world.cis(['dag', 'retry', 'again:a', '--with-dependents'])).toMatchObject({
      code: 0,
      stdout: has('2 tasks'),
    });
    expect(await world.cis(['dag', 'retry', 'again:c'])).toMatchObject({ code: 0 });
    expect((await world.cis(['dag', 'execute', '--run-id', 'again'])).code).toBe(0);
    expect(readFileSync(join(world.dir, 'again'), 'utf8')).toBe('a\nb\na\nb\n');
  });

  test('confirm, reject and vote refuse who or what they are not for', async () => {
    const file = dagOf({
      a: `command = 'true'\nlevel = "confirmed"`,
      b: `command = 'true'\nlevel = { type = "arbitrated", stakeholders = ["ann", "bob"] }`,
      c: until('judged'),
    });
    const run = watchCis(world, ['dag', 'run', file, '--run-id', 'judged']);
    await run.waitFor(began('c'));
    const cis = (...args: string[]) => world.cis(['dag', ...args]);
    expect(await cis('confirm', 'judged:c')).toMatchObject({
      code: 6,
      stderr: has('waits for no confirmation: it is running'),
    });
    expect(await cis('confirm', 'judged:b')).toMatchObject({ code: 6, stderr: has('is voted on by ann, bob') });
    expect(await cis('vote', 'judged:a', 'yes')).toMatchObject({ code: 6, stderr: has('is not voted on') });
    expect(await cis('vote', 'judged:b', 'yes', '--as', 'eve')).toMatchObject({
      code: 6,
      stderr: has('eve has no vote'),
    });
    expect(await cis('vote', 'judged:b', 'maybe')).toMatchObject({ code: 2 });
    expect(await cis('vote', 'judged:b', 'no', '--as', 'ann')).toMatchObject({ code: 0 });
    expect(await cis('vote', 'judged:b', 'no', '--as', 'bob')).toMatchObject({ code: 6, stderr: has('it is failed') });
    expect(await cis('reject', 'judged:a')).toMatchObject({ code: 0, stdout: 'judged:a is rejected\n' });
    touch('judged');
    expect((await run.ended).code).toBe(1);
    expect(await cis('confirm', 'judged:a')).toMatchObject({
      code: 6,
      stderr: has('has ended (failed): cis dag retry judged:a'),
    });
  });

  test('abort while a failed run is rolled back says how to end the command that hangs', async () => {
    const file = dagOf({ a: `command = 'true'\nrollback = ["sleep 600"]`, b: `deps = ["a"]\ncommand = 'exit 1'` });
    const run = watchCis(world, ['dag', 'run', file, '--run-id', 'stuck']);
    await run.waitFor((event) => event.kind === 'session-started' && event.session.includes('rollback'));
    expect(await world.cis(['dag', 'abort', 'stuck'])).toMatchObject({
      code: 6,
      stderr: has('cis dag kill stuck:a.rollback-1'),
    });
    expect((await world.cis(['dag', 'kill', 'stuck:a.rollback-1'])).code).toBe(0);
    expect((await run.ended).code).toBe(1);
  });
});

describe('around runs', () => {
  test('use chooses the run that commands without an id mean', async () => {
    const file = dagOf({ a: `command = 'echo hi'` });
    for (const run of ['older', 'newer']) await world.cis(['dag', 'run', file, '--run-id', run]);
    expect(await world.cis(['dag', 'use', 'olde'])).toMatchObject({ code: 0, stdout: 'older\n' });
    expect((await world.cis(['dag', 'status'])).stdout).toContain('older');
    expect(await world.cis(['dag', 'use', 'nope'])).toMatchObject({ code: 4 });
    expect((await world.cis(['dag', 'use', '--clear'])).stdout).toContain('newest unfinished');
  });

  test('a run of `dag use` that is gone is told, and the newest is meant', async () => {
    const file = dagOf({ a: `command = 'echo hi'` });
    for (const run of ['kept', 'gone']) await world.cis(['dag', 'run', file, '--run-id', run]);
    await world.cis(['dag', 'use', 'gone']);
    expect((await world.cis(['dag', 'rm', 'gone'])).stdout).toContain('it was the run of `dag use`');
    expect(await world.cis(['dag', 'use', '--json'])).toMatchObject({ stdout: '{"run":null}\n', stderr: '' });
    const db = new Database(world.home.database);
    db.prepare("INSERT INTO settings (name, value) VALUES ('active-run', 'gone')").run();
    db.close();
    const status = await world.cis(['dag', 'status']);
    expect(status).toMatchObject({ code: 0, stderr: 'cis: run gone, which `dag use` chose, is gone\n' });
    expect(status.stdout).toContain('kept');
    expect((await world.cis(['dag', 'execute'])).stderr).toContain('cis: run gone, which');
    await world.cis(['dag', 'use', '--clear']);
  });

  test('execute without file and id carries on the run of `dag use`, else the newest unfinished one', async () => {
    await using own = openWorld();
    const file = writeDag(own, `[dag]\nname = "x"\n[[dag.tasks]]\nid = "a"\ncommand = "true"\nlevel = "confirmed"\n`);
    const done = writeDag(own, `[dag]\nname = "y"\n[[dag.tasks]]\nid = "a"\ncommand = "true"\n`, 'done.toml');
    for (const run of ['first', 'second'])
      expect((await own.cis(['dag', 'run', file, '--run-id', run, '--no-wait'])).code).toBe(3);
    expect((await own.cis(['dag', 'run', done, '--run-id', 'third'])).code).toBe(0);
    const carryOn = () => own.cis(['dag', 'execute', '--no-wait']);
    expect(await carryOn()).toMatchObject({ code: 3, stdout: has('second'), stderr: has('second:a needs a word') });
    await own.cis(['dag', 'use', 'first']);
    expect(await carryOn()).toMatchObject({ code: 3, stdout: has('first'), stderr: has('first:a needs a word') });
  });

  test('wait takes a task as well, and --blocked ends at a question', async () => {
    const file = dagOf(
      { a: `command = 'exit 3'`, b: `command = 'true'\nlevel = "confirmed"` },
      'policy = "continue_until_blocking"',
    );
    const run = watchCis(world, ['dag', 'run', file, '--run-id', 'awaited']);
    await run.waitFor((event) => event.kind === 'task-gated');
    expect(await world.cis(['dag', 'wait', 'awaited:a'])).toMatchObject({ code: 1, stdout: 'awaited:a failed\n' });
    expect(await world.cis(['dag', 'wait', 'awaited', '--blocked'])).toMatchObject({
      code: 0,
      stdout: 'awaited blocked\n',
    });
    await world.cis(['dag', 'confirm', 'awaited:b']);
    expect((await run.ended).code).toBe(1);
    expect(await world.cis(['dag', 'wait', 'awaited', '--blocked'])).toMatchObject({ code: 1 });
    expect((await world.cis(['dag', 'events', 'awaited', '--category', 'run'])).stdout).toContain('failed');
  });

  test('prune removes what ended longer ago than it is told, and says which', async () => {
    const file = dagOf({ a: `command = 'true'` });
    await world.cis(['dag', 'run', file, '--run-id', 'pruned']);
    const kept = await world.cis(['dag', 'prune', '--older-than', '1h', '--dry-run']);
    expect(kept).toMatchObject({ code: 0, stdout: '' });
    expect(await world.cis(['dag', 'prune', '--older-than', 'long'])).toMatchObject({ code: 2 });
    const all = await world.cis(['dag', 'prune', '--older-than', '0m', '--dry-run', '--json']);
    expect((JSON.parse(all.stdout) as { removed: string[] }).removed).toContain('pruned');
  });
});

test('files that a task leaves are named to those after it, and shown with their hash', async () => {
  const file = dagOf({
    a: `command = 'mkdir -p out; printf 1 > out/one.txt; printf 2 > "out/two words.txt"'\noutputs = ["out/*.txt"]`,
    b: `deps = ["a"]\ncommand = 'sort "$CIS_FILES_A" | while read -r path; do cat "$path"; done'`,
  });
  expect((await world.cis(['dag', 'run', file, '--run-id', 'leaves'])).code).toBe(0);
  expect((await world.cis(['dag', 'output', 'leaves', 'b'])).stdout).toBe('12\n');
  expect((await world.cis(['dag', 'output', 'leaves'])).stdout).toContain(
    'out/one.txt  1 bytes  sha256 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',
  );
});

describe('the DAGs of dags/', () => {
  const run = (name: string, ...more: string[]) => world.cis(['dag', 'run', join(root, 'dags', name), ...more]);

  test('quickstart.toml completes, and its last task has what the others found', async () => {
    expect((await run('quickstart.toml', '--run-id', 'quick')).code).toBe(0);
    expect((await world.cis(['dag', 'output', 'quick', 'summary'])).stdout).toMatch(
      /On Linux .*\n+there are here: \d+ files/,
    );
  });

  test('gates.toml is tried again, asks before it deploys, and completes', async () => {
    const gates = watchCis(world, ['dag', 'run', join(root, 'dags/gates.toml'), '--run-id', 'gates']);
    await gates.waitFor((event) => event.kind === 'task-gated' && event.task === 'announce');
    expect((await world.cis(['dag', 'confirm', 'gates:announce'])).code).toBe(0);
    await gates.waitFor((event) => event.kind === 'task-gated' && event.task === 'deploy');
    expect((await world.cis(['dag', 'confirm', 'gates:deploy'])).code).toBe(0);
    expect((await gates.ended).code).toBe(0);
    const { states, events } = look(world, 'gates');
    expect(states).toMatchObject({ test: 'completed', deploy: 'completed', repair: 'skipped', clean: 'completed' });
    expect(events.filter((event) => event.kind === 'task-waiting-retry')).toHaveLength(1);
  });

  test('hybrid.toml runs in local mode too, and is answered and confirmed from another terminal', async () => {
    const hybrid = watchCis(world, ['dag', 'run', join(root, 'dags/hybrid.toml'), '--run-id', 'no-room']);
    await hybrid.waitFor((event) => event.kind === 'task-blocked' && event.task === 'ask');
    expect(await world.cis(['dag', 'unblock', 'no-room:ask', 'y'])).toMatchObject({ code: 0 });
    await hybrid.waitFor((event) => event.kind === 'task-gated' && event.task === 'clean');
    expect((await world.cis(['dag', 'confirm', 'no-room:clean'])).code).toBe(0);
    expect((await hybrid.ended).code).toBe(0);
    expect((await world.cis(['dag', 'output', 'no-room', 'report'])).stdout).toContain('the answer is y');
  });

  test('check.toml is valid and could run', async () => {
    expect((await world.cis(['dag', 'validate', join(root, 'dags/check.toml')])).code).toBe(0);
    expect((await run('check.toml', '--dry-run')).stdout).not.toContain('needs:');
  });
});

import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordingPath } from '../../src/config/home.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';
import { look, watchCis, writeDag } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');
let world: World;
let env: Record<string, string>;

/** An agent as a user would define it; its hook is the built one. */
const agents = `
[agents.fake]
oneshot = ["${node}", "${fixture('fake-agent.mjs')}", "oneshot", "{{ prompt }}"]
interactive = ["${node}", "${fixture('fake-agent.mjs')}", "interactive", "{{ resume }}", "{{ prompt }}"]
resume = ["--resume", "{{ conversation }}"]
final_message = { kind = "hook" }
close = "C-c C-c"

[agents.lines]
oneshot = ["${node}", "${fixture('fake-agent.mjs')}", "oneshot", "@{{ prompt_file }}"]
prompt = "file"
final_message = { kind = "json-lines", where = "result", path = ["text"] }

[agents.silent]
interactive = ["${node}", "${fixture('fake-agent.mjs')}", "silent", "{{ prompt }}"]
close = "C-c C-c"
rules = [{ id = "silent-done", state = "done", region = "last-4", any = ["turn complete"] }]

[agents.misread]
oneshot = ["true"]
rules = [{ id = "misread", state = "blocked" }]

[agents.broken]
oneshot = "not a list"
`;

beforeAll(() => {
  world = openWorld();
  mkdirSync(world.home.dir, { mode: 0o700, recursive: true });
  writeFileSync(world.home.config, agents);
  env = { FAKE_LOG: join(world.dir, 'fake.log'), HOOK: join(root, 'dist/hook-main.js') };
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function dag(name: string, text: string): string {
  return writeDag(world, `[dag]\nname = "${name}"\n${text}`, `${name}.toml`);
}

interface Call {
  readonly task: string;
  readonly form: string;
  readonly resumed: string | null;
  readonly prompt: string;
}

function calls(): Call[] {
  return readFileSync(join(world.dir, 'fake.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Call);
}

async function outputOf(run: string, task: string): Promise<string> {
  return (await world.cis(['dag', 'output', run, task])).stdout;
}

describe('an agent of the config', () => {
  test('answers once and ends; its answer, as data, is the output, and stands fenced in the next prompt', async () => {
    const file = dag(
      'oneshot',
      `default_agent = "lines"
      tasks = [
        { id = "plan", prompt = "plan {{ var.goal }}" },
        { id = "work", deps = ["plan"], prompt = "do it" },
      ]`,
    );
    const ended = await world.cis(['dag', 'run', file, '--run-id', 'oneshot', '--var', 'goal=tea'], { env });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(await outputOf('oneshot', 'plan')).toBe('heard: plan tea\n');
    expect(calls().at(-1)?.prompt).toBe(
      'do it\n\n## Upstream task outputs\n\n### Output from plan\n\n```text\nheard: plan tea\n```\n',
    );
    const prompt = join(world.home.sessions, 'oneshot', 'work#1.agent', 'prompt');
    expect([statSync(prompt).mode & 0o777, statSync(join(prompt, '..')).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test('stays open until its hook says that its turn is done, and is closed in its own way: 130 is no failure then', async () => {
    const file = dag('open', `[[dag.tasks]]\nid = "a"\nagent = "fake"\nmode = "interactive"\nprompt = "go"`);
    const ended = await world.cis(['dag', 'run', file, '--run-id', 'open'], { env });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(await outputOf('open', 'a')).toBe('heard: go\n');
    const end = look(world, 'open').events.find((event) => event.kind === 'session-ended');
    expect(end).toMatchObject({ end: { kind: 'exited', code: 130 } });
    const sessions = await world.cis(['dag', 'sessions', '--all', '--json']);
    expect(sessions.stdout).toContain('"agent":"fake"');
  });

  test('whose hook never speaks is done when its screen says so by a rule of the user’s, which the recording names', async () => {
    const file = dag('silent', 'tasks = [{ id = "s", agent = "silent", mode = "interactive", prompt = "say" }]');
    const ended = await world.cis(['dag', 'run', file, '--run-id', 'silent'], { env });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(await outputOf('silent', 's')).toContain('heard: say');
    const marks = readFileSync(recordingPath(world.home, 'silent' as RunId, 's' as TaskId, 1), 'utf8');
    expect(marks).toContain('the turn is over (silent-done)');
  });

  test('carries on the conversation of another task by its own resume', async () => {
    const file = dag(
      'talk',
      `[[dag.tasks]]\nid = "first"\nagent = "fake"\nmode = "interactive"\nprompt = "one"\nkeep_agent = true
      [[dag.tasks]]\nid = "second"\ndeps = ["first"]\nreuse_agent = "first"\nmode = "interactive"\nprompt = "two"`,
    );
    const ended = await world.cis(['dag', 'run', file, '--run-id', 'talk'], { env });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(calls().slice(-2)).toMatchObject([
      { task: 'first', resumed: null },
      { task: 'second', resumed: 'thread-of-first' },
    ]);
  });

  test('whose driver dies while it works is adopted, and its turn counts', async () => {
    const file = dag('adopt', `[[dag.tasks]]\nid = "a"\nagent = "fake"\nmode = "interactive"\nprompt = "go"`);
    const hook = join(world.dir, 'late-hook.mjs');
    writeFileSync(
      hook,
      `import { existsSync, watch } from 'node:fs';
       const go = () => existsSync('told') && import(${JSON.stringify(env['HOOK'])});
       const watcher = watch('.', () => { if (existsSync('told')) { watcher.close(); go(); } }); if (existsSync('told')) { watcher.close(); go(); }`,
    );
    const started = watchCis(world, ['dag', 'run', file, '--run-id', 'adopt'], { ...env, HOOK: hook });
    await started.waitFor((event) => event.kind === 'task-running');
    started.child.kill('SIGKILL');
    await started.ended;
    const again = watchCis(world, ['dag', 'execute', '--run-id', 'adopt'], env);
    await again.waitFor((event) => event.kind === 'run-driver-changed');
    writeFileSync(join(world.dir, 'told'), '');
    expect((await again.ended).code).toBe(0);
    expect(await outputOf('adopt', 'a')).toBe('heard: go\n');
  });
});

describe('dags/agents.toml', () => {
  const file = join(root, 'dags/agents.toml');

  test('runs with another agent than the file names, when a flag says so', async () => {
    const ended = await world.cis(['dag', 'run', file, '--run-id', 'agents', '--agent', 'lines'], { env });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
    expect(await outputOf('agents', 'review')).toContain('heard: Review what was done');
    expect(calls().at(-1)?.prompt).toContain('### Output from write-tests');
  });

  test('is not run with an agent that nobody knows, or whose definition is wrong', async () => {
    expect(await world.cis(['dag', 'run', file, '--agent', 'cluade'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean `claude`?') as string,
    });
    expect(await world.cis(['dag', 'run', file, '--agent', 'broken'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('[agents.broken] `oneshot` must be a list of texts') as string,
    });
    expect(await world.cis(['dag', 'run', file, '--agent', 'misread'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`kind` must say what a blocked session waits for') as string,
    });
  });
});

test('a permission mode that asks nobody needs the word of the config, and is shown in the plan', async () => {
  const file = dag(
    'bold',
    `[[dag.tasks]]\nid = "a"\nagent = "claude"\nprompt = "go"\npermission_mode = "bypassPermissions"`,
  );
  const refused = await world.cis(['dag', 'run', file]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('skip_permissions = true') as string });
  writeFileSync(world.home.config, `${agents}\n[agents.claude]\nskip_permissions = true\n`);
  const plan = await world.cis(['dag', 'run', file, '--dry-run']);
  writeFileSync(world.home.config, agents);
  expect(plan.stdout).toContain('Claude Code asks nobody (--permission-mode bypassPermissions)');
});

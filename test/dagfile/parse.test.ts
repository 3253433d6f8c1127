import { describe, expect, test } from 'vitest';
import { parseDagFile, type DagFormat } from '../../src/dagfile/parse.ts';
import { renderProblems } from '../../src/dagfile/problem.ts';
import type { Dag, Task } from '../../src/domain/dag.ts';

const config = { agents: ['mine'], skills: { build: { command: 'make {{ args }}' } } };

async function parse(
  text: string,
  format: DagFormat = 'toml',
  more: { useAgent?: boolean; vars?: Record<string, string> } = {},
) {
  return parseDagFile(text, { path: `dags/x.${format}`, format, cwd: '/work', config, ...more });
}

async function dagOf(text: string, format: DagFormat = 'toml'): Promise<Dag> {
  const parsed = await parse(text, format);
  if (!parsed.ok) throw new Error(renderProblems(parsed.error));
  return parsed.value.dag;
}

async function taskOf(body: string): Promise<Task> {
  const dag = await dagOf(`[[tasks]]\nid = "up"\ncommand = "true"\n[[tasks]]\nid = "t"\n${body}`);
  const task = dag.tasks.at(-1);
  if (task === undefined) throw new Error('no task');
  return task;
}

async function messages(text: string, format: DagFormat = 'toml'): Promise<string[]> {
  const parsed = await parse(text, format);
  return parsed.ok ? [] : parsed.error.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe('shapes', () => {
  const shapes: readonly [string, DagFormat, string][] = [
    [
      '[skill] and [dag]',
      'toml',
      '[skill]\nname = "n"\ntype = "dag"\n[dag]\npolicy = "allow_debt"\n[[dag.tasks]]\nid = "a"\ncommand = "true"',
    ],
    ['[dag]', 'toml', '[dag]\nname = "n"\npolicy = "allow_debt"\n[[dag.tasks]]\nid = "a"\ncommand = "true"'],
    ['[[tasks]]', 'toml', 'policy = "allow_debt"\nname = "n"\n[[tasks]]\nid = "a"\ncommand = "true"'],
    [
      '[metadata] and [policy]',
      'toml',
      '[metadata]\nname = "n"\n[policy]\ntype = "allow_debt"\n[[tasks]]\nid = "a"\ncommand = "true"',
    ],
    ['JSON tasks', 'json', '{"name": "n", "policy": "allow_debt", "tasks": [{"id": "a", "command": "true"}]}'],
    [
      'JSON skill and dag',
      'json',
      '{"skill": {"name": "n"}, "dag": {"policy": "allow_debt", "tasks": [{"id": "a", "command": "true"}]}}',
    ],
    [
      'JSON dag_id, with comments',
      'json',
      '// how\n{"dag_id": "n", "execution_policy": "allow_debt", "tasks": [{"id": "a", "type": "shell", "command": "true", "depends_on": [], "env": {}}]}',
    ],
  ];
  test.each(shapes)('%s', async (_name, format, text) => {
    const dag = await dagOf(text, format);
    expect([dag.name, dag.policy, dag.tasks.length, dag.workDir]).toEqual(['n', 'allow_debt', 1, '/work']);
  });

  test('every default is filled in', async () => {
    const dag = await dagOf('[[tasks]]\nid = "a"\ncommand = "true"');
    expect(dag).toMatchInlineSnapshot(`
      {
        "env": {},
        "matrix": {
          "encrypted": false,
          "sensitive": false,
        },
        "name": "x",
        "policy": "all_success",
        "tasks": [
          {
            "action": {
              "command": "true",
              "kind": "command",
              "shell": "/bin/sh",
            },
            "answers": [],
            "context": "deps",
            "contextLimit": 10000,
            "deps": [],
            "env": {},
            "id": "a",
            "idempotent": false,
            "keepAgent": false,
            "level": {
              "kind": "mechanical",
            },
            "name": "a",
            "onBlocked": {
              "onRateLimit": "block",
              "releaseSlot": false,
              "then": "wait",
            },
            "outputs": [],
            "placement": {
              "needs": [],
              "preferLocal": false,
              "tierFallback": "graceful",
            },
            "priority": 0,
            "retry": {
              "backoffMs": 1000,
              "max": 0,
              "maxBackoffMs": 60000,
              "on": [
                "failure",
                "timeout",
              ],
            },
            "rollback": [],
            "timeoutCountsBlocked": false,
            "workspace": "shared",
          },
        ],
        "todo": [],
        "workDir": "/work",
      }
    `);
    expect(JSON.parse(JSON.stringify(dag))).toEqual(dag);
  });
});

describe('spellings', () => {
  test.each([
    ['level = "confirmed"', { kind: 'confirmed' }],
    ['level = { Confirmed = {} }', { kind: 'confirmed' }],
    ['level = { type = "Mechanical", retry = 3 }', { kind: 'mechanical' }],
    [
      'level = { type = "recommended", timeout = 300, default_action = "skip" }',
      { kind: 'recommended', timeoutMs: 300_000, defaultAction: 'skip' },
    ],
    [
      'level = { type = "recommended", timeout_secs = 2 }',
      { kind: 'recommended', timeoutMs: 2_000, defaultAction: 'execute' },
    ],
    [
      'level = { type = "arbitrated", stakeholders = ["a", "b"], retry = 5 }',
      { kind: 'arbitrated', stakeholders: ['a', 'b'] },
    ],
  ])('%s', async (body, level) => {
    expect((await taskOf(`command = "true"\n${body}`)).level).toEqual(level);
  });

  test('a retry of the task beats that of its level, which beats that of the policy', async () => {
    const text = (body: string): string => `[policy]\nmax_retries = 1\n[[tasks]]\nid = "t"\ncommand = "true"\n${body}`;
    const max = async (body: string): Promise<number | undefined> => (await dagOf(text(body))).tasks[0]?.retry.max;
    expect(await max('')).toBe(1);
    expect(await max('level = { type = "mechanical", retry = 2 }')).toBe(2);
    expect(await max('level = { type = "mechanical", retry = 2 }\nretry = { max = 3 }')).toBe(3);
    expect(await max('level = { type = "mechanical", retry = 2 }\nretry = 0')).toBe(0);
  });

  test('a command with an agent is its prompt, also for the older spellings', async () => {
    const action = async (body: string) => (await taskOf(body)).action;
    expect(await action('agent = "claude"\ncommand = "do it"')).toMatchObject({
      kind: 'agent',
      agent: 'claude',
      prompt: 'do it',
    });
    expect(await action('agent_runtime = "open_code"\ncommand = "x"')).toMatchObject({ agent: 'opencode' });
    expect(await action('agent_runtime = "default"\ncommand = "x"')).toEqual({
      kind: 'agent',
      prompt: 'x',
      config: {},
    });
    expect(await action('prompt = "x"')).toEqual({ kind: 'agent', prompt: 'x', config: {} });
    expect(await action('agent = "shell"\ncommand = "ls"')).toMatchObject({ kind: 'command', command: 'ls' });
    expect(
      await action(
        'agent = "mine"\nprompt = "x"\n[tasks.agent_config]\nmodel = "m"\ntemperature = 0.5\napi_key = { env = "KEY" }',
      ),
    ).toEqual({
      kind: 'agent',
      agent: 'mine',
      prompt: 'x',
      config: { model: 'm', temperature: '0.5', apiKeyEnv: 'KEY' },
    });
  });

  test('--use-agent makes commands without an agent prompts of the default one', async () => {
    const parsed = await parse('[[tasks]]\nid = "t"\ncommand = "say hi"', 'toml', { useAgent: true });
    expect(parsed.ok && parsed.value.dag.tasks[0]?.action).toEqual({ kind: 'agent', prompt: 'say hi', config: {} });
  });

  test('skills: echo, shell, one of the config, one that nobody knows', async () => {
    const parsed = await parse(
      '[[tasks]]\nid = "a"\nskill = "echo"\n[[tasks]]\nid = "b"\nskill = "shell"\n[[tasks]]\nid = "c"\nskill = "build"\ncommand = "all"\n[[tasks]]\nid = "d"\nskill = "buidl"',
    );
    if (!parsed.ok) throw new Error(renderProblems(parsed.error));
    const { dag, warnings } = parsed.value;
    expect(dag.tasks.map(({ action }) => (action.kind === 'command' ? action.command : ''))).toEqual([
      "printf '%s\\n' {{ task.name }}",
      ':',
      'make all',
      '',
    ]);
    expect(dag.tasks.map(({ skill }) => skill?.known)).toEqual([true, true, true, false]);
    expect(warnings.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '6 task `b` has the skill `shell` without a command: it does nothing',
      '13 there is no skill `buidl`',
    ]);
  });

  test('on_failure names a task that runs if and only if this one fails', async () => {
    const dag = await dagOf(
      '[[tasks]]\nid = "a"\ncommand = "x"\non_failure = "fix"\n[[tasks]]\nid = "fix"\ncommand = "y"\ncondition = "if a.status == \'failed\'"',
    );
    expect(dag.tasks.map(({ deps, rescues, onFailure }) => ({ deps, rescues, onFailure }))).toEqual([
      { deps: [], rescues: undefined, onFailure: { rescue: 'fix' } },
      { deps: ['a'], rescues: 'a', onFailure: undefined },
    ]);
  });

  test('a matrix makes one task per combination, and whoever waits for it waits for all', async () => {
    const dag = await dagOf(
      '[[tasks]]\nid = "m"\nagent = "{{ matrix.agent }}"\nprompt = "use {{ matrix.v }}"\nmatrix = { agent = ["claude", "codex"], v = [3.12, "a b"] }\n[[tasks]]\nid = "z"\ndeps = ["m"]\ncommand = "cat"\n[[tasks]]\nid = "y"\ndeps = ["m.codex.a-b"]\nprompt = "{{ tasks.m.codex.a-b.output }}"',
    );
    expect(dag.tasks.map(({ id }) => id)).toEqual([
      'm.claude.3-12',
      'm.claude.a-b',
      'm.codex.3-12',
      'm.codex.a-b',
      'z',
      'y',
    ]);
    expect(dag.tasks[2]?.action).toMatchObject({ agent: 'codex', prompt: 'use {{ matrix.v }}' });
    expect(dag.tasks[2]?.matrix).toEqual({ of: 'm', values: { agent: 'codex', v: '3.12' } });
    expect(dag.tasks[4]?.deps).toHaveLength(4);
  });
});

test('all mistakes of a file are said at once, each at its place', async () => {
  const parsed = await parse(`[dag]
max_workers = 0
polcy = "all_success"
default_agent = "claud"

[[dag.tasks]]
id = "build"
dep = ["a"]
command = "make"

[[dag.tasks]]
id = "test"
depends_on = ["biuld", "test"]
command = '''
echo ok
echo \`cat {{ tasks.build.output }}\`
'''
level = { type = "arbitrated" }
condition = "tasks.build.exit_code = 0"
on_failure = "retrry"

[[dag.tasks]]
id = "build"
agent = "claude"
prompt = "sum up {{ tasks.test.output }} for {{ whom }}"
agent_config = { api_key = "sk-123" }
`);
  expect(parsed.ok ? '' : `\n${renderProblems(parsed.error)}\n`).toMatchInlineSnapshot(`
    "
    dags/x.toml:2:15: \`max_workers\` must be a whole number from 1 to 1000, not 0
    2 | max_workers = 0
      |               ^
    dags/x.toml:3:1: unknown key \`polcy\` in \`dag\`, did you mean \`policy\`?
    3 | polcy = "all_success"
      | ^^^^^
    dags/x.toml:4:17: there is no agent \`claud\`
    4 | default_agent = "claud"
      |                 ^^^^^^^
      = did you mean \`claude\`?
    dags/x.toml:8:1: unknown key \`dep\` in task \`build\`, did you mean \`deps\`?
    8 | dep = ["a"]
      | ^^^
    dags/x.toml:13:15: task \`test\` waits for \`biuld\`, which is no task
    13 | depends_on = ["biuld", "test"]
       |               ^^^^^^^
       = did you mean \`build\`?
    dags/x.toml:13:24: task \`test\` waits for itself
    13 | depends_on = ["biuld", "test"]
       |                        ^^^^^^
    dags/x.toml:16:11: the output of \`build\` cannot be filled in inside of backticks
    16 | echo \`cat {{ tasks.build.output }}\`
       |           ^^^^^^^^^^^^^^^^^^^^^^^^
       = read the file "$CIS_UPSTREAM_DIR/build" instead
    dags/x.toml:16:11: task \`test\` does not wait for \`build\`
    16 | echo \`cat {{ tasks.build.output }}\`
       |           ^^^^^^^^^^^^^^^^^^^^^^^^
       = add "build" to its \`deps\`
    dags/x.toml:18:9: \`level\` arbitrated needs \`stakeholders\`
    18 | level = { type = "arbitrated" }
       |         ^^^^^^^^^^^^^^^^^^^^^^^
       = a list of who votes: stakeholders = ["ada", "grace"]
    dags/x.toml:19:36: condition: "=" is not understood here
    19 | condition = "tasks.build.exit_code = 0"
       |                                    ^
       = write ==
    dags/x.toml:20:14: \`on_failure\`: "retrry" is neither a task nor one of fail, skip_dependents, ignore, ask
    20 | on_failure = "retrry"
       |              ^^^^^^^^
    dags/x.toml:23:6: the id \`build\` is taken by another task
    23 | id = "build"
       |      ^^^^^^^
    dags/x.toml:25:18: task \`build\` does not wait for \`test\`
    25 | prompt = "sum up {{ tasks.test.output }} for {{ whom }}"
       |                  ^^^^^^^^^^^^^^^^^^^^^^^
       = add "test" to its \`deps\`
    dags/x.toml:25:46: unknown placeholder {{ whom }}
    25 | prompt = "sum up {{ tasks.test.output }} for {{ whom }}"
       |                                              ^^^^^^^^^^
       = known: tasks.ID.output, run.id, env.NAME, var.NAME, matrix.KEY, task.id, task.name; for a literal {{ write {{ "{{" }}
    dags/x.toml:26:28: \`api_key\` must not hold a key: the file is kept with the run and shown
       = put the key into an environment variable and write api_key = { env = "NAME" }
    "
  `);
});

describe('refused', () => {
  const one = (body: string): string => `[[tasks]]\nid = "a"\ncommand = "true"\n${body}`;
  test.each([
    [
      'a cycle, as a path',
      '[[tasks]]\nid="a"\ncommand="x"\ndeps=["c"]\n[[tasks]]\nid="b"\ncommand="x"\ndeps=["a"]\n[[tasks]]\nid="c"\ncommand="x"\ndeps=["b"]',
      '4:6 tasks wait for each other: a → b → c → a',
    ],
    [
      'an id for a rollback',
      '[[tasks]]\nid="a.rollback-1"\ncommand="x"',
      '2:4 `a.rollback-1`: the ending .rollback-N is kept for rollbacks',
    ],
    [
      'an id with shell characters',
      '[[tasks]]\nid="a;rm -rf $HOME"\ncommand="x"',
      '2:4 `id` must be letters, digits, . _ and -, at most 100, and not begin with . or -',
    ],
    ['a key named __proto__', one('__proto__ = { x = 1 }'), '4:1 unknown key `__proto__` in task `a`'],
    ['a key named constructor', one('constructor = 1'), '4:1 unknown key `constructor` in task `a`'],
    ['the same thing said twice', one('deps = []\ndepends_on = []'), '5:1 `depends_on` says `deps` a second time'],
    ['a date', one('name = 2020-01-01'), '4:8 `name` must be a text, not a date'],
    ['a float', one('retry = 1.5'), '4:9 `retry` must be a whole number from 0 to 1000, not the number 1.5'],
    ['nothing to do', '[[tasks]]\nid = "a"', '2:1 task `a` has nothing to do'],
    ['no tasks', '[dag]\nname = "x"', '1:2 the file has no tasks'],
    ['nothing at all', '', '1:1 the file has no tasks'],
    [
      'keys of another level',
      one('level = { type = "confirmed", timeout = 3 }'),
      '4:9 `level` confirmed has no `timeout_secs`',
    ],
    [
      'a matrix whose values collide',
      '[[tasks]]\nid = "a"\ncommand="x"\nmatrix = { v = ["a b", "a-b"] }',
      '4:10 `matrix`: "a b" and "a-b" both give the id `a.a-b`',
    ],
    [
      'an output of a task that it does not wait for',
      one('[[tasks]]\nid="b"\ncommand="echo {{ tasks.a.output }}"'),
      '6:15 task `b` does not wait for `a`',
    ],
    [
      'a shared agent that is not kept',
      '[[tasks]]\nid="a"\nprompt="x"\n[[tasks]]\nid="b"\nprompt="y"\ndeps=["a"]\nreuse_agent="a"',
      '8:13 `reuse_agent`: `a` does not keep its agent',
    ],
    [
      'ids that give one variable',
      '[[tasks]]\nid="a-b"\ncommand="x"\n[[tasks]]\nid="a_b"\ncommand="x"\n[[tasks]]\nid="c"\ncommand="x"\ndeps=["a-b","a_b"]',
      '5:4 `a-b` and `a_b` both give the variable $CIS_UPSTREAM_A_B, and task `c` comes after both',
    ],
    ['broken TOML', '[[tasks]\nid=1', '1:9'],
    ['nesting without end', `a = ${'['.repeat(100_000)}`, '1:1005 not valid TOML'],
  ])('%s', async (_name, text, expected) => {
    expect((await messages(text))[0]).toContain(expected);
  });

  test('an id given twice is said once', async () => {
    const text =
      '[[tasks]]\nid="a"\ncommand="x"\n[[tasks]]\nid="a"\ncommand="x"\n[[tasks]]\nid="c"\ncommand="x"\ndeps=["a"]';
    expect(await messages(text)).toEqual(['5:4 the id `a` is taken by another task']);
  });

  test('broken and bottomless JSON, at its place', async () => {
    expect((await messages('{"tasks": [}', 'json'))[0]).toBe('1:12 not valid JSON: value expected');
    expect((await messages('['.repeat(100_000), 'json'))[0]).toBe('1:501 not valid JSON: nested too deeply');
    expect((await messages('{"tasks": [{"id": "a", "command": "x", "comand": 1}]}', 'json'))[0]).toBe(
      '1:40 unknown key `comand` in task `a`, did you mean `command`?',
    );
  });

  test('a wrong --var, where the file lists its variables', async () => {
    const parsed = await parse('[dag]\nvars = { goal = "x" }\n[[dag.tasks]]\nid="a"\nprompt="{{ var.goal }}"', 'toml', {
      vars: { gaol: '1' },
    });
    expect(parsed.ok ? [] : parsed.error.map(({ message, hint }) => [message, hint])).toEqual([
      ['--var gaol: the file has no such variable', 'did you mean `goal`?'],
    ]);
  });
});

test('ids like those of Object.prototype are ids like any other', async () => {
  const dag = await dagOf(
    '[[tasks]]\nid = "__proto__"\ncommand = "x"\nenv = { __proto__ = "v" }\n[[tasks]]\nid = "constructor"\ndeps = ["__proto__"]\nprompt = "{{ tasks.__proto__.output }}"',
  );
  expect(dag.tasks.map(({ id }) => id)).toEqual(['__proto__', 'constructor']);
  expect(Object.entries(dag.tasks[0]?.env ?? {})).toEqual([['__proto__', 'v']]);
  expect(Object.getPrototypeOf(dag.tasks[0]?.env)).toBe(Object.prototype);
});

test('a chain of 10,000 tasks loads, and so do its mistakes', async () => {
  const chain = (command: string): string =>
    Array.from(
      { length: 10_000 },
      (_, i) => `[[tasks]]\nid = "t${i}"\n${command}\ndeps = [${i > 0 ? `"t${i - 1}"` : ''}]\n`,
    ).join('');
  expect((await dagOf(chain('command = "true"'))).tasks).toHaveLength(10_000);
  expect(await messages(chain('comand = "true"'))).toHaveLength(20_000);
});

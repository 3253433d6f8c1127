import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openWorld } from '../support/world.ts';
import { dagFile, dagOf, expectEnd } from './support.ts';

test.for([
  ['a directory', 'mkdir "$CIS_OUTPUT"; echo shown', 'shown\n'],
  ['a FIFO that nobody writes to', 'mkfifo "$CIS_OUTPUT"; echo shown', 'shown\n'],
  ['a link to nothing', 'ln -s /no/such/file "$CIS_OUTPUT"; echo shown', 'shown\n'],
  ['a link to a device', 'ln -s /dev/zero "$CIS_OUTPUT"; echo shown', 'shown\n'],
] as const)('CIS_OUTPUT may be %s', async ([, script, said]) => {
  await using world = openWorld();
  const path = dagFile(world, dagOf(['a', script], ['b', 'cat "$CIS_UPSTREAM_A"', 'a']));
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'odd']), 0, 'completed');
  expect((await world.cis(['dag', 'output', 'odd', 'a'])).stdout).toBe(said);
  expect((await world.cis(['dag', 'output', 'odd', 'b'])).stdout).toBe(said);
});

test('of an output of 100 MB the first MiB is kept, whole characters only, and that is said', async () => {
  await using world = openWorld();
  const script = `yes '\u00e4\u00f6\u00fc\u20ac' | head -c 100000000 > "$CIS_OUTPUT"`;
  const path = dagFile(world, dagOf(['big', script], ['after', 'wc -c < "$CIS_UPSTREAM_BIG"', 'big']));
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'large']), 0, 'completed');
  const { stdout, stderr } = await world.cis(['dag', 'output', 'large', 'big']);
  expect(stdout).not.toContain('\uFFFD');
  expect(Buffer.byteLength(stdout)).toBeGreaterThan(1024 * 1024 - 4);
  expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(1024 * 1024 + 1);
  expect(stderr).toMatch(/of 100000000 bytes were kept/);
});

test('a megabyte in one line, NUL bytes and bytes that are no UTF-8 reach a dependent as files, or are refused by name', async () => {
  await using world = openWorld();
  const path = dagFile(
    world,
    `[dag]\npolicy = "continue_until_blocking"\n${dagOf(
      ['line', 'head -c 1000000 /dev/zero | tr "\\0" x'],
      ['bytes', 'printf "a\\377b\\000c" > "$CIS_OUTPUT"'],
      ['files', 'wc -c < "$CIS_UPSTREAM_LINE"; wc -c < "$CIS_UPSTREAM_BYTES"', 'line', 'bytes'],
      ['long', 'echo "{{ tasks.line.output }}"', 'line'],
      ['nul', 'echo "{{ tasks.bytes.output }}"', 'bytes'],
    ).replaceAll('[[tasks]]', '[[dag.tasks]]')}`,
  );
  const ended = await world.cis(['dag', 'run', path, '--run-id', 'bytes']);
  expectEnd(ended, 1, /long failed: not started: .*100 KiB.*CIS_UPSTREAM_DIR/);
  expect(ended.stdout).toMatch(/nul failed: not started: .*NUL byte.*CIS_UPSTREAM_DIR/);
  expect((await world.cis(['dag', 'output', 'bytes', 'files'])).stdout).toMatch(/^10000\d\d\n\s*7\n$/);
});

test('ten thousand output files, a pattern that leads up, one without a match and a broken one end in an answer', async () => {
  await using world = openWorld();
  const path = dagFile(
    world,
    `[[tasks]]\nid = "many"\ncommand = "mkdir many; cd many; seq 1 10000 | xargs touch; echo up > ../../up.txt"
outputs = ["many/*", "../up.txt", "none/*", "[", "up.*"]\n`,
  );
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'files']), 0, 'completed');
  const { outputs } = JSON.parse((await world.cis(['dag', 'output', 'files', '--json'])).stdout) as {
    outputs: { artifacts: { path: string }[] }[];
  };
  const paths = outputs[0]?.artifacts.map((one) => one.path) ?? [];
  expect(paths).toContain(join(world.dir, 'many/1'));
  expect(paths).toHaveLength(10_000);
});

/** The value of the secret, cut in two so that it does not stand in this process's own arguments. */
const secret = ['hush-hush', '0123456789'].join('-');

test('a secret is masked wherever it is shown or put into another command, and is in no argument and no log of ours', async () => {
  await using world = openWorld();
  const env = { MY_API_TOKEN: secret };
  const look = `cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" | awk 'index($0, ENVIRON["MY_API_TOKEN"]) {n++} END {print n+0}' > argv`;
  const path = dagFile(
    world,
    dagOf(
      ['tells', 'echo "token $MY_API_TOKEN"'],
      ['given', 'echo "{{ tasks.tells.output }} {{ env.MY_API_TOKEN }}"; cat "$CIS_UPSTREAM_TELLS"', 'tells'],
      ['looks', look, 'given'],
      ['fails', 'echo "no good: $MY_API_TOKEN"; exit 3', 'looks'],
    ),
  );
  const run = await world.cis(['dag', 'run', path, '--run-id', 'quiet'], { env });
  expectEnd(run, 1, '[MY_API_TOKEN redacted]');
  const shown = [
    ['output', 'quiet'],
    ['output', 'quiet', '--json'],
    ['status', 'quiet', '-v'],
    ['status', 'quiet', '--json'],
    ['events', 'quiet'],
    ['events', 'quiet', '--json'],
    ['timeline', 'quiet'],
    ['logs', 'quiet:tells'],
    ['logs', 'quiet:tells', '--json'],
    ['logs', 'quiet:tells', '-f'],
    ['replay', 'quiet:tells', '--speed', '1000'],
    ['show', 'quiet'],
    ['sessions', '--all', '--json'],
  ];
  expect(run.stdout + run.stderr).not.toContain(secret);
  for (const args of shown) {
    const { stdout, stderr } = await world.cis(['dag', ...args], { env });
    expect(stdout + stderr, args.join(' ')).not.toContain(secret);
  }
  expect(readFileSync(join(world.dir, 'argv'), 'utf8').trim()).toBe('0');
  expect(readFileSync(join(world.home.logs, 'host.log'), 'utf8')).not.toContain(secret);
});

test('what a run was given in its file and by --var is masked by the same names, in any later command', async () => {
  await using world = openWorld();
  const [inFile, ofTask, byFlag] = ['file', 'task', 'flag'].map((from) => `${from}-${secret}`);
  const path = dagFile(
    world,
    `[dag]
name = "given"
env = { DEPLOY_TOKEN = "${inFile}" }
vars = { signing_key = "" }
[[dag.tasks]]
id = "tells"
env = { DB_PASSWORD = "${ofTask}" }
command = 'echo "$DEPLOY_TOKEN $DB_PASSWORD {{ var.signing_key }}"'
[[dag.tasks]]
id = "fails"
deps = ["tells"]
command = 'echo "{{ tasks.tells.output }}"; exit 3'
`,
  );
  const run = await world.cis(['dag', 'run', path, '--run-id', 'given', '--var', `signing_key=${byFlag}`]);
  const said = '[DEPLOY_TOKEN redacted] [DB_PASSWORD redacted] [signing_key redacted]';
  expectEnd(run, 1, said); // the second task was given the masked text, and its report shows that
  expect((await world.cis(['dag', 'logs', 'given:tells'])).stdout).toBe(`${said}\n`);
  expect((await world.cis(['dag', 'output', 'given', 'tells'])).stdout).toBe(`${said}\n`);
  const shown = [
    ['status', 'given', '-v'],
    ['events'],
    ['events', 'given', '--json'],
    ['logs', 'given:tells', '-f'],
    ['replay', 'given:tells', '--speed', '1000'],
    ['show', 'given'],
    ['output', 'given', '--json'],
  ];
  for (const args of shown) {
    const { stdout, stderr } = await world.cis(['dag', ...args]);
    expect(stdout + stderr, args.join(' ')).not.toContain(secret);
  }
});

test('a secret is masked in the last line of the live table too', async () => {
  await using world = openWorld();
  const path = dagFile(world, dagOf(['tells', 'echo "token $MY_API_TOKEN"; until [ -e go ]; do sleep 0.05; done']));
  const terminal = world.terminal(['dag', 'run', path, '--run-id', 'table'], { env: { MY_API_TOKEN: secret } });
  await terminal.waitForText('token [MY_API_TOKEN redacted]');
  writeFileSync(join(world.dir, 'go'), '');
  expect(await terminal.ended).toMatchObject({ code: 0 });
  expect(terminal.output().toString()).not.toContain(secret);
});

test.for(['000', '077', '022'])(
  'with umask %s all files of the home are 0600 and its directories 0700',
  async (umask) => {
    await using world = openWorld();
    const text = dagOf(['a', 'echo x; echo kept > "$CIS_OUTPUT"'], ['b', 'echo "{{ tasks.a.output }}"', 'a']);
    const path = dagFile(world, text);
    const ended = await world.cis(['dag', 'run', path, '--detach', '--run-id', 'modes'], { umask });
    expectEnd(ended, 0, 'modes');
    expectEnd(await world.cis(['dag', 'wait', 'modes']), 0, '');
    const all = readdirSync(world.home.dir, { recursive: true, encoding: 'utf8' });
    expect(all.some((name) => name.endsWith('.prelude'))).toBe(true);
    const own = all.filter((name) => !name.endsWith('.out')); // those the task itself made, in a directory of 0700
    expect(own.filter((name) => (statSync(join(world.home.dir, name)).mode & 0o077) !== 0)).toEqual([]);
  },
);

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openWorld } from '../support/world.ts';
import { dagFile, dagOf, expectEnd } from './support.ts';

const deepKey = Array.from({ length: 50_000 }, () => 'a').join('.');

test.for([
  ['an empty file', 'x.toml', '', 'the file has no tasks'],
  ['bytes that are no text', 'x.toml', Buffer.from([0xff, 0xfe, 0, 1, 0x80]), 'not UTF-8'],
  ['lists in lists in lists', 'x.toml', `a = ${'['.repeat(100_000)}${']'.repeat(100_000)}`, /not valid TOML/],
  ['a key of 50,000 parts', 'x.toml', `${deepKey} = 1`, 'nested more than 64 deep'],
  ['deep JSON', 'x.json', `{"a":`.repeat(50_000) + '1' + '}'.repeat(50_000), 'nested more than 64 deep'],
  ['a table where tasks belong', 'x.json', '{"tasks": 5}', 'must be a list'],
  ['a prototype', 'x.json', '{"tasks":[{"id":"a","command":"true","__proto__":{"x":1}}]}', 'unknown key `__proto__`'],
  ['an id that is shell code', 'x.toml', '[[tasks]]\nid = "a;rm -rf $(x)"\ncommand = "true"', '`id` must be letters'],
  ['an id that leads elsewhere', 'x.toml', '[[tasks]]\nid = "../../x"\ncommand = "true"', '`id` must be letters'],
  ['a cycle', 'x.toml', dagOf(['a', 'true', 'b'], ['b', 'true', 'a']), 'a → b → a'],
] as const)('%s is refused with its place and exit code 2, by validate and by run', async ([, name, text, said]) => {
  await using world = openWorld();
  const path = dagFile(world, text, name);
  for (const command of ['validate', 'run']) {
    const ended = await world.cis(['dag', command, path]);
    expectEnd(ended, 2, said);
    expect(ended.stdout + ended.stderr).toContain(name);
  }
});

test('a directory, a FIFO, a missing and a too large file are refused by name', async () => {
  await using world = openWorld();
  mkdirSync(join(world.dir, 'dir.toml'));
  execFileSync('mkfifo', [join(world.dir, 'fifo.toml')]);
  dagFile(world, '#'.repeat(17 * 1024 * 1024), 'large.toml');
  expectEnd(await world.cis(['dag', 'run', 'dir.toml']), 2, 'dir.toml: is a directory');
  expectEnd(await world.cis(['dag', 'run', 'fifo.toml']), 2, 'fifo.toml: is not a file');
  expectEnd(await world.cis(['dag', 'run', 'missing.toml']), 2, 'missing.toml: no such file');
  expectEnd(await world.cis(['dag', 'run', 'large.toml']), 2, 'large.toml: larger than 16 MiB');
});

test('a byte order mark, CRLF and the names of built-in properties are no trouble', async () => {
  await using world = openWorld();
  const text = dagOf(['constructor', 'echo upstream'], ['__proto__', 'cat "$CIS_UPSTREAM_CONSTRUCTOR"', 'constructor']);
  const path = dagFile(world, `\uFEFF${text.replaceAll('\n', '\r\n')}`);
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'odd']), 0, 'odd completed');
  expect(await world.cis(['dag', 'output', 'odd', '__proto__'])).toMatchObject({ stdout: 'upstream\n' });
});

test('ten thousand tasks are checked, shown and planned', async () => {
  await using world = openWorld();
  const ids = Array.from({ length: 10_000 }, (_, index) => index);
  const path = dagFile(
    world,
    dagOf(...ids.map((id) => [`t${id}`, 'true', ...(id > 0 ? [`t${id - 1}`] : [])] as const)),
  );
  expectEnd(await world.cis(['dag', 'validate', path]), 0, '10000 tasks');
  expectEnd(await world.cis(['dag', 'show', path]), 0, 't9999');
  expectEnd(await world.cis(['dag', 'run', '--dry-run', path]), 0, '10000 tasks');
  const round = dagFile(
    world,
    dagOf(...ids.map((id) => [`t${id}`, 'true', `t${(id + 1) % 10_000}`] as const)),
    'round.toml',
  );
  expectEnd(await world.cis(['dag', 'validate', round]), 2, 'tasks wait for each other');
});

test('what cannot start says so: a directory, a shell and a command that are not there', async () => {
  await using world = openWorld();
  const path = dagFile(
    world,
    `[dag]\npolicy = "continue_until_blocking"
[[dag.tasks]]\nid = "where"\ncommand = "true"\nwork_dir = "/no/such/dir"
[[dag.tasks]]\nid = "proc"\ncommand = "true"\nwork_dir = "/proc/none/such"
[[dag.tasks]]\nid = "shell"\ncommand = "true"\nshell = "/no/such/shell"
[[dag.tasks]]\nid = "what"\ncommand = "no-such-command"`,
  );
  const ended = await world.cis(['dag', 'run', path, '--run-id', 'lost']);
  expectEnd(ended, 1, 'where failed: not started: the working directory /no/such/dir is not there');
  expect(ended.stdout).toContain('proc failed: not started: the working directory /proc/none/such is not there');
  expect(ended.stdout).toContain('shell failed: not started: command not found: /no/such/shell');
  expect(ended.stdout).toMatch(/no-such-command: not found/);
  expect(ended.stdout).not.toContain('cis dag logs lost:where');
  expectEnd(await world.cis(['dag', 'logs', 'lost:where']), 4, 'not started: the working directory');
});

test.for([
  [['--max-workers', '0'], 'whole number from 1 on'],
  [['--max-workers', '1e9'], 'whole number from 1 on'],
  [['--var', 'novalue'], 'NAME=VALUE'],
  [['--var', '=x'], 'NAME=VALUE'],
  [['--var', 'a-b=x'], 'NAME=VALUE'],
  [['--run-id', ''], 'is not a run id'],
  [['--run-id', '../x'], 'is not a run id'],
  [['--run-id', 'a'.repeat(65)], 'is not a run id'],
  [['--nope'], "unknown option '--nope'"],
  [['--local', '--hybrid'], 'do not go together'],
  [['extra'], 'too many arguments'],
] as const)('%j is refused with exit code 2, and nothing is made', async ([flags, said]) => {
  await using world = openWorld();
  const path = dagFile(world, dagOf(['a', 'true']));
  expectEnd(await world.cis(['dag', 'run', path, ...flags]), 2, said);
  expectEnd(await world.cis(['dag', 'list']), 0, 'nothing has run yet');
});

test('an id that is taken, unknown or the beginning of several is told apart', async () => {
  await using world = openWorld();
  const path = dagFile(world, dagOf(['a', 'true']));
  for (const id of ['night-1', 'night-2']) expectEnd(await world.cis(['dag', 'run', path, '--run-id', id]), 0, id);
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'night-1']), 6, 'there is a run "night-1" already');
  expectEnd(await world.cis(['dag', 'status', 'night']), 6, 'fits 2 runs: give more of it');
  for (const command of ['status', 'output', 'wait', 'timeline', 'pause', 'abort', 'resume'])
    expectEnd(await world.cis(['dag', command, 'nobody']), 4, 'nobody');
  for (const command of ['logs', 'attach', 'kill', 'replay'])
    expectEnd(await world.cis(['dag', command, 'night-1:nobody']), 4, 'night-1:nobody');
  expectEnd(await world.cis(['dag', 'execute', '--run-id', 'nobody']), 4, 'no run "nobody"');
});

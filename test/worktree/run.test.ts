import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { killHost, look, watchCis } from '../executor/support.ts';
import { openWorld, type World } from '../support/world.ts';
import { dagOf, gitIn, makeRepository, put, snapshot } from './support.ts';

let world: World;

beforeAll(() => {
  world = openWorld();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const pathOf = (run: string, task: string) => join(world.home.worktrees, run, task);
const blocked = (task: string) => (event: CisEvent) => event.kind === 'task-blocked' && event.task === task;

test('each task works on a branch of its own, dependents start from what their dependencies left, and the tree of the person stays as it was', async () => {
  const repo = makeRepository(world, 'plain', { 'a.txt': 'one\n', 'sub/b.txt': 'two\n' });
  put(repo, 'a.txt', 'edited, not committed\n');
  put(repo, 'staged.txt', 'staged\n');
  gitIn(world, repo, 'add', 'staged.txt');
  put(repo, 'unknown.txt', 'not added\n');
  const before = snapshot(world, repo);
  const file = dagOf(world, join(repo, 'sub'), {
    left: `command = 'cat ../a.txt; pwd > where.txt; echo left > left.txt; echo "$CIS_WORKTREE|$CIS_BRANCH|$CIS_BASE" > "$CIS_OUTPUT"'`,
    right: `command = 'echo right > right.txt; git add right.txt; git -c user.name=x -c user.email=x -c core.hooksPath= -c commit.gpgSign=false commit -qm "of the task"; echo more > more.txt'`,
    both: `deps = ["left", "right"]\ncommand = 'cat left.txt right.txt more.txt'`,
  });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'plain']);
  expect(ended.code, ended.stderr + ended.stdout).toBe(0);
  expect(snapshot(world, repo)).toEqual(before);
  expect(existsSync(`${repo}.hooks`)).toBe(false);
  expect((await world.cis(['dag', 'output', 'plain', 'both'])).stdout).toBe('left\nright\nmore\n');
  const base = gitIn(world, repo, 'rev-parse', 'HEAD');
  expect((await world.cis(['dag', 'output', 'plain', 'left'])).stdout).toBe(
    `${pathOf('plain', 'left')}|cis/plain/left|${base}\n`,
  );
  expect(readFileSync(join(pathOf('plain', 'left'), 'sub/where.txt'), 'utf8')).toBe(`${pathOf('plain', 'left')}/sub\n`);
  expect(gitIn(world, repo, 'log', '--format=%s%n%b', 'cis/plain/right', '^main')).toContain('run plain, task right');
  expect(gitIn(world, repo, 'log', '--format=%s', 'cis/plain/right', '^main')).toContain('of the task');
  expect(gitIn(world, repo, 'ls-tree', '-r', '--name-only', 'cis/plain/both').split('\n')).toEqual([
    'a.txt',
    'sub/b.txt',
    'sub/left.txt',
    'sub/more.txt',
    'sub/right.txt',
    'sub/where.txt',
  ]);
  expect(statSync(pathOf('plain', '..')).mode & 0o777).toBe(0o700);
});

describe('a merge conflict', () => {
  const conflicting = {
    left: `command = 'echo left > a.txt'`,
    right: `command = 'echo right > a.txt'`,
    both: `deps = ["left", "right"]\ncommand = 'cat a.txt'`,
  };

  test('is a block that names the files; resolved in the worktree, unblock goes on', async () => {
    const repo = makeRepository(world, 'conflict');
    const before = snapshot(world, repo);
    const run = watchCis(world, ['dag', 'run', dagOf(world, repo, conflicting), '--run-id', 'conflict']);
    const event = await run.waitFor(blocked('both'));
    expect(event).toMatchObject({ block: { id: 'conflict:both!1001', kind: 'merge-conflict' } });
    expect(JSON.stringify(event)).toContain('a.txt');
    const early = await world.cis(['dag', 'unblock', 'conflict:both']);
    expect(early.code).toBe(6);
    expect(early.stderr).toContain('still has conflicts in a.txt');
    writeFileSync(join(pathOf('conflict', 'both'), 'a.txt'), 'both\n');
    const said = await world.cis(['dag', 'unblock', 'conflict:both']);
    expect(said.stdout, said.stderr).toBe('conflict:both goes on\n');
    expect((await run.ended).code).toBe(0);
    expect((await world.cis(['dag', 'output', 'conflict', 'both'])).stdout).toBe('both\n');
    expect(snapshot(world, repo)).toEqual(before);
  });

  test('survives its driver, keeps its id, and can be resolved while nobody drives the run', async () => {
    const repo = makeRepository(world, 'orphan');
    const run = watchCis(world, ['dag', 'run', dagOf(world, repo, conflicting), '--run-id', 'orphan']);
    const event = await run.waitFor(blocked('both'));
    run.child.kill('SIGKILL');
    await run.ended;
    const again = await world.cis(['dag', 'execute', '--run-id', 'orphan', '--no-wait']);
    expect(again.code, again.stderr).toBe(3);
    expect(again.stderr).toContain('cis dag unblock orphan:both');
    expect(look(world, 'orphan').events.filter(blocked('both'))).toEqual([event]);
    writeFileSync(join(pathOf('orphan', 'both'), 'a.txt'), 'both\n');
    const said = await world.cis(['dag', 'unblock', 'orphan:both']);
    expect(said.code, said.stderr).toBe(0);
    const end = await world.cis(['dag', 'execute', '--run-id', 'orphan']);
    expect(end.code, end.stderr + end.stdout).toBe(0);
    expect((await world.cis(['dag', 'output', 'orphan', 'both'])).stdout).toBe('both\n');
  });

  test.each([
    ['skip', 'skipped'],
    ['fail', 'failed'],
    ['abort', 'cancelled'],
  ])('ends by dag %s: the task is %s', async (word, state) => {
    const repo = makeRepository(world, `given-up-${word}`);
    const run = watchCis(world, ['dag', 'run', dagOf(world, repo, conflicting), '--run-id', `by-${word}`]);
    await run.waitFor(blocked('both'));
    const said = await world.cis(['dag', word, word === 'abort' ? 'by-abort' : `by-${word}:both`]);
    expect(said.code, said.stderr).toBe(0);
    await run.ended;
    expect(look(world, `by-${word}`).states['both']).toBe(state);
  });
});

test('an attempt that is done again starts clean, and what the one before left is kept on a branch that the log names', async () => {
  const repo = makeRepository(world, 'retry');
  const file = dagOf(world, repo, {
    a: `retry = { max = 1, backoff_secs = 0 }\ncommand = 'ls > seen.$CIS_ATTEMPT; test $CIS_ATTEMPT = 2'`,
  });
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'retry']);
  expect(ended.code, ended.stderr + ended.stdout).toBe(0);
  expect(gitIn(world, repo, 'show', 'cis/retry/a:seen.2')).toBe('a.txt\nseen.2');
  expect(gitIn(world, repo, 'show', 'cis/retry/a@attempt-1:seen.1')).toBe('a.txt\nseen.1');
  const kept = look(world, 'retry').events.flatMap((event) => (event.kind === 'task-worktree-ready' ? event.kept : []));
  expect(kept).toEqual(['cis/retry/a@attempt-1']);
});

test('an attempt that was lost with its host runs again from a clean start, and its work is kept', async () => {
  const repo = makeRepository(world, 'lost');
  const file = dagOf(world, repo, {
    a: `retry = { max = 1, backoff_secs = 0, on = ["lost"] }
command = 'test ! -e half.txt || exit 9; test $CIS_ATTEMPT = 2 && exit 0; echo half > half.txt; : > "$CIS_HOME/half"; read -r line'`,
  });
  const run = watchCis(world, ['dag', 'run', file, '--run-id', 'lost']);
  await run.waitFor((event) => event.kind === 'task-running');
  while (!existsSync(join(world.home.dir, 'half'))) await world.cis(['dag', 'status', 'lost']);
  killHost(world);
  const ended = await run.ended;
  expect(ended.code, JSON.stringify(run.events)).toBe(0);
  expect(gitIn(world, repo, 'show', 'cis/lost/a@attempt-1:half.txt')).toBe('half');
  expect(gitIn(world, repo, 'ls-tree', '--name-only', 'cis/lost/a')).toBe('a.txt');
});

test('a run that a git hook starts works in its worktree all the same', async () => {
  const repo = makeRepository(world, 'in-hook');
  const before = snapshot(world, repo);
  const file = dagOf(world, repo, {
    a: `command = 'echo a > new.txt; git add new.txt; git rev-parse --show-toplevel'`,
  });
  const env = { GIT_DIR: join(repo, '.git'), GIT_INDEX_FILE: join(repo, '.git/index'), GIT_WORK_TREE: repo };
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'in-hook'], { env });
  expect(ended.code, ended.stderr + ended.stdout).toBe(0);
  expect((await world.cis(['dag', 'output', 'in-hook', 'a'])).stdout).toBe(`${pathOf('in-hook', 'a')}\n`);
  expect(snapshot(world, repo)).toEqual(before);
});

test('a task that ends on another branch has its work taken from there; one that leaves a merge open fails and says so', async () => {
  const repo = makeRepository(world, 'odd');
  const own = 'git -c user.name=x -c user.email=x@x -c core.hooksPath= -c commit.gpgSign=false';
  const file = dagOf(
    world,
    repo,
    {
      away: `command = 'git -c core.hooksPath= checkout -qb elsewhere-odd; echo away > away.txt'`,
      after: `deps = ["away"]\ncommand = 'cat away.txt'`,
      open: `command = 'echo x > a.txt; ${own} commit -qam x; ${own} checkout -q HEAD~1; echo y > a.txt; ${own} commit -qam y; ${own} merge cis/odd/open || true'`,
    },
    'policy = "allow_debt"',
  );
  const ended = await world.cis(['dag', 'run', file, '--run-id', 'odd']);
  expect((await world.cis(['dag', 'output', 'odd', 'after'])).stdout, ended.stdout).toBe('away\n');
  expect(gitIn(world, repo, 'show', 'cis/odd/away:away.txt')).toBe('away');
  expect(look(world, 'odd').states).toEqual({ away: 'completed', after: 'completed', open: 'failed' });
  expect(ended.stdout).toContain('left a merge with conflicts in a.txt');
});

test(
  'twenty worktrees of one repository at once, while the person commits, all come about',
  { timeout: 120_000 },
  async () => {
    const repo = makeRepository(world, 'many');
    gitIn(world, repo, 'config', 'commit.gpgSign', 'false');
    const tasks = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`t${n}`, `command = 'echo ${n} > f${n}'`]));
    const all = `deps = [${Object.keys(tasks)
      .map((id) => `"${id}"`)
      .join(', ')}]\ncommand = 'ls | wc -l'`;
    const file = dagOf(world, repo, { ...tasks, all }, 'max_workers = 20');
    const two = ['many-1', 'many-2'].map((id) => world.cis(['dag', 'run', file, '--run-id', id]));
    for (let n = 0; n < 20; n++)
      gitIn(world, repo, '-c', 'core.hooksPath=', 'commit', '--quiet', '--allow-empty', '-m', `${n}`);
    for (const ended of await Promise.all(two)) expect(ended.code, ended.stderr + ended.stdout).toBe(0);
    expect((await world.cis(['dag', 'output', 'many-2', 'all'])).stdout.trim()).toBe('21');
  },
);

describe('a worktree that cannot be made is a failure before the start that says what to do:', () => {
  const one = { a: `command = 'true'` };
  const cases: Record<string, { make: () => string; said: string }> = {
    'no repository': {
      make: () => (put(world.dir, 'none/x', ''), join(world.dir, 'none')),
      said: 'is not in a git repository',
    },
    'no commit': {
      make: () => {
        const dir = join(world.dir, 'unborn');
        put(dir, 'x', '');
        gitIn(world, dir, 'init', '--quiet');
        return dir;
      },
      said: 'has no commit yet',
    },
    bare: {
      make: () => (
        gitIn(world, world.dir, 'clone', '--quiet', '--bare', makeRepository(world, 'for-bare'), 'bare.git'),
        join(world.dir, 'bare.git')
      ),
      said: 'is a bare git repository',
    },
    submodules: {
      make: () => {
        const dir = makeRepository(world, 'super');
        const link = gitIn(world, dir, 'rev-parse', 'HEAD');
        gitIn(world, dir, 'update-index', '--add', '--cacheinfo', `160000,${link},lib/x`);
        return dir;
      },
      said: 'has submodules (lib/x)',
    },
    'a directory that is in no commit': {
      make: () => {
        const dir = makeRepository(world, 'uncommitted');
        put(dir, 'new/x', '');
        return join(dir, 'new');
      },
      said: 'the directory new is in no commit',
    },
    'a branch that is taken': {
      make: () => {
        const dir = makeRepository(world, 'taken');
        gitIn(world, dir, 'branch', 'cis/a-branch-that-is-taken/a');
        return dir;
      },
      said: 'the branch cis/a-branch-that-is-taken/a is there already',
    },
  };
  test.each(Object.keys(cases))('%s', async (name) => {
    const { make, said } = cases[name] ?? { make: () => '', said: '' };
    const run = name.replaceAll(' ', '-');
    const ended = await world.cis(['dag', 'run', dagOf(world, make(), one), '--run-id', run]);
    expect(ended.code).toBe(1);
    expect(ended.stdout + ended.stderr).toContain(said);
    expect(look(world, run).events.some((event) => event.kind === 'session-started')).toBe(false);
  });

  test('git is missing', async () => {
    const repo = makeRepository(world, 'no-git');
    const ended = await world.cis(['dag', 'run', dagOf(world, repo, one), '--run-id', 'no-git'], {
      env: { PATH: '/nowhere' },
    });
    expect(ended.code).toBe(1);
    expect(ended.stdout + ended.stderr).toContain('git was not found');
  });
});

test.each(['detached HEAD', 'shallow clone'])('a %s is no obstacle', async (name) => {
  const run = name.split(' ')[0] ?? '';
  const origin = makeRepository(world, `origin-${run}`);
  gitIn(
    world,
    origin,
    '-c',
    'core.hooksPath=',
    '-c',
    'commit.gpgSign=false',
    'commit',
    '--quiet',
    '--allow-empty',
    '-m',
    'second',
  );
  const repo = join(world.dir, run);
  gitIn(world, world.dir, 'clone', '--quiet', ...(run === 'shallow' ? ['--depth=1'] : []), `file://${origin}`, repo);
  if (run === 'detached') gitIn(world, repo, 'checkout', '--quiet', '--detach', 'HEAD~1');
  const tasks = {
    a: `command = 'echo a > a'`,
    b: `command = 'echo b > b'`,
    c: `deps = ["a", "b"]\ncommand = 'cat a b'`,
  };
  const ended = await world.cis(['dag', 'run', dagOf(world, repo, tasks), '--run-id', run]);
  expect(ended.code, ended.stderr + ended.stdout).toBe(0);
});

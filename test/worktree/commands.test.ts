import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchCis } from '../executor/support.ts';
import { openWorld, type World } from '../support/world.ts';
import { dagOf, gitIn, makeRepository, put, snapshot } from './support.ts';

let world: World;

beforeAll(() => {
  world = openWorld();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A repository whose run has done two things side by side, and one after them. */
async function madeRun(run: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const repo = makeRepository(world, run);
  gitIn(world, repo, 'config', 'commit.gpgSign', 'false');
  const tasks = {
    left: `command = 'echo left > left.txt'`,
    right: `command = 'echo right > right.txt'`,
    both: `deps = ["left", "right"]\ncommand = 'echo both > both.txt'`,
    ...more,
  };
  const ended = await world.cis(['dag', 'run', dagOf(world, repo, tasks), '--run-id', run]);
  expect(ended.code, ended.stderr + ended.stdout).toBe(0);
  return repo;
}

test('worktrees lists path, branch, state, commits and what is not committed', async () => {
  await madeRun('listed');
  put(join(world.home.worktrees, 'listed', 'left'), 'later.txt', 'x');
  const { worktrees } = JSON.parse((await world.cis(['dag', 'worktrees', 'listed', '--json'])).stdout) as {
    worktrees: unknown[];
  };
  expect(worktrees).toHaveLength(3);
  expect(worktrees[0]).toMatchObject({
    task: 'left',
    state: 'completed',
    path: join(world.home.worktrees, 'listed', 'left'),
    branch: 'cis/listed/left',
    commits: 1,
    dirty: ['later.txt'],
  });
  expect((await world.cis(['dag', 'worktrees', 'listed'])).stdout).toContain('cis/listed/both');
});

test('diff shows what a task did, and what the whole run did', async () => {
  await madeRun('shown');
  const one = await world.cis(['dag', 'diff', 'shown:both']);
  expect(one.stdout).toContain('+both');
  expect(one.stdout).not.toContain('+left');
  const all = JSON.parse((await world.cis(['dag', 'diff', 'shown', '--json'])).stdout) as {
    diffs: { files: unknown[] }[];
  };
  expect(all.diffs).toHaveLength(1);
  expect(all.diffs[0]?.files).toEqual(
    ['both', 'left', 'right'].map((name) => ({ path: `${name}.txt`, added: 1, removed: 0 })),
  );
  expect((await world.cis(['dag', 'diff', 'shown', 'nobody'])).code).toBe(4);
});

test('diff of a task at work shows files that are not added yet, and adds none', async () => {
  const repo = makeRepository(world, 'working');
  const file = dagOf(world, repo, { a: `command = 'echo new > new.txt; : > "$CIS_HOME/written"; read -r line'` });
  const run = watchCis(world, ['dag', 'run', file, '--run-id', 'working']);
  await run.waitFor((event) => event.kind === 'task-running');
  while (!existsSync(join(world.home.dir, 'written'))) await world.cis(['dag', 'status', 'working']);
  expect((await world.cis(['dag', 'diff', 'working', 'a'])).stdout).toContain('+new');
  expect(gitIn(world, join(world.home.worktrees, 'working', 'a'), 'status', '--porcelain')).toBe('?? new.txt');
  await world.cis(['dag', 'send', 'working:a', 'go', '--enter']);
  await world.cis(['dag', 'abort', 'working']);
  await run.ended;
});

test('merge brings the work into the branch that is checked out', async () => {
  const repo = await madeRun('merged');
  const said = await world.cis(['dag', 'merge', 'merged']);
  expect(said.stdout, said.stderr).toMatch(/^both merged into main: [0-9a-f]{12}\n$/);
  expect(readFileSync(join(repo, 'left.txt'), 'utf8') + readFileSync(join(repo, 'both.txt'), 'utf8')).toBe(
    'left\nboth\n',
  );
  expect(gitIn(world, repo, 'status', '--porcelain')).toBe('');
  expect((await world.cis(['dag', 'merge', 'merged'])).stdout).toBe('main has all of that already\n');
  expect(gitIn(world, repo, 'worktree', 'list').split('\n')).toHaveLength(4);
});

test('merge into a branch that is not checked out leaves the tree alone', async () => {
  const repo = await madeRun('aside');
  gitIn(world, repo, 'branch', 'other');
  const before = gitIn(world, repo, 'rev-parse', 'HEAD');
  const said = await world.cis(['dag', 'merge', 'aside', 'left', '--into', 'other', '--json']);
  expect(JSON.parse(said.stdout)).toMatchObject({ run: 'aside', tasks: ['left'], into: 'other', before });
  expect(gitIn(world, repo, 'show', 'other:left.txt')).toBe('left');
  expect(gitIn(world, repo, 'rev-parse', 'HEAD')).toBe(before);
  expect(existsSync(join(repo, 'left.txt'))).toBe(false);
  const none = await world.cis(['dag', 'merge', 'aside', '--into', 'nowhere']);
  expect([none.code, none.stderr]).toEqual([6, expect.stringContaining('has no branch "nowhere"')]);
});

test('merge refuses a tree with changes, and a conflict changes nothing unless it is asked for', async () => {
  const repo = await madeRun('careful', { other: `command = 'echo theirs > a.txt'` });
  put(repo, 'a.txt', 'mine\n');
  const dirty = await world.cis(['dag', 'merge', 'careful']);
  expect([dirty.code, dirty.stderr]).toEqual([6, expect.stringContaining('not committed: a.txt')]);
  gitIn(world, repo, '-c', 'core.hooksPath=', 'commit', '--quiet', '-am', 'mine');
  const before = snapshot(world, repo);
  const conflict = await world.cis(['dag', 'merge', 'careful']);
  expect([conflict.code, conflict.stderr]).toEqual([3, expect.stringContaining('conflicts in a.txt')]);
  expect(snapshot(world, repo)).toEqual(before);
  const left = await world.cis(['dag', 'merge', 'careful', 'other', '--leave-conflicts']);
  expect(left.code).toBe(3);
  expect(gitIn(world, repo, 'diff', '--name-only', '--diff-filter=U')).toBe('a.txt');
});

test('rm gives the disk back, keeps branches with work that is merged nowhere, and says so', async () => {
  const repo = await madeRun('gone');
  writeFileSync(join(world.home.worktrees, 'gone', 'left', 'later.txt'), 'later');
  await world.cis(['dag', 'merge', 'gone', 'right']);
  const said = await world.cis(['dag', 'rm', 'gone']);
  expect(said.code, said.stderr).toBe(0);
  expect(said.stdout).toContain('cis/gone/left is kept');
  expect(said.stdout).toContain('cis/gone/both is kept');
  expect(existsSync(join(world.home.worktrees, 'gone'))).toBe(false);
  expect(gitIn(world, repo, 'worktree', 'list').split('\n')).toHaveLength(1);
  expect(
    gitIn(world, repo, 'branch', '--list', 'cis/*')
      .split('\n')
      .map((line) => line.trim()),
  ).toEqual(['cis/gone/both', 'cis/gone/left']);
  expect(gitIn(world, repo, 'show', 'cis/gone/left:later.txt')).toBe('later');
});

test('prune --older-than --force removes worktrees and branches of old runs', async () => {
  const repo = await madeRun('old');
  const young = await world.cis(['dag', 'prune', '--older-than', '1h', '--json']);
  expect(JSON.parse(young.stdout)).toMatchObject({ removed: [] });
  const old = await world.cis(['dag', 'prune', '--older-than', '0s', '--force', '--json']);
  expect((JSON.parse(old.stdout) as { removed: string[] }).removed, old.stderr).toContain('old');
  expect(gitIn(world, repo, 'branch', '--list', 'cis/*')).toBe('');
  expect(existsSync(join(world.home.worktrees, 'old'))).toBe(false);
});

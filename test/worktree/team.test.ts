import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { watchCis } from '../executor/support.ts';
import { openWorld, type World } from '../support/world.ts';
import { gitIn, makeRepository, snapshot } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The example with a command in the place of each prompt: what an agent would do, without one. */
function withCommands(commands: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(root, 'dags/team.toml'), 'utf8');
  const prompt = /id = "([^"]+)"\n((?:(?!prompt|\[\[)[^\n]*\n)*)prompt = (?:"""[\s\S]*?"""|"[^\n]*")/g;
  return text.replaceAll(prompt, (_, id: string, between: string) => {
    return `id = "${id}"\n${between}command = '${commands[id] ?? 'false'}'`;
  });
}

/** `cis` on the PATH of sessions, as where it is installed. */
function installCis(world: World): World {
  const bin = join(world.home.dir, '..', 'bin');
  mkdirSync(bin);
  symlinkSync(join(root, 'node_modules/node/bin/node'), join(bin, 'node'));
  writeFileSync(join(bin, 'cis'), `#!/bin/sh\nexec "${root}bin/cis" "$@"\n`);
  chmodSync(join(bin, 'cis'), 0o755);
  return { ...world, env: { ...world.env, PATH: `${bin}:${world.env['PATH']}` } };
}

test('dags/team.toml is valid', async () => {
  await using world = openWorld();
  const said = await world.cis(['dag', 'validate', join(root, 'dags/team.toml')]);
  expect(said.code, said.stderr).toBe(0);
});

test('dags/team.toml: two work in worktrees, the review has both, and the branch gets it when a person confirms', async () => {
  await using plain = openWorld();
  const world = installCis(plain);
  const repo = makeRepository(world, 'repo');
  gitIn(world, repo, 'config', 'commit.gpgSign', 'false');
  const before = snapshot(world, repo);
  const file = join(world.home.dir, '..', 'team.toml');
  writeFileSync(
    file,
    withCommands({
      plan: 'echo the plan',
      implement: 'echo "{{ tasks.plan.output }}" > count.sh',
      'write-tests': 'echo test > count.test.sh',
      review: 'cat count.sh count.test.sh > REVIEW',
    }),
  );
  const run = watchCis({ ...world, dir: repo }, ['dag', 'run', file, '--run-id', 'team']);
  expect(await run.waitFor((event) => event.kind === 'task-gated' && event.task === 'merge')).not.toBeNull();
  expect(snapshot(world, repo)).toEqual(before);
  const diff = await world.cis(['dag', 'diff', 'team', '--stat']);
  expect(diff.stdout).toBe('2\t0\tREVIEW\n1\t0\tcount.sh\n1\t0\tcount.test.sh\n');
  expect((await world.cis(['dag', 'confirm', 'team:merge'])).code).toBe(0);
  const ended = await run.ended;
  const output = await world.cis(['dag', 'output', 'team', 'merge']);
  expect(ended.code, output.stdout + ended.stderr).toBe(0);
  expect(readFileSync(join(repo, 'REVIEW'), 'utf8')).toBe('the plan\ntest\n');
  expect(gitIn(world, repo, 'log', '-1', '--format=%s')).toBe('Merge team:review into main');
});

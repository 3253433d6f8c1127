import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { World } from '../support/world.ts';

/** Runs git as a person would, and gives what it printed. */
export function gitIn(world: World, cwd: string, ...args: readonly string[]): string {
  const env = { ...world.env, ...person };
  return execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
}

const person = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
};

/** Makes a repository with one commit of the files given, and a hook of every kind that fails and tells on itself. */
export function makeRepository(
  world: World,
  name: string,
  files: Readonly<Record<string, string>> = { 'a.txt': 'one\n' },
): string {
  const dir = join(world.dir, name);
  mkdirSync(dir, { recursive: true });
  gitIn(world, dir, 'init', '--quiet', '--initial-branch=main');
  for (const [path, text] of Object.entries(files)) put(dir, path, text);
  gitIn(world, dir, 'add', '--all');
  gitIn(world, dir, 'commit', '--quiet', '-m', 'first');
  for (const hook of [
    'pre-commit',
    'commit-msg',
    'post-commit',
    'post-checkout',
    'post-merge',
    'pre-merge-commit',
    'prepare-commit-msg',
  ]) {
    writeFileSync(join(dir, '.git/hooks', hook), `#!/bin/sh\necho ${hook} >> "${dir}.hooks"\nexit 1\n`, {
      mode: 0o755,
    });
  }
  gitIn(world, dir, 'config', 'commit.gpgSign', 'true');
  gitIn(world, dir, 'config', 'gpg.program', 'false');
  return dir;
}

export function put(dir: string, path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

/** A DAG of worktree tasks in a repository, each the lines after its id. */
export function dagOf(world: World, repository: string, tasks: Readonly<Record<string, string>>, head = ''): string {
  const path = join(world.dir, `${Object.keys(tasks).join('-').slice(0, 40)}-${(count += 1)}.toml`);
  const text = Object.entries(tasks).map(
    ([id, lines]) => `[[dag.tasks]]\nid = "${id}"\nworkspace = "worktree"\n${lines}\n`,
  );
  writeFileSync(path, `[dag]\nname = "test"\nwork_dir = "${repository}"\n${head}\n${text.join('')}`);
  return path;
}

let count = 0;

/** All that must not change in a person's repository: files, index, stash, HEAD, config, their branches. */
export function snapshot(world: World, dir: string): Record<string, string> {
  return {
    status: gitIn(world, dir, 'status', '--porcelain', '--ignored'),
    index: gitIn(world, dir, 'ls-files', '--stage'),
    head: gitIn(world, dir, 'rev-parse', '--symbolic-full-name', 'HEAD'),
    branches: gitIn(world, dir, 'for-each-ref')
      .split('\n')
      .filter((line) => !line.includes('refs/heads/cis/'))
      .join('\n'),
    stash: gitIn(world, dir, 'stash', 'list'),
    config: gitIn(world, dir, 'config', '--local', '--list'),
  };
}

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fillRun, openFilled } from '../support/filled.ts';
import { settingsOf, taskOf } from '../support/runs.ts';
import { openWorld, type World } from '../support/world.ts';

describe('cis init', () => {
  test('makes a config and a DAG file, and changes nothing that is there', async () => {
    await using world = openWorld();
    const first = await world.cis(['init', '--json']);
    expect(JSON.parse(first.stdout)).toEqual({
      files: [
        { path: world.home.config, made: true },
        { path: join(world.dir, 'dag.toml'), made: true },
      ],
    });
    expect(statSync(world.home.config).mode & 0o777).toBe(0o600);
    expect(statSync(world.home.dir).mode & 0o777).toBe(0o700);
    expect((await world.cis(['config', 'show'])).code).toBe(0);
    writeFileSync(join(world.dir, 'dag.toml'), 'mine');
    expect((await world.cis(['init'])).stdout).toContain(`found ${join(world.dir, 'dag.toml')}`);
    expect(readFileSync(join(world.dir, 'dag.toml'), 'utf8')).toBe('mine');
  });

  test.skipIf(process.getuid?.() === 0)('in a home that cannot be written says so in one line', async () => {
    await using world = openWorld();
    mkdirSync(world.home.dir, { mode: 0o500 });
    expect(await world.cis(['init'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${world.home.config}: permission denied`),
    });
    chmodSync(world.home.dir, 0o700);
  });

  test('where a file stands in the way says so in one line', async () => {
    await using world = openWorld();
    writeFileSync(join(world.dir, 'blocker'), '');
    const { code, stderr } = await world.cis(['init'], { env: { CIS_HOME: join(world.dir, 'blocker', 'home') } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^cis: .*blocker.*: a part of the path is not a directory\n {2}check the path\n$/);
  });
});

describe('cis doctor', () => {
  interface Doctor {
    readonly ok: boolean;
    readonly findings: readonly { readonly name: string; readonly state: string; readonly said: string }[];
  }

  async function examine(world: World, env: Readonly<Record<string, string | undefined>> = {}) {
    const { code, stdout } = await world.cis(['doctor', '--json'], { env });
    const { ok, findings } = JSON.parse(stdout) as Doctor;
    return { code, ok, find: (name: string) => findings.find((finding) => finding.name === name) };
  }

  test('finds a fresh world good, and makes nothing in it', async () => {
    await using world = openWorld();
    const { code, ok, find } = await examine(world);
    expect([code, ok]).toEqual([0, true]);
    expect(find('pty')?.state).toBe('good');
    expect(existsSync(world.home.dir)).toBe(false);
  });

  test('names the version of an agent that is installed', async () => {
    await using world = openWorld();
    const bin = join(world.dir, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'codex'), '#!/bin/sh\necho codex-cli 0.169.0\n', { mode: 0o755 });
    const { find } = await examine(world, { PATH: `${bin}:${process.env['PATH'] ?? ''}` });
    expect(find('codex')).toMatchObject({ state: 'good', said: 'codex-cli 0.169.0' });
  });

  test('ends with 1 when the database is damaged, the config wrong or the socket path too long', async () => {
    await using world = openWorld();
    mkdirSync(world.home.dir);
    writeFileSync(world.home.database, 'rubbish '.repeat(1_000));
    writeFileSync(world.home.config, 'nonsense = 1\n');
    const { code, find } = await examine(world, { XDG_RUNTIME_DIR: undefined });
    expect([code, find('database')?.state, find('config')?.state]).toEqual([1, 'broken', 'broken']);
    const long = await examine(world, { CIS_HOME: join(world.dir, 'x'.repeat(120)), XDG_RUNTIME_DIR: undefined });
    expect([long.code, long.find('socket')?.state]).toEqual([1, 'broken']);
  });
});

describe('completion', () => {
  async function filled(world: World) {
    const db = openFilled(world.home);
    const attempts = [{ task: 'build', attempt: 1, from: 0, to: null }];
    fillRun(db, {
      settings: settingsOf([taskOf('build')]),
      state: { kind: 'running' },
      endedAt: null,
      tasks: {},
      attempts,
    });
    db.close();
    const bin = join(world.dir, 'bin');
    mkdirSync(bin);
    symlinkSync(resolve('bin/cis'), join(bin, 'cis'));
    return { ...world.env, PATH: `${bin}:${world.env['PATH']}` };
  }
  const has = (shell: string) => spawnSync(shell, ['-c', 'true']).error === undefined;

  test('offers commands, options and runs', async () => {
    await using world = openWorld();
    await filled(world);
    const offers = async (...words: string[]) =>
      (await world.cis(['complete', '--', ...words])).stdout.trim().split('\n');
    expect(await offers('do')).toEqual(['doctor']);
    expect(await offers('dag', 'ti')).toEqual(['timeline']);
    expect(await offers('dag', 'status', '--w')).toEqual(['--watch']);
    expect(await offers('dag', 'status', 'br')).toEqual(['brave-otter']);
    expect(await offers('dag', 'events', '--category', '')).toEqual(['run', 'task', 'session', 'node']);
    expect(await offers('completion', 'z')).toEqual(['zsh']);
    expect(await offers('nonsense', '')).toEqual(['']);
  });

  test('works in bash', async () => {
    await using world = openWorld();
    const env = await filled(world);
    const script = `source <(cis completion bash)
      try() { COMP_LINE="$1"; COMP_POINT=\${#1}; _cis; echo "\${COMPREPLY[*]}"; }
      try "cis dag st"; try "cis dag status br"; try "cis dag status "; try "cis init ./b"`;
    const said = execFileSync('bash', ['--norc', '-c', script], { env, cwd: world.dir, encoding: 'utf8' });
    expect(said.split('\n')).toEqual(['status', 'brave-otter', 'brave-otter', './bin', '']);
  });

  test.skipIf(!has('zsh'))('is a script that zsh takes', async () => {
    await using world = openWorld();
    const env = await filled(world);
    const script = `compadd() { print -- "\${@[3,-1]}" }; compdef() { : }; source <(cis completion zsh); words=(cis dag st) CURRENT=3; _cis`;
    expect(execFileSync('zsh', ['-f', '-c', script], { env, encoding: 'utf8' })).toContain('status');
  });

  test.skipIf(!has('fish'))('works in fish', async () => {
    await using world = openWorld();
    const env = await filled(world);
    const said = execFileSync('fish', ['-N', '-c', 'cis completion fish | source; complete -C "cis dag status br"'], {
      env,
      encoding: 'utf8',
    });
    expect(said.trim()).toBe('brave-otter');
  });
});

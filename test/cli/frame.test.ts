import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync, copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands, groups } from '../../src/cli/commands.ts';
import { openStorage } from '../../src/storage/open.ts';
import { openWorld, type Ended } from '../support/world.ts';

const cisPath = resolve('bin/cis');

describe('the launcher', () => {
  test('runs under the Node that calls it, where that is new enough', async () => {
    await using world = openWorld();
    const direct = await run(process.execPath, [cisPath, '--version'], world.dir, world.env);
    expect(direct).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test('hands over to the Node of the package where the one that calls it is too old', async () => {
    await using world = openWorld();
    const old = join(world.dir, 'old.cjs');
    writeFileSync(
      old,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });`,
    );
    const call = (args: readonly string[], path = cisPath) =>
      run(process.execPath, ['--require', old, path, ...args], world.dir, world.env);
    expect(await call(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(await call(['dag', 'status', 'nobody'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('cis: '),
    });
    copyFileSync(cisPath, join(world.dir, 'cis.cjs')); // a package without any Node
    expect(await call(['--version'], join(world.dir, 'cis.cjs'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^cis: Node 20\.1\.0 is too old and .+ is missing: run 'npm ci' in .+\n$/),
    });
  });

  test('is found through links, as npx makes them', async () => {
    await using world = openWorld();
    symlinkSync(cisPath, join(world.dir, 'cis'));
    expect(await run(join(world.dir, 'cis'), ['--version'], '/', world.env)).toMatchObject({ code: 0 });
  });

  test('says in one line what is missing', async () => {
    await using world = openWorld();
    mkdirSync(join(world.dir, 'bin'));
    copyFileSync(cisPath, join(world.dir, 'bin', 'cis'));
    writeFileSync(join(world.dir, 'bin', 'package.json'), '{"type":"commonjs"}');
    const copy = join(world.dir, 'bin', 'cis');
    const noNode = await run('/bin/sh', [copy], world.dir, { PATH: '/nonexistent' });
    expect(noNode).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^cis: no Node found: run 'npm ci' in .+\n$/),
    });
    const noPackages = await run(process.execPath, [copy], world.dir, world.env);
    expect(noPackages).toMatchObject({
      code: 2,
      stderr: `cis: the packages are missing: run 'npm ci' in ${world.dir}\n`,
    });
    mkdirSync(join(world.dir, 'node_modules'));
    const noBuild = await run(process.execPath, [copy], world.dir, world.env);
    expect(noBuild).toMatchObject({
      code: 2,
      stderr: `cis: ${world.dir}/dist is missing: run 'npm run build' in ${world.dir}\n`,
    });
  });
});

describe('the help', () => {
  test('as a whole is this', async () => {
    await using world = openWorld();
    const paths = [
      '',
      ...Object.keys(groups),
      ...commands.filter(({ hidden }) => hidden !== true).map(({ path }) => path),
    ];
    const pages: string[] = [];
    for (const path of paths) {
      const words = path === '' ? [] : path.split(' ');
      const { code, stdout } = await world.cis([...words, '--help']);
      expect(code).toBe(0);
      pages.push(`$ cis ${[...words, '--help'].join(' ')}\n${stdout}`);
    }
    await expect(pages.join('\n')).toMatchFileSnapshot('help.golden.txt');
  });
});

describe('a mistaken command line', () => {
  test.each([
    [['dag', 'lst'], "cis: unknown command 'lst'\n  Did you mean list?\n"],
    [['dag', 'list', '--jsn'], "cis: unknown option '--jsn'\n  Did you mean --json?\n"],
    [['doctr'], "cis: unknown command 'doctr'\n  Did you mean doctor?\n"],
    [
      ['dag', 'list', '-n', 'x'],
      "cis: option '-n, --limit <count>' argument 'x' is invalid. It must be a whole number from 1 on.\n  try --help\n",
    ],
  ])('%j ends with 2 and what was meant', async (words, stderr) => {
    await using world = openWorld();
    expect(await world.cis(words)).toMatchObject({ code: 2, stdout: '', stderr });
  });

  test('with --json is told as JSON on stderr, and stdout stays empty', async () => {
    await using world = openWorld();
    const { code, stdout, stderr } = await world.cis(['dag', 'status', 'nobody', '--json']);
    expect([code, stdout]).toEqual([4, '']);
    expect(JSON.parse(stderr)).toEqual({
      error: { kind: 'not-found', message: 'nothing has run yet', hints: [expect.any(String)] },
    });
  });
});

describe('a bad day', () => {
  test('a reader that goes away ends the command without a word', async () => {
    await using world = openWorld();
    const { stderr, stdout } = await run(
      '/bin/sh',
      ['-c', `'${cisPath}' config example | head -1`],
      world.dir,
      world.env,
    );
    expect(stdout).toMatch(/^# Settings/);
    expect(stderr).toBe('');
  });

  test('a damaged, a newer and an unreadable database are refused with their path, and left as they are', async () => {
    await using world = openWorld();
    mkdirSync(world.home.dir);
    const rubbish = 'this is no database, '.repeat(300);
    writeFileSync(world.home.database, rubbish);
    const damaged = await world.cis(['dag', 'list']);
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining(`${world.home.database} is damaged`) });
    expect(damaged.stderr.trim().split('\n')).toHaveLength(1);
    expect(readFileSync(world.home.database, 'utf8')).toBe(rubbish);
    writeFileSync(world.home.database, '');
    const opened = openStorage(world.home.database);
    if (!opened.ok) throw new Error('not opened');
    opened.value.pragma('user_version = 999');
    opened.value.close();
    expect(await world.cis(['dag', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('written by a newer cis'),
    });
  });

  test('a config with mistakes ends with 2 and names them all', async () => {
    await using world = openWorld();
    mkdirSync(world.home.dir);
    writeFileSync(world.home.config, '[dag]\nmax_worker = 1\n[notify]\nbel = 1\n');
    const { code, stderr } = await world.cis(['config', 'show']);
    expect(code).toBe(2);
    expect(stderr).toContain(
      `${world.home.config}:2:1: unknown key \`max_worker\` in [dag], did you mean \`max_workers\`?`,
    );
    expect(stderr).toContain(':4:1: unknown key `bel` in [notify], did you mean `bell`?');
  });

  test('Ctrl-C ends what follows with 130', async () => {
    await using world = openWorld();
    mkdirSync(world.home.dir);
    const opened = openStorage(world.home.database);
    if (!opened.ok) throw new Error('not opened');
    opened.value
      .prepare(
        "INSERT INTO events (run_id, category, kind, at, body) VALUES ('r', 'run', 'run-started', 0, '{\"kind\":\"run-started\"}')",
      )
      .run();
    const child = spawn(cisPath, ['dag', 'events', '-f', '--json'], { env: world.env });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(130);
    opened.value.close();
  });
});

function run(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(file, args, { cwd, env }, (_, stdout, stderr) => {
      done({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
    });
  });
}

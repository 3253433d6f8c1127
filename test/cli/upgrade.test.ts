import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { openWorld, type World } from '../support/world.ts';

/** The package installed a second time, so that it can be upgraded while it runs. */
function install(world: World): string {
  const dir = join(world.dir, 'package');
  mkdirSync(join(dir, 'node_modules'), { recursive: true });
  for (const name of ['bin', 'dist', 'src', 'package.json', 'rolldown.config.ts']) {
    cpSync(resolve(name), join(dir, name), { recursive: true });
  }
  for (const name of readdirSync('node_modules').filter((one) => one !== '.cache')) {
    symlinkSync(resolve('node_modules', name), join(dir, 'node_modules', name));
  }
  return dir;
}

function start(world: World, dir: string, args: readonly string[]) {
  const child = spawn(join(dir, 'bin', 'cis'), args, {
    cwd: world.dir,
    env: world.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const seen = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (const look of seen) look();
  });
  const ended = new Promise<{ code: number | null; stdout: string }>((done) => {
    child.once('close', (code) => done({ code, stdout: text }));
  });
  const waitFor = (wanted: string): Promise<unknown> => {
    const found = new Promise<void>((done) => {
      const look = (): void => void (text.includes(wanted) && done());
      seen.add(look);
      look();
    });
    return Promise.race([found, ended.then(() => expect(text).toContain(wanted))]);
  };
  return { waitFor, ended, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

const waiting = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done`;

test('a run that is driven ends well when cis is upgraded meanwhile', async () => {
  await using world = openWorld();
  const dir = install(world);
  writeFileSync(
    join(world.dir, 'dag.toml'),
    `[dag]\nname = "upgraded"\n
[[dag.tasks]]\nid = "a"\ncommand = "${waiting('first')}"\n
[[dag.tasks]]\nid = "b"\ndeps = ["a"]\ncommand = "${waiting('second')}; echo what went wrong; exit 3"\n`,
  );
  using run = start(world, dir, ['dag', 'run', 'dag.toml']);
  while (!(await world.cis(['dag', 'status', '--json'])).stdout.includes('"running"')) await run.waitFor('a: starts');
  writeFileSync(join(world.dir, 'first'), '');
  await run.waitFor('b: starts');
  rmSync(join(dir, 'dist'), { recursive: true });
  writeFileSync(join(world.dir, 'second'), '');
  const { code, stdout } = await run.ended;
  expect(stdout).toContain('what went wrong'); // the report, which is loaded late
  expect(code).toBe(1);
});

test('a build leaves the files of earlier ones for a week', async () => {
  await using world = openWorld();
  const dir = install(world);
  const dist = join(dir, 'dist');
  const before = readdirSync(dist);
  const old = before.find((name) => name.startsWith('report-')) ?? '';
  writeFileSync(join(dist, 'older-12345678.js'), '');
  utimesSync(join(dist, 'older-12345678.js'), 0, Date.now() / 1000 - 8 * 24 * 3600);
  const report = join(dir, 'src/ui/report.ts');
  writeFileSync(report, `${readFileSync(report, 'utf8')}\nprocess.env['NEVER'] && console.log('changed');\n`);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: dir });
  const after = readdirSync(dist);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after.filter((name) => name.startsWith('report-') && name !== old).length).toBeGreaterThan(0);
  expect(after).not.toContain('older-12345678.js');
});

test('compiled code is kept per command, and made anew when it is damaged or of another build', async () => {
  await using world = openWorld();
  const dir = install(world);
  const cache = join(dir, 'node_modules/.cache/cis/code');
  const list = () =>
    execFileSync(join(dir, 'bin/cis'), ['dag', 'list', '--json'], { env: world.env, encoding: 'utf8' });
  const kept = () => readdirSync(cache).map((build) => join(cache, build, 'dag-list'));
  expect(list()).toContain('"runs":[]');
  const [file = ''] = kept();
  const { size, mtimeMs } = statSync(file);
  expect(size).toBeGreaterThan(50_000);
  list();
  expect(statSync(file).mtimeMs).toBe(mtimeMs); // taken as it was
  truncateSync(file, 1000);
  expect(list()).toContain('"runs":[]');
  expect(statSync(file).size).toBeGreaterThan(50_000);
  utimesSync(join(dir, 'dist/cli.js'), 1, 1); // as a build would
  list();
  expect(kept()).toHaveLength(1);
  expect(kept()).not.toEqual([file]);
  expect(existsSync(file)).toBe(false);
});

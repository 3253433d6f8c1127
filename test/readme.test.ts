import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { openWorld, type World } from './support/world.ts';

const readme = readFileSync('README.md', 'utf8');
const [freshClone, freshTest, ...scripts] = blocks('sh');

/** The texts of all fenced blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1] ?? '');
}

/** A directory as after a clone, with `cis` on the path. */
function openClone(): World & { readonly path: string } {
  const world = openWorld();
  cpSync('dags', join(world.dir, 'dags'), { recursive: true });
  const bin = join(world.dir, '.bin');
  mkdirSync(bin);
  symlinkSync(resolve('bin/cis'), join(bin, 'cis'));
  return Object.assign(world, { path: `${bin}:${world.env['PATH'] ?? ''}` });
}

/** Runs a line in a terminal, as a person does; who attaches leaves again. */
async function type(world: ReturnType<typeof openClone>, line: string): Promise<number | null> {
  const script = join(world.dir, '.line.mjs');
  writeFileSync(script, runLine(line));
  const terminal = world.terminal([], { program: script, env: { PATH: world.path }, cols: 100 });
  if (line.includes('attach')) {
    await terminal.waitForText('detaches');
    terminal.type('\u001dd');
  }
  const { code } = await terminal.ended;
  if (code !== 0) throw new Error(`${line}\nended with ${code}:\n${terminal.screen()}`);
  return code;
}

function runLine(line: string): string {
  const shell = JSON.stringify(['-c', line]);
  return `import { spawnSync } from 'node:child_process';
process.exit(spawnSync('/bin/bash', ${shell}, { stdio: 'inherit' }).status ?? 1);`;
}

test('the first two blocks are what a fresh clone and the CI run', () => {
  expect(freshClone).toBe('npm ci && npx cis dag run dags/quickstart.toml\n');
  expect(freshTest).toBe('npm ci && npm test\n');
  expect(readFileSync('.ci/run', 'utf8')).toContain('npm ci && npm test');
});

test.for(scripts.map((script, index) => [index + 1, script] as const))(
  'the script %i of the README runs',
  async ([, script]) => {
    await using world = openClone();
    const lines = script.split('\n').filter((line) => line !== '');
    for (const line of lines) expect(await type(world, line), line).toBe(0);
  },
);

test('every TOML of the README is a DAG file without mistakes', async () => {
  await using world = openWorld();
  for (const [index, text] of blocks('toml').entries()) {
    const file = join(world.dir, `readme-${index}.toml`);
    writeFileSync(file, text);
    const ended = await world.cis(['dag', 'validate', file]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  }
});

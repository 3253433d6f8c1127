import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { openWorld } from '../support/world.ts';

test('validate says all that is wrong, and ends with 2', async () => {
  await using world = openWorld();
  writeFileSync(join(world.dir, 'bad.toml'), '[[tasks]]\nid = "a"\ncomand = "true"\n');
  const ended = await world.cis(['dag', 'validate', 'bad.toml']);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toBe(`bad.toml:2:1: task \`a\` has nothing to do
2 | id = "a"
  | ^^
  = give it a \`command\`, a \`prompt\` for an agent, or a \`skill\`
bad.toml:3:1: unknown key \`comand\` in task \`a\`, did you mean \`command\`?
3 | comand = "true"
  | ^^^^^^
`);
});

test('a file that is missing, a directory, one that is no text: one line each', async () => {
  await using world = openWorld();
  mkdirSync(join(world.dir, 'dir.toml'));
  writeFileSync(join(world.dir, 'latin.toml'), Buffer.from([0x61, 0xe9, 0xff]));
  const ended = await world.cis(['dag', 'validate', 'none.toml', 'dir.toml', 'latin.toml', 'x.yaml']);
  expect([ended.code, ended.stderr]).toEqual([
    2,
    'cis: none.toml: no such file\ncis: dir.toml: is a directory\ncis: latin.toml: not UTF-8 text\ncis: x.yaml: a DAG file ends in .toml or .json\n',
  ]);
});

test('every DAG in dags/ is valid, can be shown and drawn', async () => {
  await using world = openWorld();
  for (const name of readdirSync('dags')) {
    const path = resolve('dags', name);
    const valid = await world.cis(['dag', 'validate', '--json', path]);
    expect([name, valid.code, JSON.parse(valid.stdout)]).toMatchObject([
      name,
      0,
      { files: [{ valid: true, warnings: [] }] },
    ]);
    expect((await world.cis(['dag', 'show', path])).stdout).toContain('Wave 1');
    expect((await world.cis(['dag', 'graph', path])).code).toBe(0);
  }
});

test('show fills in what is known and says what a run would need', async () => {
  await using world = openWorld();
  const task = '[[tasks]]\nid = "a"\nprompt = "in {{ env.PLACE }} do {{ var.what }}"\ntarget_node = "n"\n';
  writeFileSync(join(world.dir, 'x.toml'), task);
  const { code, stdout } = await world.cis(['dag', 'show', 'x.toml'], { env: { PLACE: 'here' } });
  expect(code).toBe(0);
  expect(stdout).toContain('> in here do ‹var what›');
  expect(stdout).toContain('needs: task `a` has a prompt and needs an agent');
  expect(stdout).toContain('needs: task `a` needs matrix mode: it has `target_node`');
  expect(stdout).toContain('needs: {{ var.what }} needs a value');
});

test('what is neither a file nor a run is not found', async () => {
  await using world = openWorld();
  expect((await world.cis(['dag', 'graph', 'brave-otter'])).code).toBe(4);
  expect((await world.cis(['dag', 'graph', 'none.toml'])).code).toBe(2);
  expect(JSON.parse((await world.cis(['dag', 'schema'])).stdout)).toMatchObject({ type: 'object' });
});

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TravellingFile } from '../../src/domain/fleet/travel.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import { defaultRedactPatterns } from '../../src/domain/redact.ts';
import { packFiles, placeOf, unpackFiles } from '../../src/federation/travel/files.ts';
import { orderEnv } from '../../src/federation/travel/secrets.ts';
import { must } from '../support/homeserver.ts';
import { openTravelWorld, type TravelWorld } from './travel-world.ts';

let world: TravelWorld;

beforeEach(() => {
  world = openTravelWorld(1_000);
});

afterEach(() => world[Symbol.dispose]());

function get(files: readonly TravellingFile[], name = 'copies') {
  const from = { task: 'one' as TaskId, attempt: 1, files };
  return unpackFiles({ dir: join(world.dir, name), from, courier: world.courier });
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

test('files that a task left are copied with their names, and copies that are right are not downloaded again', async () => {
  const cwd = join(world.dir, 'work');
  mkdirSync(join(cwd, 'dist'), { recursive: true });
  writeFileSync(join(cwd, 'dist/app.js'), 'app');
  writeFileSync(join(world.dir, 'elsewhere.txt'), 'elsewhere');
  const paths = [join(cwd, 'dist/app.js'), join(world.dir, 'elsewhere.txt'), join(cwd, 'gone')];
  const files = await packFiles({ paths, cwd, courier: world.courier });
  expect(files).toMatchObject([
    { path: 'dist/app.js', bytes: 3, sha256: hashOf('app') },
    { path: join(world.dir, 'elsewhere.txt'), sha256: hashOf('elsewhere') },
  ]);
  const [app = '', other = ''] = must(await get(files));
  expect(app).toBe(join(world.dir, 'copies/one#1/dist/app.js'));
  expect(readFileSync(app, 'utf8')).toBe('app');
  expect(readFileSync(other, 'utf8')).toBe('elsewhere');
  const { length } = world.store.downloads;
  must(await get(files));
  expect(world.store.downloads).toHaveLength(length);
  writeFileSync(app, 'changed');
  must(await get(files));
  expect(readFileSync(app, 'utf8')).toBe('app');
});

test('a file that is too large stays, and whoever depends on it is told which and why', async () => {
  const path = join(world.dir, 'model.bin');
  writeFileSync(path, Buffer.alloc(2_000));
  const files = await packFiles({ paths: [path], cwd: world.dir, courier: world.courier });
  expect(files[0]).toMatchObject({
    bytes: 2_000,
    sha256: createHash('sha256').update(Buffer.alloc(2_000)).digest('hex'),
  });
  expect(files[0]?.media).toBeUndefined();
  const copied = await get(files);
  expect(JSON.stringify(copied)).toMatch(/model\.bin of one: it has 2 KiB, and the homeserver takes 1 KiB/);
});

test('all files of a task together have a limit', async () => {
  const paths = ['a', 'b', 'c'].map((name) => join(world.dir, name));
  for (const path of paths) writeFileSync(path, Buffer.alloc(400));
  const files = await packFiles({ paths, cwd: world.dir, courier: world.courier, maxTotalBytes: 900 });
  expect(files.map((file) => file.media !== undefined)).toEqual([true, true, false]);
});

test('a file that is not what was announced is refused', async () => {
  const path = join(world.dir, 'a');
  writeFileSync(path, 'right');
  const files = await packFiles({ paths: [path], cwd: world.dir, courier: world.courier });
  for (const mxc of world.store.files.keys()) world.store.files.set(mxc, Buffer.from('wrong'));
  expect(await get(files)).toMatchObject({ ok: false, error: { kind: 'damaged' } });
});

describe('names from another machine stay in our directory', () => {
  test.each(['../../x', '/etc/passwd', 'a/../../b', '', '.', '..', 'a//b', 'a\0b', '..\\x', 'x'.repeat(3_000)])(
    '%j',
    (name) => {
      const place = placeOf(name);
      expect(place).toMatch(/^\.outside\/[0-9a-f]{16}-[A-Za-z0-9_][A-Za-z0-9._-]*$/);
      expect(placeOf(`${name}2`)).not.toBe(place);
    },
  );
});

describe('secrets are not sent', () => {
  const task = { id: 'deploy' as TaskId, env: {} };

  test('a value under the name of a secret is refused, with where it stands and what to do', () => {
    const refused = orderEnv({ env: { API_KEY: 'sk-123' } }, task, {}, defaultRedactPatterns);
    expect(refused).toMatchObject({ ok: false });
    expect(JSON.stringify(refused)).toMatch(/API_KEY is set by \[dag\.env\].*environment of the nodes that run deploy/);
    expect(JSON.stringify(refused)).not.toContain('sk-123');
    expect(orderEnv({ env: {} }, { ...task, env: { DB_PASSWORD: 'x' } }, {}, defaultRedactPatterns)).toMatchObject({
      ok: false,
    });
    expect(orderEnv({ env: {} }, task, { token: 'x' }, defaultRedactPatterns)).toMatchObject({ ok: false });
  });

  test('an empty one is left out, so that the own variable of the node counts; the rest travels', () => {
    const env = must(orderEnv({ env: { API_KEY: '', LANG: 'C' } }, task, { level: '2' }, defaultRedactPatterns));
    expect(env).toEqual({ dag: { LANG: 'C' }, task: {}, vars: { level: '2' } });
  });
});

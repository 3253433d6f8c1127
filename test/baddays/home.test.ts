import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { openWorld, type World } from '../support/world.ts';
import { dagFile, dagOf, expectEnd, isRoot, mountSmall } from './support.ts';

const one = dagOf(['a', 'echo here']);

test('a home that is a file, or lies below one, is refused by name', async () => {
  await using world = openWorld();
  const path = dagFile(world, one);
  const file = dagFile(world, 'mine', 'file');
  for (const home of [file, join(file, 'below')]) {
    for (const args of [
      ['dag', 'run', path],
      ['dag', 'list'],
      ['dag', 'status', 'x'],
    ]) {
      expectEnd(await world.cis(args, { env: { CIS_HOME: home } }), 1, home);
    }
  }
  expectEnd(await world.cis(['doctor'], { env: { CIS_HOME: file } }), 1, `${file} is not a directory`);
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test('a home where nothing can be made ends at once, also where Node would try for ever', async () => {
  await using world = openWorld();
  const env = { CIS_HOME: '/proc/none/such' };
  expectEnd(await world.cis(['dag', 'run', dagFile(world, one)], { env }), 1, 'cannot make /proc/none/such');
  expectEnd(await world.cis(['host', 'serve'], { env }), 1, '/proc/none');
});

test('a relative home is taken from where cis is called, and a link to a directory of ours is followed', async () => {
  await using world = openWorld();
  const path = dagFile(world, one);
  expectEnd(await world.cis(['dag', 'run', path], { env: { CIS_HOME: undefined, HOME: '.' } }), 0, 'completed');
  expect(statSync(join(world.dir, '.cis/cis.db')).mode & 0o777).toBe(0o600);
  symlinkSync(join(world.dir, '.cis'), join(world.dir, 'link'));
  expectEnd(await world.cis(['dag', 'run', path], { env: { CIS_HOME: join(world.dir, 'link') } }), 0, 'completed');
});

/** A home with one finished run, whose database nobody has open. */
async function usedWorld(): Promise<World> {
  const world = openWorld();
  expectEnd(await world.cis(['dag', 'run', dagFile(world, one), '--run-id', 'old']), 0, 'completed');
  await world.cis(['host', 'stop']);
  using db = closing(new Database(world.home.database));
  db.db.pragma('wal_checkpoint(TRUNCATE)');
  return world;
}

function closing(db: Database.Database): { readonly db: Database.Database } & Disposable {
  return { db, [Symbol.dispose]: () => void db.close() };
}

test.for([
  ['of a newer version', 'was written by a newer cis (version 99'],
  ['that is no database', 'is damaged'],
  ['cut off in the middle', 'is damaged'],
  ['with overwritten pages', 'is damaged'],
] as const)('a database %s is refused, named, and left as it is byte for byte', async ([how, said]) => {
  await using world = await usedWorld();
  const { database } = world.home;
  const good = readFileSync(database);
  if (how === 'of a newer version') good.writeUInt32BE(99, 60); // user_version, https://sqlite.org/fileformat2.html
  if (how === 'that is no database') good.fill('x');
  if (how === 'with overwritten pages') good.fill(0xa5, 4096, 80_000);
  const bytes = how === 'cut off in the middle' ? good.subarray(0, 3_000) : good;
  writeFileSync(database, bytes);
  for (const args of [
    ['run', join(world.dir, 'dag.toml')],
    ['list'],
    ['execute', '--run-id', 'old'],
    ['status', 'old'],
  ]) {
    const ended = await world.cis(['dag', ...args]);
    expectEnd(ended, 1, database);
    expect(ended.stderr).toContain(said.replace('is damaged', 'damaged'));
  }
  expectEnd(await world.cis(['doctor']), 1, database);
  expect(readFileSync(database).equals(bytes)).toBe(true);
});

test('a stale socket is replaced', async () => {
  await using world = openWorld();
  mkdirSync(world.home.run, { recursive: true, mode: 0o700 });
  const socket = join(world.home.run, 'host-v1.sock');
  const dies = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', dies, socket]);
  expect(statSync(socket).isSocket()).toBe(true);
  expectEnd(await world.cis(['dag', 'run', dagFile(world, one)]), 0, 'completed');
});

test('a directory where the socket belongs ends the start with a line that names it', async () => {
  await using world = openWorld();
  const socket = join(world.home.run, 'host-v1.sock');
  mkdirSync(socket, { recursive: true, mode: 0o700 });
  expectEnd(await world.cis(['dag', 'run', dagFile(world, one), '--run-id', 'dir']), 5, socket);
});

test.runIf(isRoot)('a socket, its directory or a home of somebody else is refused and not touched', async () => {
  for (const part of ['run/host-v1.sock', 'run', '.']) {
    await using world = openWorld();
    mkdirSync(world.home.run, { recursive: true, mode: 0o700 });
    const path = join(world.home.dir, part);
    using _ = part.endsWith('.sock') ? await listenAt(path) : undefined;
    chownSync(path, 12_345, 12_345);
    const ended = await world.cis(['dag', 'run', dagFile(world, one), '--run-id', 'theirs']);
    expectEnd(ended, 6, 'belongs to user 12345');
    expect(statSync(path).uid).toBe(12_345);
  }
});

async function listenAt(path: string): Promise<Disposable> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  return { [Symbol.dispose]: () => void server.close() };
}

test.runIf(isRoot)('a read-only home is said in a line, for running and for looking', async () => {
  await using world = await usedWorld();
  execFileSync('mount', ['--bind', world.home.dir, world.home.dir]);
  using _ = { [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', world.home.dir]) };
  execFileSync('mount', ['-o', 'remount,ro,bind', world.home.dir]);
  for (const args of [['run', join(world.dir, 'dag.toml')], ['list'], ['logs', 'old:a']]) {
    expectEnd(await world.cis(['dag', ...args]), 1, world.home.database);
  }
  const env = { CIS_HOME: join(world.home.dir, 'new') };
  expectEnd(await world.cis(['dag', 'run', join(world.dir, 'dag.toml')], { env }), 1, /cannot make .*read-only/);
});

test.runIf(isRoot)('a user without any home directory is told what to set', async () => {
  await using world = openWorld();
  const base = join(world.dir, '..');
  chmodSync(base, 0o755);
  chmodSync(world.dir, 0o755);
  const ended = await world.cis(['dag', 'list'], { env: { HOME: undefined, CIS_HOME: undefined }, uid: 54_321 });
  expectEnd(ended, 1, 'no home directory');
  expect(ended.stderr).toContain('set CIS_HOME');
});

const flood = 'head -c 3000000 /dev/zero | tr "\\0" x | fold -w 100';

test.runIf(isRoot)(
  'a full disk ends the executor, which says how to carry on, and then nothing runs twice',
  async () => {
    await using world = openWorld();
    using _ = mountSmall(world.home.dir, '1m');
    const fills = `${flood}; cat /dev/zero > "$CIS_HOME/ballast"; touch filled`;
    const path = dagFile(
      world,
      dagOf(['flood', fills], ['after', 'echo after', 'flood'], ['last', 'echo last', 'after']),
    );
    expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'full']), 1, 'carry on: cis dag execute --run-id full');
    await vi.waitFor(() => expect(existsSync(join(world.dir, 'filled'))).toBe(true), 20_000);
    rmSync(join(world.home.dir, 'ballast'));
    rmSync(join(world.home.sessions, 'full/flood#1.cast'));
    expectEnd(await world.cis(['dag', 'execute', '--run-id', 'full']), 0, 'full completed');
    const events = (await world.cis(['dag', 'events', 'full', '--json'])).stdout;
    expect(events.match(/"task-starting"/g)).toHaveLength(3);
  },
);

test.runIf(isRoot)('a full disk under the recordings stops no session, and is told', async () => {
  await using world = openWorld();
  using _ = mountSmall(world.home.sessions, '256k');
  const path = dagFile(world, dagOf(['flood', flood]));
  expectEnd(await world.cis(['dag', 'run', path, '--run-id', 'cramped']), 0, 'recording failed: ENOSPC');
});

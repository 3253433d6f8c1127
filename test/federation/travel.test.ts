import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Home } from '../../src/config/home.ts';
import type { LargeRef, WorkspaceResult, WorkspaceSource } from '../../src/domain/fleet/travel.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import { branchOf, type Workspace } from '../../src/domain/workspace.ts';
import { sha256Of } from '../../src/federation/travel/courier.ts';
import { readLayers } from '../../src/federation/travel/layers.ts';
import { packResult } from '../../src/federation/travel/pack-result.ts';
import { packWorkspace } from '../../src/federation/travel/pack-workspace.ts';
import { clonesDir, nodeWorktrees, repositoryId } from '../../src/federation/travel/paths.ts';
import { pruneTravel } from '../../src/federation/travel/prune.ts';
import { publicUrl } from '../../src/federation/travel/published.ts';
import { unpackResult } from '../../src/federation/travel/unpack-result.ts';
import { markLaunched, unpackWorkspace } from '../../src/federation/travel/unpack-workspace.ts';
import { must } from '../support/homeserver.ts';
import { makeRepo, openTravelWorld, run, type TravelWorld } from './travel-world.ts';

let world: TravelWorld;
let coordinator: Home;
let repo: string;

beforeEach(() => {
  world = openTravelWorld();
  coordinator = world.home('coordinator');
  repo = makeRepo(world, 'repo', { 'a.txt': 'one\n', 'sub/b.txt': 'two\n' });
});

afterEach(() => world[Symbol.dispose]());

const did = 'did:key:zCoordinator';

async function pack(workspace: Workspace): Promise<WorkspaceSource> {
  return must(await packWorkspace({ home: coordinator, workspace, courier: world.courier }));
}

function unpack(home: Home, task: string, source: WorkspaceSource, attempt = 1) {
  const order = { run, task: task as TaskId, attempt, source };
  return unpackWorkspace({ home, coordinator: did, ...order, courier: world.courier });
}

/** A node does a task: gets the workspace, changes files, and sends back what it changed. */
async function work(home: Home, task: string, source: WorkspaceSource, files: Record<string, string>) {
  const { cwd } = must(await unpack(home, task, source));
  markLaunched(home, run, task as TaskId);
  for (const [path, text] of Object.entries(files)) world.put(join(cwd, path), text);
  return must(await packResult({ home, run, task: { id: task as TaskId, name: task }, courier: world.courier }));
}

function takeBack(task: string, result: WorkspaceResult) {
  return unpackResult({ home: coordinator, run, task: task as TaskId, result, courier: world.courier });
}

function branch(task: string): string {
  return branchOf(run, task as TaskId);
}

test('a workspace goes to a node, its changes come back, and dependents on other nodes build on them', async () => {
  const [alpha, beta] = [world.home('alpha'), world.home('beta')];
  const first = await pack(await world.prepare(coordinator, repo, 'left'));
  const left = await work(alpha, 'left', first, { 'left.txt': 'from alpha\n' });
  const taken = must(await takeBack('left', left));
  expect(world.git(repo, 'show', `${branch('left')}:left.txt`)).toBe('from alpha');
  expect(readFileSync(join(taken.path, 'left.txt'), 'utf8')).toBe('from alpha\n');

  const right = await work(beta, 'right', await pack(await world.prepare(coordinator, repo, 'right')), {
    'sub/b.txt': 'from beta\n',
  });
  const other = must(await takeBack('right', right));
  const sources = [taken, other].map(({ task, commit }) => ({ task, commit: commit ?? '' }));
  const both = await pack(await world.prepare(coordinator, repo, 'both', sources));
  const { cwd } = must(await unpack(beta, 'both', both));
  expect(readFileSync(join(cwd, 'left.txt'), 'utf8')).toBe('from alpha\n');
  expect(readFileSync(join(cwd, 'sub/b.txt'), 'utf8')).toBe('from beta\n');
  // nothing of it is left in the person's repository but the branches
  expect(world.git(repo, 'for-each-ref', '--format=%(refname)', 'refs/cis')).toBe('');
  expect(world.git(repo, 'status', '--porcelain')).toBe('');
});

test('only what is new is uploaded and downloaded, over tasks and runs', async () => {
  const node = world.home('node');
  // a history that a full upload would show
  world.put(
    join(repo, 'big.bin'),
    Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919) % 251)).toString('latin1'),
  );
  world.git(repo, 'add', '--all');
  world.git(repo, 'commit', '--quiet', '-m', 'big');
  const first = await pack(await world.prepare(coordinator, repo, 'one'));
  must(await unpack(node, 'one', first));
  expect(world.store.uploads).toHaveLength(1);
  const again = await pack(await world.prepare(coordinator, repo, 'two'));
  must(await unpack(node, 'two', again));
  expect(world.store.uploads).toHaveLength(1);
  expect(world.store.downloads).toHaveLength(1);

  world.put(join(repo, 'a.txt'), 'later\n');
  world.git(repo, 'commit', '--quiet', '--all', '-m', 'later');
  const later = await pack(await world.prepare(coordinator, repo, 'three'));
  const { cwd } = must(await unpack(node, 'three', later));
  expect(readFileSync(join(cwd, 'a.txt'), 'utf8')).toBe('later\n');
  expect(world.store.uploads).toHaveLength(2);
  expect(world.store.downloads).toHaveLength(2);
  expect(world.store.uploads[1]).toBeLessThan((world.store.uploads[0] ?? 0) / 2);
  // a node that has nothing gets both pieces
  const fresh = must(await unpack(world.home('fresh'), 'three', later));
  expect(readFileSync(join(fresh.cwd, 'a.txt'), 'utf8')).toBe('later\n');
});

test("a dependent of one task starts from the node's own upload", async () => {
  const node = world.home('node');
  const done = await work(node, 'one', await pack(await world.prepare(coordinator, repo, 'one')), { 'x.txt': 'x\n' });
  const taken = must(await takeBack('one', done));
  const uploads = world.store.uploads.length;
  const next = await pack(
    await world.prepare(coordinator, repo, 'two', [{ task: taken.task, commit: taken.commit ?? '' }]),
  );
  expect(world.store.uploads).toHaveLength(uploads);
  const { cwd } = must(await unpack(world.home('other'), 'two', next));
  expect(readFileSync(join(cwd, 'x.txt'), 'utf8')).toBe('x\n');
});

test('a task that changes nothing sends no bundle, and its branch is where it started', async () => {
  const workspace = await world.prepare(coordinator, repo, 'idle');
  const result = await work(world.home('node'), 'idle', await pack(workspace), {});
  expect(result).toEqual({ commit: workspace.start, bundle: null });
  expect(must(await takeBack('idle', result)).commit).toBe(workspace.start);
});

test('taking a result over may be repeated, as after a crash', async () => {
  const result = await work(world.home('node'), 'one', await pack(await world.prepare(coordinator, repo, 'one')), {
    'x.txt': 'x\n',
  });
  const once = must(await takeBack('one', result));
  expect(must(await takeBack('one', result))).toEqual(once);
});

test('an attempt that was running here before begins afresh, and what it left is kept on a branch', async () => {
  const node = world.home('node');
  const source = await pack(await world.prepare(coordinator, repo, 'one'));
  const { cwd, workspace } = must(await unpack(node, 'one', source));
  markLaunched(node, run, 'one' as TaskId);
  writeFileSync(join(cwd, 'half.txt'), 'half\n');
  const again = must(await unpack(node, 'one', source));
  expect(existsSync(join(again.cwd, 'half.txt'))).toBe(false);
  const kept = again.workspace.kept[0] ?? '';
  expect(world.git(workspace.repository.gitDir, 'show', `${kept}:half.txt`)).toBe('half');
});

test('a task below the top of its repository starts there', async () => {
  const source = await pack(await world.prepare(coordinator, join(repo, 'sub'), 'one'));
  const { cwd } = must(await unpack(world.home('node'), 'one', source));
  expect(readFileSync(join(cwd, 'b.txt'), 'utf8')).toBe('two\n');
});

test('clones of two coordinators are apart: naming a commit does not give its files', async () => {
  const node = world.home('node');
  const source = await pack(await world.prepare(coordinator, repo, 'one'));
  must(await unpack(node, 'one', source));
  const order = { run, task: 'two' as TaskId, attempt: 1, source: { ...source, layers: [] } };
  const stranger = await unpackWorkspace({
    home: node,
    coordinator: 'did:key:zOther',
    ...order,
    courier: world.courier,
  });
  expect(stranger).toMatchObject({ ok: false, error: { kind: 'missing' } });
});

test('a bundle that is gone from the media store is said to be missing, and uploaded again after a week', async () => {
  const workspace = await world.prepare(coordinator, repo, 'one');
  const source = await pack(workspace);
  world.store.files.clear();
  expect(await unpack(world.home('node'), 'one', source)).toMatchObject({ ok: false, error: { kind: 'missing' } });
  const id = repositoryId(workspace.repository.gitDir);
  expect(readLayers(coordinator, id, 'test')).toHaveLength(1);
  expect(readLayers(coordinator, id, 'test', Date.now() + 8 * 24 * 3600_000)).toEqual([]);
  expect(readLayers(coordinator, id, 'another store')).toEqual([]);
});

test('what others left is given back once nobody works on it: worktrees first, clones later', async () => {
  const node = world.home('node');
  const result = await work(node, 'one', await pack(await world.prepare(coordinator, repo, 'one')), { 'x.txt': 'x\n' });
  must(await takeBack('one', result));
  const clone = join(clonesDir(node), readdirSync(clonesDir(node))[0] ?? '');
  const options = { home: node, isOpen: () => false, worktreesBefore: Date.now() + 60_000, clonesBefore: 0 };
  await pruneTravel({ ...options, isOpen: () => true });
  expect(readdirSync(nodeWorktrees(node))).toEqual([run]);
  await pruneTravel(options);
  expect(readdirSync(nodeWorktrees(node))).toEqual([]);
  expect(world.git(clone, 'for-each-ref', 'refs/heads')).toBe('');
  // what the clone has is not downloaded again
  const { length } = world.store.downloads;
  must(await unpack(node, 'two', await pack(await world.prepare(coordinator, repo, 'two'))));
  expect(world.store.downloads).toHaveLength(length);
  await pruneTravel(options);
  await pruneTravel({ ...options, clonesBefore: Date.now() + 60_000 });
  expect(existsSync(clone)).toBe(false);
});

test('a shallow clone is refused with what to do', async () => {
  const shallow = join(world.dir, 'shallow');
  world.put(join(repo, 'a.txt'), 'more\n');
  world.git(repo, 'commit', '--quiet', '--all', '-m', 'second');
  world.git(world.dir, 'clone', '--quiet', '--depth=1', `file://${repo}`, shallow);
  const workspace = await world.prepare(coordinator, shallow, 'one');
  const packed = await packWorkspace({ home: coordinator, workspace, courier: world.courier });
  expect(packed).toMatchObject({ ok: false, error: { kind: 'refused' } });
  expect(JSON.stringify(packed)).toContain('git fetch --unshallow');
});

describe('a repository larger than the homeserver takes', () => {
  test('is refused with both sizes and what to do', async () => {
    using small = openTravelWorld(100);
    const big = makeRepo(small, 'repo', { 'a.txt': 'one\n' });
    const home = small.home('coordinator');
    const workspace = await small.prepare(home, big, 'one');
    const packed = await packWorkspace({ home, workspace, courier: small.courier });
    expect(packed).toMatchObject({ ok: false, error: { kind: 'too-large' } });
    expect(JSON.stringify(packed)).toMatch(/1 KiB as a bundle.*takes 1 KiB in one file.*push [0-9a-f]{12} to a remote/);
  });

  test('travels as url and commit where it is published, with what is new since then as a bundle', async () => {
    using small = openTravelWorld(5_000);
    const big = makeRepo(small, 'repo', { 'big.txt': randomBytes(20_000).toString('hex') });
    await using daemon = await serveGit(small.dir);
    small.git(big, 'remote', 'add', 'origin', `${daemon.url}/repo`);
    small.git(big, 'fetch', '--quiet', 'origin');
    const home = small.home('coordinator');
    const order = { home, courier: small.courier };
    const first = await small.prepare(home, big, 'one');
    const base = must(await packWorkspace({ ...order, workspace: first }));
    expect(base).toMatchObject({ url: `${daemon.url}/repo`, published: first.start, layers: [] });
    const node = { home: small.home('node'), coordinator: did, run, attempt: 1, courier: small.courier };
    const one = must(await unpackWorkspace({ ...node, task: 'one' as TaskId, source: base }));
    small.put(join(one.cwd, 'new.txt'), 'new\n');
    const result = must(await packResult({ ...node, task: { id: 'one' as TaskId, name: 'one' } }));
    const taken = must(await unpackResult({ ...order, run, task: 'one' as TaskId, result }));
    const source = { task: taken.task, commit: taken.commit ?? '' };
    const second = await small.prepare(home, big, 'two', [source]);
    const next = must(await packWorkspace({ ...order, workspace: second }));
    expect(next.layers).toHaveLength(1);
    const fresh = { ...node, home: small.home('fresh'), task: 'two' as TaskId };
    const two = must(await unpackWorkspace({ ...fresh, source: next }));
    expect(readFileSync(join(two.cwd, 'new.txt'), 'utf8')).toBe('new\n');
    const gone = { ...next, url: next.url?.replace(/repo$/, 'no-such-repo') ?? '' };
    const nowhere = await unpackWorkspace({ ...fresh, home: small.home('third'), source: gone });
    expect(nowhere).toMatchObject({ ok: false, error: { kind: 'passing' } });
    expect(JSON.stringify(nowhere)).toContain('no-such-repo cannot be fetched from here');
  });
});

/** Serves the repositories of a directory as `git://`. */
async function serveGit(dir: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const port = await freePort();
  const args = ['daemon', '--listen=127.0.0.1', `--port=${port}`, '--reuseaddr', '--export-all', '--verbose'];
  const child = spawn('git', [...args, `--base-path=${dir}`, dir], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const ended = new Promise((resolve) => void child.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => chunk.includes('Ready to rumble') && resolve());
    child.once('close', () => reject(new Error('git daemon ended')));
  });
  return {
    url: `git://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      process.kill(-(child.pid ?? 0), 'SIGKILL'); // git starts the daemon as a program of its own
      await ended;
    },
  };
}

function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  return new Promise((resolve) => {
    server.once('listening', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

test('a url that is told to others has no password and leaves the machine', () => {
  expect(publicUrl('https://ada:secret@example.org/x.git')).toBe('https://example.org/x.git');
  expect(publicUrl('git@example.org:team/x.git')).toBe('git@example.org:team/x.git');
  expect(publicUrl('ssh://git:pw@example.org/x.git')).toBe('ssh://git@example.org/x.git');
  for (const none of ['/srv/x.git', 'file:///srv/x.git', '../x', 'ext::sh -c id', '--upload-pack=id', 'a@b:-x']) {
    expect(publicUrl(none), none).toBeNull();
  }
});

describe('from a hostile machine', () => {
  let workspace: Workspace;
  let good: WorkspaceResult;

  beforeEach(async () => {
    workspace = await world.prepare(coordinator, repo, 'one');
    good = await work(world.home('node'), 'one', await pack(workspace), { 'x.txt': 'x\n' });
  });

  function store(bytes: Uint8Array): LargeRef {
    const mxc = `mxc://test/evil${world.store.files.size}`;
    world.store.files.set(mxc, bytes);
    return { mxc, sha256: sha256Of(bytes), bytes: bytes.length };
  }

  /** A bundle that a node made of whatever it likes. */
  function evilBundle(commit: string, refs: readonly string[], gitDir: string): LargeRef {
    const file = join(world.dir, `evil-${refs.length}`);
    for (const ref of refs) world.git(gitDir, 'update-ref', ref, commit);
    world.git(gitDir, 'bundle', 'create', '--quiet', file, ...refs, `^${workspace.start ?? ''}`);
    return store(readFileSync(file));
  }

  async function refused(result: WorkspaceResult, words: RegExp): Promise<void> {
    const taken = await takeBack('one', result);
    expect(taken.ok, JSON.stringify(taken)).toBe(false);
    expect(JSON.stringify(taken)).toMatch(words);
    expect(world.git(repo, 'rev-parse', branch('one'))).toBe(workspace.start);
    expect(world.git(repo, 'for-each-ref', '--format=%(refname)', 'refs/cis')).toBe('');
  }

  test('a file that was changed on its way', async () => {
    const { mxc } = good.bundle ?? { mxc: '' };
    const bytes = Buffer.from(world.store.files.get(mxc) ?? []);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1;
    world.store.files.set(mxc, bytes);
    await refused(good, /not the file that was announced/);
  });

  test('a bundle of which one byte was changed and the hash made to fit', async () => {
    const bytes = Buffer.from(world.store.files.get(good.bundle?.mxc ?? '') ?? []);
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1;
    await refused({ ...good, bundle: store(bytes) }, /cannot be taken over/);
  });

  test('a bundle with other branches in it', async () => {
    const gitDir = join(world.dir, 'evil.git');
    world.git(world.dir, 'clone', '--quiet', '--bare', repo, gitDir);
    const tree = world.git(gitDir, 'rev-parse', `${workspace.start ?? ''}^{tree}`);
    const commit = world.git(gitDir, 'commit-tree', tree, '-p', workspace.start ?? '', '-m', 'evil');
    const two = evilBundle(commit, [`refs/heads/${branch('one')}`, 'refs/heads/main'], gitDir);
    await refused({ commit, bundle: two }, /refs\/heads\/main/);
    const wrong = evilBundle(commit, ['refs/heads/main'], gitDir);
    await refused({ commit, bundle: wrong }, /refs\/heads\/main/);
    expect(world.git(repo, 'rev-parse', 'main')).toBe(workspace.start);
  });

  test('a tree with a .git in it', async () => {
    const gitDir = join(world.dir, 'evil.git');
    world.git(world.dir, 'clone', '--quiet', '--bare', repo, gitDir);
    const blob = execFileSync('git', ['hash-object', '-w', '--stdin'], { cwd: gitDir, input: 'evil' })
      .toString()
      .trim();
    const inner = execFileSync('git', ['mktree'], { cwd: gitDir, input: `100644 blob ${blob}\tconfig\n` })
      .toString()
      .trim();
    const tree = execFileSync('git', ['mktree'], { cwd: gitDir, input: `040000 tree ${inner}\t.git\n` })
      .toString()
      .trim();
    const commit = world.git(gitDir, 'commit-tree', tree, '-p', workspace.start ?? '', '-m', 'evil');
    const bundle = evilBundle(commit, [`refs/heads/${branch('one')}`], gitDir);
    await refused({ commit, bundle }, /hasDotgit|contains '\.git'/);
  });

  test('a result that names a commit of the person it does not bring', async () => {
    world.put(join(repo, 'private.txt'), 'private\n');
    world.git(repo, 'add', '--all');
    world.git(repo, 'commit', '--quiet', '-m', 'private');
    const commit = world.git(repo, 'rev-parse', 'HEAD');
    await refused({ commit, bundle: null }, /does not bring/);
    await refused({ commit, bundle: good.bundle }, /it has [0-9a-f]{40}/);
    await refused({ commit: '--output=/tmp/x', bundle: null }, /does not bring/);
  });

  test('a bundle larger than it was announced is not read to its end', async () => {
    const bytes = Buffer.alloc(1000);
    const ref = { ...store(bytes), bytes: 10 };
    await refused({ ...good, bundle: ref }, /too large|announced/);
  });

  test('an order whose words are made for git or the file system', async () => {
    const source = await pack(workspace);
    for (const evil of [
      { ...source, prefix: '../../etc' },
      { ...source, prefix: '/etc' },
      { ...source, start: '--help' },
      { ...source, repository: '../../x' },
      { ...source, published: 'HEAD', url: 'https://example.org/x' },
    ]) {
      const done = await unpack(world.home('victim'), 'one', evil);
      expect(done).toMatchObject({ ok: false, error: { kind: 'refused' } });
    }
    const local = { ...source, published: source.start, url: `file://${repo}`, layers: [] };
    expect(await unpack(world.home('victim'), 'one', local)).toMatchObject({ ok: false, error: { kind: 'refused' } });
  });
});

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { homeAt, type Home } from '../../src/config/home.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { ok } from '../../src/domain/result.ts';
import type { Source, Workspace } from '../../src/domain/workspace.ts';
import { openCourier, type Courier } from '../../src/federation/travel/courier.ts';
import type { Media, MediaRef } from '../../src/matrix/port.ts';
import { prepareWorktree } from '../../src/worktree/prepare.ts';
import { findRepository } from '../../src/worktree/repository.ts';
import { must } from '../support/homeserver.ts';

/** A media store in memory, which counts what passes and can be made to lie. */
export interface Store {
  readonly media: Media;
  readonly files: Map<string, Uint8Array>;
  readonly uploads: number[];
  readonly downloads: string[];
}

export function openStore(): Store {
  const files = new Map<string, Uint8Array>();
  const uploads: number[] = [];
  const downloads: string[] = [];
  return {
    files,
    uploads,
    downloads,
    media: {
      async upload(bytes) {
        uploads.push(bytes.length);
        const mxc = `mxc://test/${files.size}`;
        files.set(mxc, Buffer.from(bytes));
        return ok({ mxc, file: null } satisfies MediaRef);
      },
      maxBytes: () => Promise.resolve(ok(null)),
      async download({ mxc }, maxBytes) {
        downloads.push(mxc);
        const bytes = files.get(mxc);
        if (bytes === undefined)
          return { ok: false, error: { kind: 'not-found', errcode: 'M_NOT_FOUND', detail: mxc } };
        if (bytes.length > maxBytes) return { ok: false, error: { kind: 'too-large', detail: mxc } };
        return ok(bytes);
      },
    },
  };
}

/** Homes of several machines and a person's repository, in one directory that goes with it. */
export interface TravelWorld extends Disposable {
  readonly dir: string;
  readonly store: Store;
  readonly courier: Courier;
  home(name: string): Home;
  git(cwd: string, ...args: readonly string[]): string;
  put(path: string, text: string): void;
  /** A worktree on the coordinator, as `workspaces.prepare` makes it. */
  prepare(home: Home, repo: string, task: string, sources?: readonly Source[], attempt?: number): Promise<Workspace>;
}

export const run = 'calm-otter-1a2b' as RunId;

export function openTravelWorld(uploadLimit: number | null = null): TravelWorld {
  const dir = mkdtempSync(join(tmpdir(), 'cis-travel-test-'));
  const store = openStore();
  const env = {
    ...process.env,
    HOME: dir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.org',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.org',
  };
  return {
    dir,
    store,
    courier: openCourier({
      media: store.media,
      store: 'test',
      encrypt: false,
      uploadLimit: async () => uploadLimit,
      tries: 1,
    }),
    home(name) {
      const home = homeAt(join(dir, name));
      mkdirSync(home.dir, { recursive: true, mode: 0o700 });
      return home;
    },
    git: (cwd, ...args) =>
      execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd(),
    put(path, text) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    },
    async prepare(home, repo, task, sources = [], attempt = 1) {
      const repository = must(await findRepository(repo));
      const id = task as TaskId;
      const made = await prepareWorktree({ dir: home.worktrees, run, task: id, attempt, repository, sources });
      if (made.kind !== 'ready') throw new Error(JSON.stringify(made));
      return made.workspace;
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A repository with one commit. */
export function makeRepo(world: TravelWorld, name: string, files: Readonly<Record<string, string>>): string {
  const dir = join(world.dir, name);
  mkdirSync(dir);
  world.git(dir, 'init', '--quiet', '--initial-branch=main');
  for (const [path, text] of Object.entries(files)) world.put(join(dir, path), text);
  world.git(dir, 'add', '--all');
  world.git(dir, 'commit', '--quiet', '-m', 'first');
  return dir;
}

import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { homeAt, type Home } from '../../src/config/home.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home, a directory to stand in and an environment of their own for the built program; all gone at the end. */
export interface World extends Disposable {
  readonly root: string;
  readonly home: Home;
  readonly env: Readonly<Record<string, string>>;
  cis(...args: string[]): Promise<Ended>;
}

export const cisPath = resolve('bin/cis');

export function openWorld(): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'cis-world-')));
  const home = homeAt(join(root, '.cis'));
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, CIS_HOME: home.dir, LANG: 'C.UTF-8', TZ: 'UTC', TERM: 'xterm-256color' };
  return {
    root,
    home,
    env,
    cis: (...args) => run(cisPath, args, root, env),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

export function run(file: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((done) => {
    execFile(file, args, { cwd, env }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr });
    });
  });
}

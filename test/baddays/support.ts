import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Ended, World } from '../support/world.ts';

/** Tests that mount file systems or give files away need root. */
export const isRoot = process.geteuid?.() === 0 && canMount();

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Writes a DAG file into the directory of a world and gives its path. */
export function dagFile(world: World, text: string | Uint8Array, name = 'dag.toml'): string {
  const path = join(world.dir, name);
  writeFileSync(path, text);
  return path;
}

/** A DAG of commands: `[id, command, deps]`. */
export function dagOf(...tasks: readonly (readonly [id: string, command: string, ...deps: string[]])[]): string {
  return tasks
    .map(([id, command, ...deps]) =>
      ['[[tasks]]', `id = "${id}"`, `command = '''${command}'''`, `deps = ${JSON.stringify(deps)}`, ''].join('\n'),
    )
    .join('\n');
}

/** An end with the wanted code that told a person something without showing them our code. */
export function expectEnd(ended: Ended, code: number, said: string | RegExp): void {
  const all = ended.stdout + ended.stderr;
  expect(ended, all).toMatchObject({ code });
  expect(all).not.toMatch(/^\s+at .*\(|internal error|node:internal/m);
  if (typeof said === 'string') expect(all).toContain(said);
  else expect(all).toMatch(said);
}

/** Mounts a small file system of its own on a directory; disposing takes it away again. */
export function mountSmall(path: string, size: string): Disposable {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'cis-test', path]);
  return { [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', path]) };
}

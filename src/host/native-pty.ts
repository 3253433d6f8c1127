import { createRequire } from 'node:module';

/**
 * The binding below node-pty. Its JavaScript above is not used: it destroys the stream 200 ms after the exit, whether or not all
 * was read; it closes the terminal when the child closes its own side and lives on; it spins when the child does not read.
 */
export interface NativePty {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number; readonly pty: string };
  resize(fd: number, cols: number, rows: number): void;
}

const require = createRequire(import.meta.url);

function load(): NativePty {
  const loader = require('node-pty/requireBinary.js') as { requireBinary(file: string): NativePty };
  return loader.requireBinary('pty.node');
}

/** Only macOS starts its children through a helper program. */
function findHelper(): string {
  if (process.platform !== 'darwin') return '';
  return createRequire(require.resolve('node-pty')).resolve(
    `@lydell/node-pty-${process.platform}-${process.arch}/spawn-helper`,
  );
}

export const nativePty = load();
export const spawnHelper = findHelper();

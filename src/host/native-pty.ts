import { createRequire } from 'node:module';

/**
 * The binding below node-pty, of which the terminal alone is used. Its `fork` keeps a waiting thread for each living child, which
 * makes every later fork dearer, and copies a big process (see `spawner.ts`). Its JavaScript destroys the stream 200 ms after the
 * exit, whether or not all was read; it closes the terminal when the child closes its own side and lives on.
 */
export interface NativePty {
  open(cols: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, cols: number, rows: number): void;
}

function load(): NativePty {
  const require = createRequire(import.meta.url);
  const loader = require('node-pty/requireBinary.js') as { requireBinary(file: string): NativePty };
  return loader.requireBinary('pty.node');
}

export const nativePty = load();

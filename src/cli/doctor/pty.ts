import { createRequire } from 'node:module';
import type { Finding } from './examine.ts';

/** The part of node-pty that is used here; its own declarations belong to the package's other name. */
interface NativePty {
  spawn(file: string, args: string[], options: object): Child;
}

interface Child {
  kill(signal: string): void;
  onData(listener: (data: string) => void): void;
  onExit(listener: () => void): void;
}

const patienceMs = 5_000;

/** Starts a program in a terminal and looks whether it finds one. */
export async function tryPty(): Promise<Finding> {
  const name = 'pty';
  try {
    const pty = createRequire(import.meta.url)('node-pty') as NativePty;
    const said = await new Promise<string>((resolve) => {
      let text = '';
      const child = pty.spawn('/bin/sh', ['-c', '[ -t 0 ] && echo a terminal'], { cols: 80, rows: 24, cwd: '/' });
      const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      child.onData((data) => (text += data));
      child.onExit(() => {
        clearTimeout(late);
        resolve(text);
      });
    });
    if (said.includes('a terminal')) return { name, state: 'good', said: 'programs can be started in terminals' };
    return {
      name,
      state: 'broken',
      said: 'a program was started, but found no terminal',
      hint: 'is /dev/pts mounted?',
    };
  } catch (error) {
    return { name, state: 'broken', said: (error as Error).message, hint: 'run npm ci again; is /dev/pts mounted?' };
  }
}

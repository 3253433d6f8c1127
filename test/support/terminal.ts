import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import headless from '@xterm/headless';

/** The part of node-pty that is used here; its own declarations belong to the package's other name. */
interface Pty {
  spawn(file: string, args: string[], options: object): PtyProcess;
}

interface PtyProcess {
  readonly pid: number;
  write(keys: string): void;
  onData(listener: (data: string) => void): void;
  onExit(listener: (end: { exitCode: number; signal?: number }) => void): void;
}

const pty = createRequire(import.meta.url)('node-pty') as Pty;

export interface TerminalOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cols: number;
  readonly rows: number;
}

/** A program in a real terminal, with its screen and a recording of what it wrote. */
export interface Terminal extends Disposable {
  lines(): string[];
  text(): string;
  title(): string;
  write(keys: string): void;
  /** Resolves when the screen satisfies `look`, looked at after every write of the program; rejects with the screen after `ms`. */
  until(look: (screen: string) => boolean, ms: number, what: string): Promise<void>;
  /** Ms since the start. */
  now(): number;
  readonly pid: number;
  readonly exited: Promise<{ readonly code: number; readonly signal: number | undefined }>;
  saveCast(path: string, title: string): void;
}

export function openTerminal({ file, args, cwd, env, cols, rows }: TerminalOptions): Terminal {
  const started = Date.now();
  const now = (): number => Date.now() - started;
  const screen = new headless.Terminal({ cols, rows, scrollback: 2_000, allowProposedApi: true });
  const child = pty.spawn(file, [...args], { cwd, cols, rows, env: { ...env }, name: 'xterm-256color' });
  const cast: string[] = [];
  const watchers = new Set<() => void>();
  let title = '';
  screen.onTitleChange((next) => {
    title = next;
  });
  // Programs ask the terminal who it is and where the cursor stands; one that hears nothing waits or paints less.
  screen.onData((reply) => child.write(reply));
  child.onData((data) => {
    cast.push(JSON.stringify([now() / 1_000, 'o', data]));
    screen.write(data, () => {
      for (const watcher of watchers) watcher();
    });
  });
  const exited = new Promise<{ code: number; signal: number | undefined }>((resolve) => {
    child.onExit(({ exitCode, signal }) => {
      resolve({ code: exitCode, signal });
      for (const watcher of watchers) watcher();
    });
  });
  const lines = (): string[] =>
    Array.from({ length: rows }, (_, row) => {
      const line = screen.buffer.active.getLine(screen.buffer.active.baseY + row);
      return line?.translateToString(true) ?? '';
    });
  const text = (): string => lines().join('\n');
  return {
    lines,
    text,
    now,
    exited,
    pid: child.pid,
    title: () => title,
    write(keys) {
      cast.push(JSON.stringify([now() / 1_000, 'i', keys]));
      child.write(keys);
    },
    until: (look, ms, what) =>
      new Promise((resolve, reject) => {
        const done = (act: () => void): void => {
          clearTimeout(timer);
          watchers.delete(check);
          act();
        };
        const check = (): void => {
          if (look(text())) done(resolve);
        };
        const timer = setTimeout(() => {
          done(() => reject(new Error(`waited ${ms} ms for ${what}; the screen was\n${text()}`)));
        }, ms);
        watchers.add(check);
        check();
      }),
    saveCast(path, name) {
      const header = {
        version: 2,
        width: cols,
        height: rows,
        timestamp: 0,
        title: name,
        env: { TERM: 'xterm-256color' },
      };
      writeFileSync(path, `${JSON.stringify(header)}\n${cast.join('\n')}\n`);
    },
    [Symbol.dispose]() {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It had ended.
      }
      screen.dispose();
    },
  };
}

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homeAt, type Home } from '../../src/config/home.ts';
import { connectHost } from '../../src/host/client.ts';
import type { HostConnection } from '../../src/host/port.ts';
import { newTerminal, writeNow } from '../../src/host/screen.ts';
import { openPty } from '../../src/host/pty.ts';
import { openSpawner, type Spawner } from '../../src/host/spawner.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CisOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Runs as another user; for tests of root. */
  readonly uid?: number;
  /** As a shell writes it: `077`. */
  readonly umask?: string;
}

export interface TerminalOptions extends CisOptions {
  readonly cols?: number;
  readonly rows?: number;
  /** A script for Node instead of cis. */
  readonly program?: string;
}

/** A person's terminal with a program in it. */
export interface TestTerminal {
  readonly pid: number;
  /** What the person sees now, without trailing blanks. */
  screen(): string;
  /** All bytes that the program wrote. */
  output(): Buffer;
  /** Resolves with the screen once it shows `text`; fails when the program ends before that. */
  waitForText(text: string | RegExp): Promise<string>;
  /** Resolves once `look` finds something on the screen. */
  waitFor<T>(look: (screen: string) => T | null | undefined | false): Promise<T>;
  type(text: string): void;
  resize(cols: number, rows: number): void;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** A home of its own with the built program; closing it stops the host and kills what is left. */
export interface World extends AsyncDisposable {
  readonly home: Home;
  /** An empty directory to work in. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** The words that begin every command line of cis. */
  readonly command: readonly string[];
  cis(args: readonly string[], options?: CisOptions): Promise<Ended>;
  terminal(args: readonly string[], options?: TerminalOptions): TestTerminal;
  host(options?: { readonly start?: boolean; readonly what?: string }): Promise<HostConnection>;
}

/** Opens a hermetic world. */
export function openWorld(): World {
  const base = mkdtempSync(join(tmpdir(), 'cis-'));
  const home = homeAt(join(base, 'home'));
  const dir = mkdtempSync(join(base, 'work-'));
  const env = testEnv(base, home);
  const terminals = new Set<TestTerminal>();
  return {
    home,
    dir,
    env,
    command: [node, join(root, 'bin/cis')],
    cis: (args, options = {}) => runCis(args, { cwd: dir, ...options, env: { ...env, ...options.env } }),
    terminal(args, options = {}) {
      const opened = openTerminal(args, { cwd: dir, ...options, env: { ...env, ...options.env } });
      terminals.add(opened);
      return opened;
    },
    async host({ start = true, what = 'a test' } = {}) {
      const connection = await connectHost({ home, what, start, idleMs: 20_000 });
      if (!connection.ok) throw new Error(JSON.stringify(connection.error));
      return connection.value;
    },
    async [Symbol.asyncDispose]() {
      for (const terminal of terminals) terminal.signal('SIGKILL');
      killAllOf(base);
      await Promise.all([...terminals].map((terminal) => terminal.ended));
      rmSync(base, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function testEnv(base: string, home: Home): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: base,
    CIS_HOME: home.dir,
    CIS_HOST_IDLE_EXIT_SECS: '20',
    CIS_TEST_WORLD: base,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    TERM: 'xterm-256color',
    NO_COLOR: '1',
  };
}

type RunOptions = CisOptions & { readonly env: Readonly<Record<string, string | undefined>> };

function runCis(args: readonly string[], options: RunOptions): Promise<Ended> {
  const who = options.uid === undefined ? {} : { uid: options.uid };
  const command = [node, join(root, 'bin/cis'), ...args];
  const [file = '', ...words] =
    options.umask === undefined ? command : ['/bin/sh', '-c', `umask ${options.umask}; exec "$0" "$@"`, ...command];
  const child = spawn(file, words, {
    cwd: options.cwd,
    env: options.env,
    stdio: 'pipe',
    ...who,
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(errors).toString() });
    });
  });
}

/** One for all terminals of a test's process. */
let spawner: Spawner | null = null;

function openTerminal(args: readonly string[], options: RunOptions & TerminalOptions): TestTerminal {
  const { cols = 80, rows = 24 } = options;
  const terminal = newTerminal(cols, rows, 1_000);
  const ended = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  const bytes: Buffer[] = [];
  const watchers = new Set<() => void>();
  let isOver = false;
  const env = Object.entries(options.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  let pid = 0;
  spawner ??= openSpawner();
  const pty = openPty({
    spawner,
    file: node,
    args: [options.program ?? join(root, 'bin/cis'), ...args],
    env: Object.fromEntries(env),
    cwd: options.cwd ?? '/',
    umask: 0o022,
    cols,
    rows,
    onStarted: (started) => void (pid = started),
    onData(chunk) {
      bytes.push(chunk);
      writeNow(terminal, chunk);
      for (const watch of watchers) watch();
    },
    onEnd(end) {
      isOver = true;
      ended.resolve(
        end.kind === 'exited'
          ? { code: end.code, signal: null }
          : { code: null, signal: end.kind === 'signalled' ? end.signal : null },
      );
      for (const watch of watchers) watch();
    },
  });
  terminal.onData((reply) => void pty.write(Buffer.from(reply)));

  function screen(): string {
    const buffer = terminal.buffer.active;
    const lines = Array.from(
      { length: terminal.rows },
      (_, row) => buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  }

  function waitFor<T>(look: (screen: string) => T | null | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = look(screen());
        if (found !== null && found !== undefined && found !== false) {
          watchers.delete(watch);
          resolve(found);
        } else if (isOver) reject(new Error(`the program ended, its screen was:\n${screen()}`));
      };
      watchers.add(watch);
      watch();
    });
  }

  return {
    get pid() {
      return pid;
    },
    screen,
    output: () => Buffer.concat(bytes),
    waitFor,
    waitForText: (text) =>
      waitFor((shown) => (typeof text === 'string' ? shown.includes(text) : text.test(shown)) && shown),
    type: (text) => void pty.write(Buffer.from(text)),
    resize(newCols, newRows) {
      terminal.resize(newCols, newRows);
      pty.resize(newCols, newRows);
    },
    signal(name) {
      if (!isOver && pid !== 0) process.kill(pid, name);
    },
    ended: ended.promise,
  };
}

/** Kills every process of a world: it is known by its home in its arguments, its working directory, or a variable of its environment. */
function killAllOf(base: string): void {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const pid = Number(name);
    if (pid === process.pid || !belongsTo(name, base)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has just ended
    }
  }
}

function belongsTo(pid: string, base: string): boolean {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(base)) return true;
    if (readlinkSync(`/proc/${pid}/cwd`).startsWith(base)) return true;
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`CIS_TEST_WORLD=${base}`);
  } catch {
    return false;
  }
}

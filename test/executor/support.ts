import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CisEvent, LoggedEvent } from '../../src/domain/event.ts';
import type { RunId } from '../../src/domain/ids.ts';
import { openStorageToRead } from '../../src/storage/open.ts';
import { readEvents, readTasks } from '../../src/storage/read.ts';
import type { World } from '../support/world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');

/** Writes a DAG file into the world's directory and gives its path. */
export function writeDag(world: World, text: string, name = 'dag.toml'): string {
  const path = join(world.dir, name);
  writeFileSync(path, text);
  return path;
}

/** A running `cis … --json`, whose events the test sees as they are committed. */
export interface Watched {
  readonly child: ChildProcess;
  readonly events: readonly CisEvent[];
  /** Resolves with the first event, past or to come, that `look` takes; null when the program ends before. */
  waitFor(look: (event: CisEvent, index: number) => boolean): Promise<CisEvent | null>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly stderr: string }>;
}

export function watchCis(world: World, args: readonly string[], env: Readonly<Record<string, string>> = {}): Watched {
  const child = spawn(node, [join(root, 'bin/cis'), ...args, '--json'], {
    cwd: world.dir,
    env: { ...world.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: CisEvent[] = [];
  const watchers = new Set<() => void>();
  let rest = '';
  let stderr = '';
  let isOver = false;
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { event } = JSON.parse(line) as Partial<LoggedEvent>;
      if (event !== undefined) events.push(event); // a run that is carried on says first how it stands
    }
    for (const watch of watchers) watch();
  });
  const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    child.once('close', (code, signal) => {
      isOver = true;
      for (const watch of watchers) watch();
      resolve({ code, signal, stderr });
    });
  });
  return {
    child,
    events,
    ended,
    waitFor: (look) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const found = events.find(look);
          if (found === undefined && !isOver) return;
          watchers.delete(watch);
          resolve(found ?? null);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** What the database says at this moment. */
export function look(world: World, run: string): { events: CisEvent[]; states: Record<string, string> } {
  const opened = openStorageToRead(world.home.database);
  if (!opened.ok) throw new Error(opened.error.kind);
  const db = opened.value;
  const events = readEvents(db, run as RunId, 0, 1_000_000).map((one) => one.event);
  const states = Object.fromEntries(readTasks(db, run as RunId).map((row) => [row.task, row.state.kind]));
  db.close();
  return { events, states };
}

export function killHost(world: World): void {
  const pid = readHostPid(world);
  if (pid === null) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

function readHostPid(world: World): number | null {
  try {
    const pid = Number(readFileSync(join(world.home.run, 'host.pid'), 'utf8'));
    return pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

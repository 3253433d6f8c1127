import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { frameJson, openFrameReader } from './frame.ts';
import type { ProcessEnd, SpawnOrder, SpawnerReport, SpawnerRequest } from './spawn-order.ts';

/** Told of one process: `started` at most once and first, `ended` once. */
export interface Launch {
  readonly started: (pid: number, pidStart: string) => void;
  readonly ended: (end: ProcessEnd) => void;
}

export interface Spawner extends Disposable {
  start(order: SpawnOrder, launch: Launch): void;
}

/** What it touches is copied by every fork. */
const smallEngine = ['--v8-pool-size=0', '--max-semi-space-size=1'];

/**
 * Starts a small second process which starts the sessions. The host is big, and none of its terminals has close-on-exec, which
 * Node cannot set: a fork of it would copy the page tables of all its screens, and give every session the terminals of all others.
 */
export function openSpawner(): Spawner {
  let helper: Helper | null = launchHelper();
  return {
    start(order, launch) {
      if (helper === null || helper.isGone()) helper = launchHelper(); // the old one died, and its processes are lost
      helper.start(order, launch);
    },
    [Symbol.dispose]: () => helper?.end(),
  };
}

interface Helper {
  isGone(): boolean;
  start(order: SpawnOrder, launch: Launch): void;
  end(): void;
}

function launchHelper(): Helper {
  const name = import.meta.url.endsWith('.ts') ? './spawner-main.ts' : './spawner.js';
  const program = fileURLToPath(new URL(name, import.meta.url));
  const child = spawn(process.execPath, [...smallEngine, program], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const socket = child.stdio[3] as Socket;
  const read = openFrameReader();
  const launches = new Map<number, Launch>();
  let orders = 0;
  let isGone = false;

  function take(report: SpawnerReport): void {
    const launch = launches.get(report.id);
    if (report.kind === 'started') return launch?.started(report.pid, report.pidStart);
    launches.delete(report.id);
    launch?.ended(report.end);
  }

  function gone(): void {
    isGone = true;
    for (const launch of launches.values()) launch.ended({ kind: 'lost' });
    launches.clear();
  }

  socket.on('data', (chunk: Buffer) => {
    for (const frame of read(chunk)) if (frame.kind === 'json') take(JSON.parse(frame.text) as SpawnerReport);
  });
  socket.on('error', () => {});
  socket.on('close', gone);
  child.on('error', gone);
  child.unref();
  socket.unref();
  return {
    isGone: () => isGone,
    start(order, launch) {
      orders += 1;
      launches.set(orders, launch);
      socket.write(frameJson({ id: orders, ...order } satisfies SpawnerRequest));
    },
    end: () => socket.destroy(),
  };
}

import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { closeSync, createReadStream, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { peakMemoryMiB, time } from './process.ts';
import type { Measurement, Section, Target } from './report.ts';
import { pairedRatio } from './statistics.ts';
import { cis, ensureHost, floorProgram, has, node, stopHost, write, type World } from './world.ts';

/** The text that is shown, and what must be kept of it: a terminal makes each line end CR LF. */
interface Flood {
  readonly path: string;
  readonly kept: Kept;
}

interface Kept {
  readonly bytes: number;
  readonly sha256: string;
}

interface Recorder {
  readonly who: string;
  /** Shows the flood, and returns how long that took and what was kept. */
  readonly record: (world: World, flood: Flood) => Promise<{ readonly wallMs: number; readonly kept: Kept }>;
}

const floor: Recorder = {
  who: 'node-pty + file + screen',
  async record(world, flood) {
    const file = freshFile(world, 'floor.out');
    const { wallMs } = await time(node(world, [floorProgram('floor-terminal'), 'record', `cat ${flood.path}`, file]));
    return { wallMs, kept: await hashOf(createReadStream(file)) };
  },
};

let runs = 0;

const ours: Recorder = {
  who: 'cis',
  async record(world, flood) {
    await ensureHost(world);
    const run = `flood-${(runs += 1)}`;
    const dag = `[dag]\nname = "flood"\n[[dag.tasks]]\nid = "flood"\ncommand = "cat ${flood.path}"\n`;
    const file = write(world, 'flood.toml', dag);
    const { wallMs } = await time(cis(world, ['dag', 'run', file, '--run-id', run]));
    return { wallMs, kept: await hashLogs(world, `${run}:flood`) };
  },
};

const tmux: Recorder = {
  who: 'tmux, pipe-pane',
  async record(world, flood) {
    const file = freshFile(world, 'tmux.out');
    const server = ['-L', `bench-${process.pid}`, '-f', '/dev/null'];
    const gate = join(world.dir, 'gate');
    rmSync(gate, { force: true });
    await time({ file: 'mkfifo', args: [gate], cwd: world.dir, env: world.env });
    const call = (...args: string[]): Promise<unknown> =>
      time({ file: 'tmux', args: [...server, ...args], cwd: world.dir, env: world.env });
    await call('new-session', '-d', '-x', '80', '-y', '24', `cat ${gate} >/dev/null; cat ${flood.path}; sleep 1000`);
    await call('pipe-pane', `exec cat >${file}`);
    const startedAt = performance.now();
    write(world, 'gate', 'go');
    const wallMs = (await waitForSize(file, flood.kept.bytes)) - startedAt;
    await call('kill-server');
    return { wallMs, kept: await hashOf(createReadStream(file)) };
  },
};

/** How fast one session's output is taken in and kept, and whether all of it was. */
export async function benchOutput(world: World): Promise<Section> {
  const flood = await makeFlood(world, world.quick ? 20 : 200);
  if (world.withCis) await stopHost(world); // for the peak of its memory
  const recorders = [floor, ...(world.withCis ? [ours] : []), ...(has('tmux') ? [tmux] : [])];
  const speeds = new Map<string, number[]>(recorders.map(({ who }) => [who, []]));
  const whole = new Map<string, number[]>(recorders.map(({ who }) => [who, []]));
  for (let round = 1; round <= (world.quick ? 1 : 3); round++) {
    for (const { who, record } of recorders) {
      world.progress(`output: ${who}, round ${round}`);
      const { wallMs, kept } = await record(world, flood);
      speeds.get(who)?.push(flood.kept.bytes / 1e3 / wallMs);
      whole
        .get(who)
        ?.push(
          kept.sha256 === flood.kept.sha256
            ? 100
            : (Math.min(kept.bytes, flood.kept.bytes - 1) / flood.kept.bytes) * 100,
        );
    }
  }
  const peak = world.withCis ? [peakMemoryMiB(await ensureHost(world))] : [];
  rmSync(flood.path);
  return {
    measurements: [...measurementsOf(speeds, whole), ...peak.map(memoryRow)],
    targets: world.withCis ? targetsOf(speeds, whole, peak) : [],
    notes: has('tmux') ? [] : ['tmux is not installed: it is missing from the benches of output and echo.'],
  };
}

const bench = 'output of one session';

function measurementsOf(speeds: Map<string, number[]>, whole: Map<string, number[]>): Measurement[] {
  return [...speeds].flatMap(([who, values]) => [
    { bench, who, what: 'speed', unit: 'MB/s' as const, values },
    { bench, who, what: 'kept', unit: '%' as const, values: whole.get(who) ?? [] },
  ]);
}

function memoryRow(peakMiB: number): Measurement {
  return { bench, who: ours.who, what: 'highest memory of the host', unit: 'MiB', values: [peakMiB] };
}

function targetsOf(speeds: Map<string, number[]>, whole: Map<string, number[]>, peak: readonly number[]): Target[] {
  const against = (who: string): number => pairedRatio(speeds.get(ours.who) ?? [], speeds.get(who) ?? []);
  const atLeast = { bench, sense: 'at least' } as const;
  return [
    { ...atLeast, text: `cis ÷ ${floor.who}`, measured: against(floor.who), limit: 0.9, unit: '×' },
    { ...atLeast, text: `cis ÷ ${tmux.who}`, measured: against(tmux.who), limit: 1.1, unit: '×' },
    {
      ...atLeast,
      text: 'cis keeps every byte',
      measured: Math.min(...(whole.get(ours.who) ?? [])),
      limit: 100,
      unit: '%',
    },
    {
      bench,
      sense: 'at most',
      text: 'cis, highest memory of the host',
      measured: Math.max(...peak),
      limit: 200,
      unit: 'MiB',
    },
  ];
}

/** Makes a file of coloured lines of mixed length, as compilers and test runners print them. */
async function makeFlood(world: World, megabytes: number): Promise<Flood> {
  const path = join(world.dir, 'flood.txt');
  const block = Array.from({ length: 12_000 }, (_, index) => line(index)).join('');
  const seen = Buffer.from(block.replaceAll('\n', '\r\n'));
  const hash = createHash('sha256');
  const file = openSync(path, 'w');
  let bytes = 0;
  for (; bytes < megabytes * 1e6; bytes += seen.length) {
    writeSync(file, block);
    hash.update(seen);
  }
  closeSync(file);
  return { path, kept: { bytes, sha256: hash.digest('hex') } };
}

function line(index: number): string {
  const state = index % 7 === 0 ? '\u001b[1;31mFAIL\u001b[0m' : '\u001b[32mok\u001b[0m';
  return `${state} \u001b[90m${index}\u001b[0m \u001b[38;5;${index % 256}msrc/part-${index % 97}.ts\u001b[0m ${'test '.repeat(index % 9)}(${index % 313} ms)\n`;
}

function freshFile(world: World, name: string): string {
  const path = join(world.dir, name);
  rmSync(path, { force: true });
  return path;
}

/** Returns when the file had all its bytes, or when it last grew if it stopped growing for five seconds. */
async function waitForSize(path: string, bytes: number): Promise<number> {
  let size = 0;
  let grewAt = performance.now();
  while (size < bytes && performance.now() - grewAt < 5_000) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const now = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (now !== size) grewAt = performance.now();
    size = now;
  }
  return grewAt;
}

async function hashLogs(world: World, session: string): Promise<Kept> {
  const { file, args, cwd, env } = cis(world, ['dag', 'logs', session, '--raw']);
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  return hashOf(child.stdout);
}

async function hashOf(stream: NodeJS.ReadableStream): Promise<Kept> {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await pipeline(stream, hash);
  return { bytes, sha256: hash.digest('hex') };
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId, SessionId } from '../src/domain/ids.ts';
import type { HostConnection } from '../src/host/port.ts';
import type { ReplyValue, RequestBody, SpawnRequest } from '../src/host/protocol.ts';
import { ownCpuMs, ownMemoryMiB } from './process.ts';
import type { Measurement, Section, Target } from './report.ts';
import { jobs } from './shapes.ts';
import { median } from './statistics.ts';
import { connect, ensureHost, stopHost, type World } from './world.ts';

/** A full screen of colours, then nothing more. */
const paints = `i=0; while [ $i -lt 24 ]; do printf '\\033[3%dmline %d of a session that waits for somebody\\033[0m\\r\\n' $((i % 8)) $i; i=$((i+1)); done; exec sleep 100000`;

/** How fast sessions start, and what many of them cost: at the host's socket, without a DAG. */
export async function benchSessions(world: World): Promise<Section> {
  if (!world.withCis) return { measurements: [], targets: [], notes: [] };
  const crowd = world.quick ? 200 : 500;
  await stopHost(world);
  const pid = await ensureHost(world);
  using host = await connect(world);
  const driver = await openDriver(world, host);
  const emptyMiB = ownMemoryMiB(pid);
  const rounds = Math.min(world.rounds, 3);

  const before = await startRates(world, driver, rounds, 'an empty host');
  const names = await driver.startCrowd(crowd);
  const liveMiB = ownMemoryMiB(pid);
  const beside = await startRates(world, driver, rounds, `${crowd} sessions alive`);
  const idleMiB = await settledMemory(world, pid);
  const idlePercent = await idleCpu(world, pid);
  await driver.kill(names);
  const after = await startRates(world, driver, rounds, 'an empty host again');
  await stopHost(world);
  return report({ crowd, empty: [...before, ...after], beside, emptyMiB, liveMiB, idleMiB, idlePercent });
}

interface Found {
  readonly crowd: number;
  readonly empty: readonly number[];
  readonly beside: readonly number[];
  readonly emptyMiB: number;
  readonly liveMiB: number;
  readonly idleMiB: number;
  readonly idlePercent: number;
}

function report(found: Found): Section {
  const { crowd } = found;
  const starting = { bench: 'starting sessions', who: 'cis', unit: '/s' } as const;
  const many = { bench: `${crowd} sessions`, who: 'cis' } as const;
  const measurements: Measurement[] = [
    { ...starting, what: 'empty host', values: found.empty },
    { ...starting, what: `${crowd} sessions alive`, values: found.beside },
    { ...many, what: 'memory of an empty host', unit: 'MiB', values: [found.emptyMiB] },
    { ...many, what: 'memory, just painted', unit: 'MiB', values: [found.liveMiB] },
    { ...many, what: 'memory, quiet for a while', unit: 'MiB', values: [found.idleMiB] },
    { ...many, what: 'idle CPU', unit: '%', values: [found.idlePercent] },
  ];
  const atMost = { bench: many.bench, sense: 'at most' } as const;
  const ratio = median(found.beside) / median(found.empty);
  const targets: Target[] = [
    {
      bench: starting.bench,
      text: `${crowd} alive ÷ empty host`,
      measured: ratio,
      limit: 0.9,
      sense: 'at least',
      unit: '×',
    },
    {
      ...atMost,
      text: '70 MiB + 0.35 MiB a live screen',
      measured: found.liveMiB,
      limit: 70 + 0.35 * crowd,
      unit: 'MiB',
    },
    {
      ...atMost,
      text: '70 MiB + 64 KiB an idle session',
      measured: found.idleMiB,
      limit: 70 + crowd / 16,
      unit: 'MiB',
    },
    { ...atMost, text: 'idle CPU', measured: found.idlePercent, limit: 0.2, unit: '%' },
  ];
  return { measurements, targets, notes: [] };
}

async function startRates(world: World, driver: Driver, rounds: number, beside: string): Promise<number[]> {
  const count = 200;
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    world.progress(`starting sessions, ${beside}, round ${round} of ${rounds}`);
    const ms = await driver.runMany(count);
    if (round > 0) rates.push((count / ms) * 1000); // the first warms up
  }
  return rates;
}

/** Resolves with the memory once it has not shrunk by a hundredth for 20 s, after two minutes at the latest. */
async function settledMemory(world: World, pid: number): Promise<number> {
  let least = ownMemoryMiB(pid);
  let quietMs = 0;
  for (let waitedMs = 0; quietMs < 20_000 && waitedMs < 120_000; waitedMs += 1_000) {
    world.progress(`waiting for the host's memory to settle: ${Math.round(least)} MiB`);
    await pause(1_000);
    const now = ownMemoryMiB(pid);
    quietMs = now < least * 0.99 ? 0 : quietMs + 1_000;
    least = Math.min(least, now);
  }
  return ownMemoryMiB(pid);
}

async function idleCpu(world: World, pid: number): Promise<number> {
  const seconds = world.quick ? 10 : 20;
  world.progress(`idle CPU for ${seconds} s`);
  const before = ownCpuMs(pid);
  await pause(seconds * 1000);
  return ((ownCpuMs(pid) - before) / (seconds * 1000)) * 100;
}

interface Driver {
  /** Runs so many short sessions, eight at a time; returns the ms until the last has ended. */
  runMany(count: number): Promise<number>;
  /** Starts so many that paint a screen and wait; resolves when all have painted. */
  startCrowd(count: number): Promise<readonly SessionId[]>;
  kill(sessions: readonly SessionId[]): Promise<void>;
}

async function openDriver(world: World, host: HostConnection): Promise<Driver> {
  const run = 'bench' as RunId;
  const recordings = join(world.dir, 'recordings');
  mkdirSync(recordings);
  let count = 0;
  let onEnd: (() => void) | null = null;
  host.listen({
    journal: (_run, entry) => {
      if (entry.event.kind === 'ended') onEnd?.();
    },
  });
  await ask(host, { kind: 'environment', env: world.env as Record<string, string> });
  await ask(host, { kind: 'follow', run, after: 0 });

  async function start(command: string): Promise<SessionId> {
    const session = `bench:t${(count += 1)}` as SessionId;
    await ask(host, { kind: 'spawn', spawn: spawnRequest(world, run, session, command, recordings) });
    return session;
  }

  function ends(expected: number): Promise<void> {
    return new Promise((resolve) => {
      let left = expected;
      onEnd = () => {
        if (--left === 0) resolve();
      };
    });
  }

  return {
    async runMany(total) {
      const startedAt = performance.now();
      let [started, ended] = [0, 0];
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          if (started++ < total) start('true').catch(reject);
        };
        onEnd = () => (++ended === total ? resolve() : next());
        for (let slot = 0; slot < jobs; slot++) next();
      });
      return performance.now() - startedAt;
    },
    async startCrowd(total) {
      const names: SessionId[] = [];
      for (let index = 0; index < total; index++) {
        if (index % 50 === 0) world.progress(`sessions alive: ${index} of ${total}`);
        names.push(await start(paints));
      }
      while (!(await allHavePainted(host, run))) await pause(100);
      return names;
    },
    async kill(sessions) {
      const allEnded = ends(sessions.length);
      for (const session of sessions) {
        await ask(host, { kind: 'kill', session, signal: 'SIGKILL', graceMs: null, cause: 'user' });
      }
      await allEnded;
    },
  };
}

async function allHavePainted(host: HostConnection, run: RunId): Promise<boolean> {
  const reply = await ask(host, { kind: 'list', run });
  if (reply.kind !== 'sessions') return false;
  return reply.sessions.every(({ lastOutputAt }) => lastOutputAt !== null && lastOutputAt < Date.now() - 500);
}

function spawnRequest(world: World, run: RunId, session: SessionId, command: string, dir: string): SpawnRequest {
  return {
    session,
    run,
    epoch: 1,
    file: '/bin/sh',
    args: ['-c', command],
    cwd: world.dir,
    umask: 0o022,
    env: {},
    cols: 80,
    rows: 24,
    recording: { path: join(dir, `${session}.cast`), maxBytes: 100e6, title: session },
  };
}

async function ask(host: HostConnection, body: RequestBody): Promise<ReplyValue> {
  const reply = await host.request(body);
  if (!reply.ok) throw new Error(`the host refused '${body.kind}': ${JSON.stringify(reply.error)}`);
  return reply.value;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

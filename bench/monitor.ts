import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId, SessionId } from '../src/domain/ids.ts';
import type { HostConnection } from '../src/host/port.ts';
import type { SpawnRequest } from '../src/host/protocol.ts';
import { ownCpuMs } from './process.ts';
import type { Section } from './report.ts';
import { median } from './statistics.ts';
import { connect, ensureHost, stopHost, type World } from './world.ts';

const crowd = 200;
/** A full screen with an input line, as an agent leaves it between two turns, then nothing more. */
const rests = `i=0; while [ $i -lt 20 ]; do printf '\\033[3%dmline %d of a session that rests\\033[0m\\r\\n' $((i % 8)) $i; i=$((i+1)); done; printf '────────\\r\\n❯ \\r\\n────────\\r\\n'; exec sleep 100000`;
const floods = `i=0; while :; do i=$((i+1)); printf 'a line of a session that floods the host, number %d\\r\\n' $i; done`;

/** What watching costs when nothing happens, and whether a session that floods keeps another's question waiting. */
export async function benchMonitor(world: World): Promise<Section> {
  if (!world.withCis) return { measurements: [], targets: [], notes: [] };
  await stopHost(world);
  const pid = await ensureHost(world);
  using host = await connect(world);
  const driver = await openDriver(world, host);
  const rounds = world.quick ? 5 : 20;
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    world.progress(`delay of a verdict, round ${round} of ${rounds}`);
    const quiet = await driver.ask();
    const flood = await driver.start(floods);
    const flooded = await driver.ask();
    await driver.kill(flood);
    if (round === 0) continue; // the first warms up
    alone.push(quiet);
    beside.push(flooded);
  }
  for (let number = 0; number < crowd; number++) await driver.start(rests);
  const idle = await idleCpu(world, pid);
  await stopHost(world);
  const bench = 'monitor';
  const usual = median(alone);
  const most = Math.max(...beside) - usual;
  return {
    measurements: [
      { bench, who: 'cis', what: `CPU of a host with ${crowd} idle sessions`, unit: '%', values: [idle] },
      { bench, who: 'cis', what: 'question on the screen → block, alone', unit: 'ms', values: alone },
      { bench, who: 'cis', what: 'question on the screen → block, beside a flood', unit: 'ms', values: beside },
    ],
    targets: [
      { bench, text: `CPU, ${crowd} idle sessions`, measured: idle, limit: 1, sense: 'at most', unit: '%' },
      { bench, text: 'most that a flood delays a verdict', measured: most, limit: 250, sense: 'at most', unit: 'ms' },
    ],
    notes: [],
  };
}

async function idleCpu(world: World, pid: number): Promise<number> {
  const settleMs = 15_000;
  world.progress(`${crowd} sessions come to rest`);
  await pause(settleMs);
  const seconds = world.quick ? 10 : 30;
  world.progress(`idle CPU for ${seconds} s`);
  const before = ownCpuMs(pid);
  await pause(seconds * 1_000);
  return ((ownCpuMs(pid) - before) / (seconds * 1_000)) * 100;
}

interface Driver {
  start(script: string): Promise<SessionId>;
  /** Starts a session that asks after a while; ms from its question to the block in the journal. */
  ask(): Promise<number>;
  kill(session: SessionId): Promise<void>;
}

async function openDriver(world: World, host: HostConnection): Promise<Driver> {
  const run = 'monitor' as RunId;
  const recordings = join(world.dir, 'watched');
  mkdirSync(recordings);
  const blocked = new Map<string, (at: number) => void>();
  let count = 0;
  host.listen({
    journal: (_run, { session, event }) => {
      if (event.kind === 'blocked') blocked.get(session)?.(Date.now());
    },
  });
  await host.request({ kind: 'environment', env: { PATH: world.env['PATH'] ?? '', TERM: 'xterm-256color' } });
  await host.request({ kind: 'follow', run, after: 0 });

  async function start(script: string): Promise<SessionId> {
    const session = `${run}:s${(count += 1)}` as SessionId;
    const spawn: SpawnRequest = {
      session,
      run,
      epoch: 1,
      file: '/bin/sh',
      args: ['-c', script],
      cwd: world.dir,
      umask: 0o22,
      env: {},
      cols: 80,
      rows: 24,
      recording: { path: join(recordings, `${count}.cast`), maxBytes: 1_000_000_000, title: session },
    };
    const reply = await host.request({ kind: 'spawn', spawn });
    if (!reply.ok) throw new Error(`no session: ${JSON.stringify(reply.error)}`);
    return session;
  }

  async function kill(session: SessionId): Promise<void> {
    await host.request({ kind: 'kill', session, signal: 'SIGKILL', graceMs: null, cause: 'user' });
  }

  return {
    start,
    kill,
    async ask() {
      const stamp = join(world.dir, `asked-${count + 1}`);
      const at = Promise.withResolvers<number>();
      blocked.set(`${run}:s${count + 1}`, at.resolve);
      const session = await start(`sleep 1; date +%s%3N >${stamp}; printf 'Go on? [y/N] '; read -r x`);
      const seen = await at.promise;
      await kill(session);
      return seen - Number(readFileSync(stamp, 'utf8'));
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

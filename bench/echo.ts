import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';
import { time } from './process.ts';
import { spawn, type Pty } from './pty.ts';
import type { Measurement, Section, Target } from './report.ts';
import { median, quantile } from './statistics.ts';
import { cis, ensureHost, floorProgram, has, write, type World } from './world.ts';

/** What the session runs: shows a mark, then gives back each key as it comes. */
const echoes = "stty raw -echo; printf 'ready-to-echo'; exec cat";
const mark = 'ready-to-echo';
const floods = 'yes "$(printf \'\\033[32mok\\033[0m a line of another session\')"';

/** A session that echoes, perhaps beside one that floods, and how a terminal attaches to it. */
interface Stage extends AsyncDisposable {
  readonly client: { readonly file: string; readonly args: readonly string[] };
  /** What is typed to leave; without it the client is killed. */
  readonly leave?: string;
}

interface Contender {
  readonly who: string;
  readonly open: (world: World, flooded: boolean) => Promise<Stage>;
}

/** No client in between: what this bench itself costs, and the kernel. */
const raw: Contender = {
  who: 'raw PTY',
  open: async (_world, flooded) => {
    const flood = flooded ? spawn('/bin/sh', ['-c', floods], {}) : null;
    flood?.onData(() => {});
    return {
      client: { file: '/bin/sh', args: ['-c', echoes] },
      [Symbol.asyncDispose]: async () => flood?.kill('SIGKILL'),
    };
  },
};

const floor: Contender = {
  who: 'Node floor',
  async open(world, flooded) {
    const socket = join(world.dir, 'floor.sock');
    rmSync(socket, { force: true });
    const args = [floorProgram('floor-terminal'), 'host', socket, world.dir, echoes, ...(flooded ? [floods] : [])];
    const host = spawnProcess(process.execPath, args, { env: world.env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(host, 'exit');
    const up = once(createInterface(host.stdout), 'line');
    const isUp = await Promise.race([up.then(() => true), ended.then(() => false)]);
    if (!isUp) throw new Error('the floor of the echo bench does not start');
    return {
      client: { file: process.execPath, args: [floorProgram('floor-terminal'), 'client', socket] },
      async [Symbol.asyncDispose]() {
        host.kill();
        await ended;
      },
    };
  },
};

const tmux: Contender = {
  who: 'tmux',
  async open(world, flooded) {
    const server = ['-L', `bench-${process.pid}`, '-f', '/dev/null'];
    const call = (...args: string[]): Promise<unknown> =>
      time({ file: 'tmux', args: [...server, ...args], cwd: world.dir, env: world.env });
    await call('new-session', '-d', '-s', 'echo', '-x', '80', '-y', '24', echoes);
    await call('set', '-g', 'status', 'off');
    if (flooded) await call('new-session', '-d', '-s', 'flood', '-x', '80', '-y', '24', floods);
    return {
      client: { file: 'tmux', args: [...server, 'attach', '-t', 'echo'] },
      [Symbol.asyncDispose]: async () => void (await call('kill-server')),
    };
  },
};

let runs = 0;

const ours: Contender = {
  who: 'cis',
  async open(world, flooded) {
    await ensureHost(world);
    const run = `echo-${(runs += 1)}`;
    const dag = `[dag]\nname = "echo"\n${renderTask('echo', echoes)}${flooded ? renderTask('flood', floods) : ''}`;
    await time(cis(world, ['dag', 'run', write(world, 'echo.toml', dag), '--run-id', run, '--detach']));
    return {
      client: cis(world, ['dag', 'attach', `${run}:echo`]),
      leave: '\u001dd', // as people do: a client that is killed keeps no compiled code for the next one
      async [Symbol.asyncDispose]() {
        await time(cis(world, ['dag', 'abort', run]));
        await time(cis(world, ['dag', 'wait', run], { accept: [0, 1] }));
      },
    };
  },
};

function renderTask(id: string, command: string): string {
  return `[[dag.tasks]]\nid = "${id}"\ncommand = '''${command}'''\n`;
}

interface Found {
  /** From the start of the client to the screen of the session being there. */
  readonly repaintMs: number;
  readonly echoesUs: readonly number[];
}

/** How long a key takes through an attached client and back, alone and beside a flood; how long attaching takes. */
export async function benchEcho(world: World): Promise<Section> {
  const contenders = [raw, floor, ...(has('tmux') ? [tmux] : []), ...(world.withCis ? [ours] : [])];
  const alone = await takeTurns(world, contenders, false);
  const flooded = await takeTurns(world, contenders, true);
  return {
    measurements: [
      ...measurementsOf('echo of a key', alone),
      ...measurementsOf('echo of a key beside a flood', flooded),
      ...repaints(alone),
    ],
    targets: world.withCis ? targetsOf(alone.get(ours.who) ?? [], flooded.get(ours.who) ?? []) : [],
    notes: [],
  };
}

type Taken = ReadonlyMap<string, Found[]>;

async function takeTurns(world: World, contenders: readonly Contender[], flooded: boolean): Promise<Taken> {
  const taken: Taken = new Map(contenders.map(({ who }) => [who, []]));
  for (let round = 1; round <= (world.quick ? 1 : 3); round++) {
    for (const { who, open } of contenders) {
      world.progress(`echo: ${who}${flooded ? ' beside a flood' : ''}, round ${round}`);
      await using stage = await open(world, flooded);
      taken.get(who)?.push(await typeKeys(world, stage, world.quick ? 300 : 1000));
    }
  }
  return taken;
}

/** Keys that are in no control sequence, so that each is recognised in whatever paints it. */
const keys = ['#', '%', '&', '~', '^', '+', '@', '|'] as const;

async function typeKeys(world: World, { client, leave }: Stage, count: number): Promise<Found> {
  const startedAt = performance.now();
  const pty = spawn(client.file, client.args, { cols: 80, rows: 24, cwd: world.dir, env: world.env });
  try {
    await seen(pty, mark, () => {});
    const repaintMs = performance.now() - startedAt;
    const echoesUs: number[] = [];
    await pause(200); // whatever the client still says on entry
    for (let index = 0; index < count; index++) {
      const key = keys[index % keys.length] ?? keys[0];
      const typedAt = performance.now();
      await seen(pty, key, () => pty.write(key));
      echoesUs.push((performance.now() - typedAt) * 1000);
      await pause(index % 4); // as nobody types faster than the screen
    }
    return { repaintMs, echoesUs };
  } finally {
    await end(pty, leave);
  }
}

async function end(pty: Pty, leave: string | undefined): Promise<void> {
  if (leave === undefined) return pty.kill('SIGKILL');
  const ended = new Promise<void>((resolve) => void pty.onExit(() => resolve()));
  pty.write(leave);
  await Promise.race([ended, pause(2_000)]);
  pty.kill('SIGKILL');
}

/** Resolves when the text was shown after `act`. Rejects when the client ends or nothing comes for ten seconds. */
function seen(pty: Pty, text: string, act: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let shown = '';
    const fail = (why: string): void =>
      finish(() => reject(new Error(`${why} while waiting for '${text}', after: ${shown.slice(-300)}`)));
    const timer = setTimeout(() => fail('nothing came'), 10_000);
    const data = pty.onData((chunk) => {
      shown += chunk;
      if (shown.includes(text)) finish(resolve);
    });
    const exit = pty.onExit(() => fail('the client ended'));
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      data.dispose();
      exit.dispose();
      settle();
    };
    act();
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function measurementsOf(bench: string, taken: Taken): Measurement[] {
  return [...taken].flatMap(([who, found]) =>
    [50, 99].map((percent) => ({
      bench,
      who,
      what: `p${percent}`,
      unit: 'µs' as const,
      values: quantiles(found, percent / 100),
    })),
  );
}

function repaints(taken: Taken): Measurement[] {
  const attached = [...taken].filter(([who]) => who !== raw.who);
  return attached.map(([who, found]) => ({
    bench: 'repaint on attach',
    who,
    what: 'from the start of the client',
    unit: 'ms',
    values: found.map(({ repaintMs }) => repaintMs),
  }));
}

function targetsOf(alone: readonly Found[], flooded: readonly Found[]): Target[] {
  const atMost = { sense: 'at most' } as const;
  const echo = { bench: 'echo of a key', ...atMost };
  const repaintMs = alone.map((found) => found.repaintMs);
  return [
    { ...echo, text: 'cis, p50', measured: median(quantiles(alone, 0.5)), limit: 450, unit: 'µs' },
    {
      ...echo,
      text: 'cis, p99 beside a flood',
      measured: median(quantiles(flooded, 0.99)) / 1000,
      limit: 5,
      unit: 'ms',
    },
    {
      bench: 'repaint on attach',
      ...atMost,
      text: 'cis, client start included',
      measured: median(repaintMs),
      limit: 60,
      unit: 'ms',
    },
  ];
}

function quantiles(found: readonly Found[], q: number): number[] {
  return found.map(({ echoesUs }) => quantile(echoesUs, q));
}

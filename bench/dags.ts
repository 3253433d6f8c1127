import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { time, type Timed } from './process.ts';
import { joinSections, type Measurement, type Section, type Target } from './report.ts';
import * as shapes from './shapes.ts';
import type { Shape } from './shapes.ts';
import { median, pairedRatio } from './statistics.ts';
import { ensureHost, floorProgram, has, node, stopHost, timeCis, write, type World } from './world.ts';

interface Contender {
  readonly who: string;
  readonly run: (world: World, shape: Shape) => Promise<Timed>;
}

const floor: Contender = {
  who: 'floor',
  async run(world, shape) {
    const dag = write(world, 'floor.json', shapes.renderForFloor(shape));
    const dir = join(world.dir, 'floor');
    rmSync(dir, { recursive: true, force: true });
    return time(node(world, [floorProgram('floor'), dag, dir]));
  },
};

const cis: Contender = {
  who: 'cis',
  async run(world, shape) {
    await ensureHost(world);
    return timeCis(world, ['dag', 'run', write(world, 'dag.toml', shapes.renderForCis(shape))]);
  },
};

const cisWithoutHost: Contender = {
  who: 'cis, no host yet',
  async run(world, shape) {
    await stopHost(world);
    return timeCis(world, ['dag', 'run', write(world, 'dag.toml', shapes.renderForCis(shape))]);
  },
};

const ninja: Contender = { who: 'ninja', run: (world, shape) => runNinja(world, shape) };

/** Each task in a PTY that is recorded, which is what `script` is for. */
const ninjaWithScript: Contender = {
  who: 'ninja + script',
  run: (world, shape) => {
    const tasks = shape.tasks.map((task) => ({
      ...task,
      command: `script -qec '${task.command}' /dev/null >/dev/null`,
    }));
    return runNinja(world, { ...shape, tasks });
  },
};

async function runNinja(world: World, shape: Shape): Promise<Timed> {
  const dir = join(world.dir, 'ninja');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const file = write(world, 'build.ninja', shapes.renderForNinja(shape));
  return time({ file: 'ninja', args: [`-j${shapes.jobs}`, '-f', file], cwd: dir, env: world.env });
}

/** Whole DAGs: the floor, cis and ninja take turns. */
export async function benchDags(world: World): Promise<Section> {
  const several = [shapes.wide200, shapes.chain100, shapes.layered10x20, shapes.fanout500];
  const sections = [await benchOneTask(world)];
  for (const shape of several) sections.push(await benchShape(world, shape));
  if (!world.quick) sections.push(await benchGrowth(world));
  sections.push(await benchSleeps(world));
  const notes = has('ninja')
    ? []
    : ['ninja is not installed: its rows and the target that compares with it are missing.'];
  return joinSections([...sections, { measurements: [], targets: [], notes }]);
}

async function benchOneTask(world: World): Promise<Section> {
  const taken = await takeTurns(
    world,
    shapes.oneTask,
    contenders(world, [floor, cisWithoutHost, cis]),
    world.rounds * 2,
  );
  const limits = [
    { who: cis.who, limit: 120, text: 'cis with the host up' },
    { who: cisWithoutHost.who, limit: 200, text: 'cis without a host' },
  ];
  const targets = limits.map(({ who, limit, text }): Target => ({
    bench: shapes.oneTask.name,
    text,
    measured: median(walls(taken, who)),
    limit,
    sense: 'at most',
    unit: 'ms',
  }));
  return { measurements: measurementsOf(shapes.oneTask.name, taken), targets, notes: [] };
}

async function benchShape(world: World, shape: Shape): Promise<Section> {
  const taken = await takeTurns(world, shape, contenders(world, [floor, cis]), world.rounds);
  return { measurements: measurementsOf(shape.name, taken), targets: floorTargets(shape, taken), notes: [] };
}

/** A chain pays two processes and a commit a task, one after the other, so its limit is wider. */
function floorTargets(shape: Shape, taken: Taken): Target[] {
  const limit = shape === shapes.chain100 ? 1.4 : 1.25;
  const wall = pairedRatio(walls(taken, cis.who), walls(taken, floor.who));
  const cpu = pairedRatio(cpus(taken, cis.who), cpus(taken, floor.who));
  const common = { bench: shape.name, limit, sense: 'at most', unit: '×' } as const;
  return [
    { ...common, text: 'cis ÷ floor, wall', measured: wall },
    { ...common, text: 'cis ÷ floor, CPU', measured: cpu },
  ];
}

/** wide-2000 beside wide-200, in turns, because the cost of a task at both is compared. */
async function benchGrowth(world: World): Promise<Section> {
  const large: Timed[] = [];
  const small: Timed[] = [];
  const all = contenders(world, [floor, cis]);
  const taken: Taken = new Map(all.map(({ who }) => [who, []]));
  for (let round = 0; round < Math.max(3, Math.ceil(world.rounds / 2)); round++) {
    for (const contender of all) {
      world.progress(`${shapes.wide2000.name}: ${contender.who}, round ${round + 1}`);
      const timed = await contender.run(world, shapes.wide2000);
      taken.get(contender.who)?.push(timed);
      if (contender === cis) large.push(timed);
    }
    if (world.withCis) small.push(await cis.run(world, shapes.wide200));
  }
  const growth: Target = {
    bench: shapes.wide2000.name,
    text: 'cis, ms per task ÷ that of wide-200',
    measured: pairedRatio(perTask(large, shapes.wide2000), perTask(small, shapes.wide200)),
    limit: 1.1,
    sense: 'at most',
    unit: '×',
  };
  const targets = [...floorTargets(shapes.wide2000, taken), growth];
  return { measurements: measurementsOf(shapes.wide2000.name, taken), targets, notes: [] };
}

function perTask(timed: readonly Timed[], shape: Shape): number[] {
  return timed.map(({ wallMs }) => wallMs / shape.tasks.length);
}

async function benchSleeps(world: World): Promise<Section> {
  const shape = shapes.sleeps;
  const taken = await takeTurns(world, shape, contenders(world, [floor, cis]), world.quick ? 1 : 3);
  const measured = pairedRatio(walls(taken, cis.who), walls(taken, ninja.who));
  const target: Target = {
    bench: shape.name,
    text: 'cis ÷ ninja, wall',
    measured,
    limit: 1.08,
    sense: 'at most',
    unit: '×',
  };
  return { measurements: measurementsOf(shape.name, taken), targets: has('ninja') ? [target] : [], notes: [] };
}

/** Ours, without cis where it is not wanted, and the peers that are installed. */
function contenders(world: World, ours: readonly Contender[]): Contender[] {
  const wanted = ours.filter((contender) => world.withCis || contender === floor);
  if (!has('ninja')) return wanted;
  return [...wanted, ninja, ...(has('script') ? [ninjaWithScript] : [])];
}

type Taken = ReadonlyMap<string, Timed[]>;

/** Runs every contender once before anybody's second turn. The first round warms up and does not count. */
async function takeTurns(world: World, shape: Shape, contenders: readonly Contender[], rounds: number): Promise<Taken> {
  const taken: Taken = new Map(contenders.map(({ who }) => [who, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const contender of contenders) {
      world.progress(`${shape.name}: ${contender.who}, round ${round} of ${rounds}`);
      const timed = await contender.run(world, shape);
      if (round > 0) taken.get(contender.who)?.push(timed);
    }
  }
  return taken;
}

function measurementsOf(bench: string, taken: Taken): Measurement[] {
  return [...taken.keys()].flatMap((who) => [
    { bench, who, what: 'wall', unit: 'ms' as const, values: walls(taken, who) },
    { bench, who, what: 'CPU', unit: 'ms' as const, values: cpus(taken, who) },
  ]);
}

function walls(taken: Taken, who: string): number[] {
  return (taken.get(who) ?? []).map(({ wallMs }) => wallMs);
}

function cpus(taken: Taken, who: string): number[] {
  return (taken.get(who) ?? []).map(({ cpuMs }) => cpuMs);
}

import { time } from './process.ts';
import type { Measurement, Section, Target } from './report.ts';
import * as shapes from './shapes.ts';
import { median, pairedRatio } from './statistics.ts';
import { cis, ensureHost, node, write, type World } from './world.ts';

const reading = 'commands that read';
const loading = shapes.large.name;
const readers = [
  ['dag', 'list'],
  ['dag', 'sessions'],
] as const;

/** Commands that only look, beside a Node that does nothing, and a large file that is right. */
export async function benchCommands(world: World): Promise<Section> {
  if (!world.withCis) return { measurements: [], targets: [], notes: [] };
  await ensureHost(world);
  await time(cis(world, ['dag', 'run', write(world, 'small.toml', shapes.renderForCis(shapes.oneTask))]));
  const file = write(world, 'large.toml', shapes.renderForCis(shapes.large));
  const lines = [
    { who: 'node -e 0', bench: reading, line: node(world, ['-e', '0']) },
    ...readers.map((args) => ({ who: `cis ${args.join(' ')}`, bench: reading, line: cis(world, args) })),
    { who: 'cis dag validate', bench: loading, line: cis(world, ['dag', 'validate', file]) },
  ];
  const taken = new Map(lines.map(({ who }) => [who, [] as number[]]));
  const rounds = world.rounds * 4;
  for (let round = 0; round <= rounds; round++) {
    world.progress(`commands: round ${round} of ${rounds}`);
    for (const { who, line } of lines) {
      const { wallMs } = await time(line);
      if (round > 0) taken.get(who)?.push(wallMs); // the first fills the compile cache
    }
  }
  const measurements = lines.map(({ who, bench }): Measurement => ({
    bench,
    who,
    what: 'wall',
    unit: 'ms',
    values: taken.get(who) ?? [],
  }));
  return { measurements, targets: targetsOf(taken), notes: [] };
}

function targetsOf(taken: ReadonlyMap<string, readonly number[]>): Target[] {
  const idle = taken.get('node -e 0') ?? [];
  const targets = readers.flatMap((args): Target[] => {
    const who = `cis ${args.join(' ')}`;
    const walls = taken.get(who) ?? [];
    const atMost = { bench: reading, sense: 'at most' } as const;
    return [
      { ...atMost, text: `${who} ÷ node -e 0`, measured: pairedRatio(walls, idle), limit: 2.2, unit: '×' },
      { ...atMost, text: who, measured: median(walls), limit: 60, unit: 'ms' },
    ];
  });
  const validated = median(taken.get('cis dag validate') ?? []);
  return [
    ...targets,
    { bench: loading, text: 'cis dag validate', measured: validated, limit: 500, sense: 'at most', unit: 'ms' },
  ];
}

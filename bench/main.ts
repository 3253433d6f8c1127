import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { benchDags } from './dags.ts';
import { benchCommands } from './commands.ts';
import { benchEcho } from './echo.ts';
import { benchHybrid } from './hybrid.ts';
import { benchMonitor } from './monitor.ts';
import { benchOutput } from './output.ts';
import { describeMachine, joinSections, renderReport, type Report, type Section } from './report.ts';
import { benchSessions } from './sessions.ts';
import { benchState } from './state.ts';
import { openWorld, type World } from './world.ts';

const usage = `usage: npm run bench -- [--quick] [--only NAME]... [--rounds N] [--json] [--no-cis] [--no-save]

  --quick      fewer rounds and smaller amounts: about two minutes
  --only NAME  one of the benches: BENCHES; may be given several times
  --rounds N   rounds of each DAG (default 5, quick 2)
  --json       prints the report as JSON instead of a table
  --no-cis     the floors and the peers alone
  --no-save    leaves bench/results/ as it is; so does --only

  hybrid needs a homeserver, which pip installs at the first time: it runs only when named alone, and has a report of its own.
  fleet needs one too: three nodes, then fifty simulated ones. monitor too runs when named, and has a report of its own.
`;

const benches: Readonly<Record<string, (world: World) => Promise<Section>>> = {
  dags: benchDags,
  sessions: benchSessions,
  output: benchOutput,
  echo: benchEcho,
  commands: benchCommands,
  state: benchState,
  hybrid: benchHybrid,
  monitor: benchMonitor,
  // It brings much with it, and a larger process forks more slowly: the other benches shall not pay for it.
  fleet: async (world) => (await import('./fleet.ts')).benchFleet(world),
};

/** Not among all, and kept under their own names. */
const apart: readonly string[] = ['hybrid', 'monitor', 'fleet'];

const options = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true, default: [] as string[] },
  rounds: { type: 'string' },
  json: { type: 'boolean', default: false },
  cis: { type: 'boolean', default: true },
  save: { type: 'boolean', default: true },
  help: { type: 'boolean', short: 'h', default: false },
} satisfies ParseArgsConfig['options'];

/** Runs the benches that were asked for, prints what they found and keeps it. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options, allowNegative: true });
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  const unknown = values.only.filter((name) => !(name in benches));
  if (values.help || unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
    for (const name of unknown) process.stderr.write(`no bench is called '${name}'\n`);
    process.stdout.write(usage.replace('BENCHES', Object.keys(benches).join(', ')));
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const names = values.only.length > 0 ? values.only : Object.keys(benches).filter((name) => !apart.includes(name));
  const sections = await measure(names, { rounds, quick: values.quick, withCis: values.cis });
  const report: Report = {
    date: new Date().toISOString(),
    quick: values.quick,
    machine: describeMachine(),
    ...joinSections(sections),
  };
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `${renderReport(report)}\n`);
  const [only = 'latest', ...more] = values.only;
  const isKept = values.only.length === 0 || (more.length === 0 && apart.includes(only));
  if (values.save && isKept && values.cis) keep(report, only);
}

async function measure(names: readonly string[], settings: Parameters<typeof openWorld>[0]): Promise<Section[]> {
  await using world = openWorld(settings);
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  });
  const sections: Section[] = [];
  for (const name of names) sections.push(await Promise.race([attempt(name, world), interrupted]));
  return sections;
}

/** A bench that fails is a note in the report; the others go on. */
async function attempt(name: string, world: World): Promise<Section> {
  try {
    return (await benches[name]?.(world)) ?? { measurements: [], targets: [], notes: [] };
  } catch (error) {
    process.exitCode = 1;
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).trim().split('\n');
    return { measurements: [], targets: [], notes: [`The bench '${name}' failed: ${reason}`] };
  }
}

/** The newest report has a fixed name, which README points to. */
function keep(report: Report, of: string): void {
  const dir = join(import.meta.dirname, 'results');
  mkdirSync(dir, { recursive: true });
  const name = report.quick ? `${of}-quick` : of;
  writeFileSync(join(dir, `${name}.json`), `${JSON.stringify(report)}\n`);
  writeFileSync(join(dir, `${name}.md`), `# Benchmark\n\n${renderReport(report)}`);
}

await main();

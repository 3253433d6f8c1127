import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startTestHomeserver, type TestHomeserver } from '../../support/homeserver.ts';
import { taskCount } from './dag.ts';
import { renderReport, type Rounds } from './report.ts';
import { runRound, type Outcome, type Scenario } from './round.ts';
import { scenarios } from './scenarios.ts';

const usage = `usage: npm run test:fleet -- [--rounds N] [--only NAME]... [--seed N] [--no-save]

Runs ${taskCount} tasks on three nodes again and again, and disturbs them: ${scenarios.map(({ name }) => name).join(', ')}.
Nothing may be lost, nothing may be done twice.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      only: { type: 'string', multiple: true, default: [] as string[] },
      seed: { type: 'string', default: '1' },
      save: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowNegative: true,
  });
  const chosen = scenarios.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const rounds = Number(values.rounds);
  if (values.help || chosen.length === 0 || !Number.isInteger(rounds)) return void process.stdout.write(usage);
  const all: Rounds[] = [];
  for (const scenario of chosen) {
    all.push(await runRounds(scenario, Number(values.seed), rounds));
    const report = renderReport(all, { date: new Date(), cores: cpus().length, tasks: taskCount });
    if (values.save && values.only.length === 0) writeFileSync(join(import.meta.dirname, 'report.md'), report);
    if (scenario === chosen.at(-1)) process.stdout.write(report);
  }
  if (all.some(({ failures, outcomes }) => failures.length > 0 || outcomes.some(isBad))) process.exitCode = 1;
}

async function runRounds(scenario: Scenario, firstSeed: number, rounds: number): Promise<Rounds> {
  const outcomes: Outcome[] = [];
  const failures: { seed: number; reason: string }[] = [];
  let next = firstSeed;
  await using shared = scenario.ownServer === true ? null : await startTestHomeserver();
  const work = async (): Promise<void> => {
    while (next < firstSeed + rounds) {
      const seed = next++;
      try {
        await using own = shared === null ? await startTestHomeserver() : null;
        const outcome = await runRound(scenario, seed, (own ?? shared) as TestHomeserver);
        outcomes.push(outcome);
        say(scenario, outcome);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        failures.push({ seed, reason });
        process.stderr.write(`${scenario.name}, seed ${seed}: ${reason}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(scenario.sideBySide, rounds) }, work));
  return { scenario, outcomes, failures };
}

export function isBad({ lost, doubled, disagreements }: Outcome): boolean {
  return lost.length + doubled.length + disagreements.length > 0;
}

function say({ name }: Scenario, outcome: Outcome): void {
  const { seed, tookMs, attempts, lost, doubled, disagreements } = outcome;
  const trouble = [
    ...lost.map((task) => `lost ${task}`),
    ...doubled.map((task) => `doubled ${task}`),
    ...disagreements,
  ];
  const verdict = trouble.length === 0 ? 'nothing lost, nothing doubled' : trouble.join('; ');
  process.stderr.write(`${name}, seed ${seed}: ${(tookMs / 1000).toFixed(0)} s, ${attempts} attempts: ${verdict}\n`);
}

await main();

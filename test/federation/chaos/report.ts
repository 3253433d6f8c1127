import type { Outcome, Scenario } from './round.ts';

/** All rounds of one scenario. */
export interface Rounds {
  readonly scenario: Scenario;
  readonly outcomes: readonly Outcome[];
  readonly failures: readonly { readonly seed: number; readonly reason: string }[];
}

export interface ReportFacts {
  readonly date: Date;
  readonly cores: number;
  readonly tasks: number;
}

export function renderReport(all: readonly Rounds[], { date, cores, tasks }: ReportFacts): string {
  const rows = all.map(({ scenario, outcomes, failures }) => {
    const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((n, one) => n + count(one), 0);
    const seconds = outcomes.map(({ tookMs }) => tookMs / 1000).toSorted((a, b) => a - b);
    const median = seconds[Math.floor(seconds.length / 2)]?.toFixed(0) ?? '–';
    return [
      scenario.name,
      `${outcomes.length}${failures.length === 0 ? '' : ` (+ ${failures.length} that failed)`}`,
      `${outcomes.length * tasks}`,
      `${sum(({ attempts }) => attempts)}`,
      `${sum(({ lost }) => lost.length)}`,
      `${sum(({ doubled }) => doubled.length)}`,
      `${sum(({ disagreements }) => disagreements.length)}`,
      `${median} s`,
    ];
  });
  const head = ['scenario', 'rounds', 'tasks', 'attempts', 'lost', 'doubled', 'other stories', 'a round'];
  const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const notes = all.map(({ scenario }) => `- ${scenario.name}: ${scenario.what}.`).join('\n');
  const failed = all.flatMap(({ scenario, failures }) =>
    failures.map(({ seed, reason }) => `- ${scenario.name}, seed ${seed}: ${reason.split('\n')[0] ?? ''}`),
  );
  return `# Chaos

\`npm run test:fleet\` on ${date.toISOString().slice(0, 10)}, ${cores} cores. A coordinator and three nodes, each a home and processes of its own, and a real
Synapse; ${tasks} tasks a round, agents and commands mixed, all but ten of them idempotent; what is undecided about those, the test answers
with a retry. "Doubled": two accepted results, or run to the end twice without having been lost in between, as the sessions themselves
wrote it down. "Other stories": the room or a node does not agree with the coordinator's log.

${table}

${notes}
${failed.length === 0 ? '' : `\n## Failed\n\n${failed.join('\n')}\n`}`;
}

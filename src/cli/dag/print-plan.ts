import type { Dag } from '../../domain/dag.ts';
import type { Need } from '../../domain/needs.ts';
import { planTasks, renderPlan, type PlanFacts } from '../../domain/plan-text.ts';
import { printJson } from '../context.ts';

interface PlanPrint {
  /** What a run would still need. */
  readonly needs: readonly Need[];
  readonly mask: (text: string) => string;
  readonly json: boolean;
}

/** Prints what a run would do, wave by wave, with every command and prompt as far as it is known. */
export function printPlan(dag: Dag, facts: PlanFacts, { needs, mask, json }: PlanPrint): void {
  if (json) return printJson({ dag: dag.name, tasks: planTasks(dag, facts), needs });
  const lines = needs.map(({ message, hint }) => `needs: ${message} (${hint})\n`);
  process.stdout.write(mask(renderPlan(dag, facts) + lines.join('')));
}

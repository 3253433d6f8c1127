import type { Dag } from '../../domain/dag.ts';
import { planTasks, renderPlan, type PlanFacts } from '../../domain/plan-text.ts';
import { printJson } from '../context.ts';

/** Prints what a run would do, wave by wave, with every command and prompt as far as it is known. */
export function printPlan(dag: Dag, facts: PlanFacts, json: boolean): void {
  if (json) printJson({ dag: dag.name, tasks: planTasks(dag, facts) });
  else process.stdout.write(renderPlan(dag, facts));
}

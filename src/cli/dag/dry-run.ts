import type { Dag, Task } from '../../domain/dag.ts';
import { planWaves } from '../../domain/graph.ts';
import { print, printJson } from '../context.ts';

/** Prints what a run would do, wave by wave. */
export function printPlan(dag: Dag, { json }: { readonly json?: true }): void {
  const waves = planWaves(dag);
  if (json) return printJson({ dag: dag.name, waves: waves.map((wave) => wave.map((task) => task.id)) });
  print(waves.flatMap((wave, index) => [`wave ${index + 1}`, ...wave.flatMap(renderTask)]));
}

function renderTask({ id, deps, action }: Task): string[] {
  const after = deps.length === 0 ? '' : `  (after ${deps.join(', ')})`;
  const text = action.kind === 'command' ? action.command : action.prompt;
  return [`  ${id}${after}`, ...text.split('\n').map((line) => `    ${line}`)];
}

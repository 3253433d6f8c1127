import type { Command } from 'commander';
import { planTasks, type PlanFacts } from '../../domain/plan-text.ts';
import { openScreenRedactor, printJson, readConfig } from '../context.ts';
import { needDagOf, type DagSource } from './dag-file.ts';
import { printPlan } from './print-plan.ts';
import { chooseRun } from './run-choice.ts';
import { listNeeds, openPreview, type NeedySettings } from './run-needs.ts';

export function command(into: Command): Command {
  return into
    .argument('<file-or-run>', 'a DAG file, or a run by its id or the beginning of it')
    .option('--json', 'print JSON')
    .action(async (text: string, options: { json?: true }) => {
      const source = await needDagOf(text);
      const loaded = await readConfig();
      const { config } = loaded;
      const choice = source.settings ?? { ...chooseRun(source.dag, { wait: true }, loaded), dag: source.dag, vars: {} };
      const needs = await listNeeds(choice, config, source.settings === null);
      const facts = await factsOf(source, choice, config);
      if (options.json) return printJson({ dag: source.dag, plan: planTasks(source.dag, facts), needs });
      printPlan(source.dag, facts, { needs, mask: await openScreenRedactor(config, choice), json: false });
    });
}

async function factsOf(
  { settings }: DagSource,
  choice: NeedySettings & Pick<PlanFacts, 'maxWorkers'>,
  config: Parameters<typeof listNeeds>[1],
): Promise<PlanFacts> {
  const preview = await openPreview(choice, config);
  return {
    ...choice,
    run: settings?.run ?? null,
    env: (name) => process.env[name] ?? null,
    skipsPermissions: (task) => preview(task).asksNobody,
  };
}

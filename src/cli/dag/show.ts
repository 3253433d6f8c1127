import type { Command } from 'commander';
import { planNeeds } from '../../domain/needs.ts';
import { planTasks, renderPlan, type PlanFacts } from '../../domain/plan-text.ts';
import { openScreenRedactor, printJson, readConfig } from '../context.ts';
import { needDagOf, type DagSource } from './dag-file.ts';

export function command(into: Command): Command {
  return into
    .argument('<file-or-run>', 'a DAG file, or a run by its id or the beginning of it')
    .option('--json', 'print JSON')
    .action(async (text: string, options: { json?: true }) => {
      const source = await needDagOf(text);
      const { config } = await readConfig();
      const facts = factsOf(source, config.dag.default_agent);
      const needs = planNeeds(source.dag, { ...facts, mode: source.settings?.mode ?? 'local' });
      if (options.json) return printJson({ dag: source.dag, plan: planTasks(source.dag, facts), needs });
      const mask = await openScreenRedactor(config);
      const lines = needs.map(({ message, hint }) => `needs: ${message} (${hint})\n`);
      process.stdout.write(mask(renderPlan(source.dag, facts) + lines.join('')));
    });
}

function factsOf({ dag, settings }: DagSource, configured: string | null): PlanFacts {
  return {
    run: settings?.run ?? null,
    mode: settings?.mode ?? 'local',
    maxWorkers: settings?.maxWorkers ?? dag.maxWorkers,
    defaultAgent: settings === null ? configured : settings.defaultAgent,
    vars: settings?.vars ?? {},
    env: (name) => process.env[name] ?? null,
    skipsPermissions: () => null,
  };
}

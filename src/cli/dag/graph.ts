import { Option, type Command } from 'commander';
import { renderGraph, type GraphFormat } from '../../domain/graph-text.ts';
import { planWaves } from '../../domain/graph.ts';
import { printJson } from '../context.ts';
import { needDagOf } from './dag-file.ts';

interface Options {
  readonly format: GraphFormat;
  readonly json?: true;
}

export function command(into: Command): Command {
  const formats: readonly GraphFormat[] = ['ascii', 'mermaid', 'dot'];
  return into
    .argument('<file-or-run>', 'a DAG file, or a run by its id or the beginning of it')
    .addOption(new Option('--format <format>', 'how it is drawn').choices(formats).default('ascii'))
    .option('--json', 'print tasks, dependencies and waves as JSON')
    .action(async (text: string, options: Options) => {
      const { dag } = await needDagOf(text);
      if (options.json !== true) {
        process.stdout.write(renderGraph(dag, options.format));
        return;
      }
      const tasks = dag.tasks.map(({ id, name, deps }) => ({ id, name, deps }));
      printJson({ name: dag.name, tasks, waves: planWaves(dag).map((wave) => wave.map(({ id }) => id)) });
    });
}

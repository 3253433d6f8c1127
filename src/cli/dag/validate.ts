import type { Command } from 'commander';
import { renderProblem, renderProblems, type DagProblem } from '../../dagfile/problem.ts';
import { printJson } from '../context.ts';
import { exitCodes } from '../exit.ts';
import { readDag, readDagFileConfig } from './dag-file.ts';

interface Verdict {
  readonly file: string;
  readonly valid: boolean;
  readonly tasks: number | null;
  readonly errors: readonly (DagProblem | { readonly path: string; readonly message: string })[];
  readonly warnings: readonly DagProblem[];
}

export function command(into: Command): Command {
  return into
    .argument('<files...>', 'DAG files, .toml or .json')
    .option('--json', 'print JSON')
    .action(async (files: string[], options: { json?: true }) => {
      const config = await readDagFileConfig();
      const verdicts: Verdict[] = [];
      for (const file of files) {
        const read = await readDag(file, config);
        verdicts.push(toVerdict(file, read));
        if (options.json !== true) say(file, read);
      }
      if (options.json) printJson({ files: verdicts });
      if (verdicts.some(({ valid }) => !valid)) process.exitCode = exitCodes.usage;
    });
}

type Read = Awaited<ReturnType<typeof readDag>>;

function toVerdict(file: string, read: Read): Verdict {
  if (read.ok) {
    return { file, valid: true, tasks: read.value.dag.tasks.length, errors: [], warnings: read.value.warnings };
  }
  const { error } = read;
  const errors = error.kind === 'invalid' ? error.problems : [{ path: file, message: error.message }];
  return { file, valid: false, tasks: null, errors, warnings: [] };
}

function say(file: string, read: Read): void {
  if (!read.ok) {
    const text = read.error.kind === 'invalid' ? renderProblems(read.error.problems) : `cis: ${read.error.message}`;
    process.stderr.write(`${text}\n`);
    return;
  }
  for (const warning of read.value.warnings) process.stderr.write(`${renderProblem(warning, 'warning')}\n`);
  const { length } = read.value.dag.tasks;
  process.stdout.write(`${file}: valid, ${length} task${length === 1 ? '' : 's'}\n`);
}

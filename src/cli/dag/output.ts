import type { Command } from 'commander';
import type { RunId, TaskId } from '../../domain/ids.ts';
import { parseSessionId } from '../../domain/ids.ts';
import type { Db } from '../../storage/open.ts';
import { readArtifacts, readOutput, readRunSettings, readTasks } from '../../storage/read.ts';
import { openScreenRedactor, print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { wholeNumber } from '../numbers.ts';
import { openRun, openTask } from './wish.ts';

interface Options {
  readonly attempt?: number;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[run]', 'a run, or RUN:TASK')
    .argument('[task]', 'one task: its output as it was stored')
    .option('--attempt <n>', 'of that attempt; default: the last one with an output', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, task: string | undefined, options: Options) => {
      const { config } = await readConfig();
      const parts = text === undefined ? null : parseSessionId(text);
      const name = task !== undefined ? `${text}:${task}` : parts?.ok ? `${parts.value.run}:${parts.value.task}` : text;
      const attempt = options.attempt ?? (parts?.ok && text?.includes('#') ? parts.value.attempt : null);
      if (name?.includes(':')) {
        const found = await openTask(name);
        const mask = await openScreenRedactor(config, readRunSettings(found.db, found.run));
        printOne(found.db, found.run, found.task, attempt, options, mask);
      } else {
        const { db, run } = await openRun(name);
        printAll(db, run, options, await openScreenRedactor(config, readRunSettings(db, run)));
      }
    });
}

function printOne(
  db: Db,
  run: RunId,
  task: TaskId,
  attempt: number | null,
  options: Options,
  mask: (text: string) => string,
): void {
  const output = readOutput(db, run, task, attempt);
  const state = readTasks(db, run).find((row) => row.task === task)?.state.kind ?? 'pending';
  if (options.json) return printJson(describe(db, run, task, attempt, mask));
  if (output === null) {
    if (state === 'completed' || state === 'failed') return;
    throw new CommandError('not-found', `${run}:${task} has no output: it is ${state}`);
  }
  const text = mask(output.text);
  process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
  if (output.cutFrom !== null) process.stderr.write(`cis: cut: ${output.bytes} of ${output.cutFrom} bytes were kept\n`);
}

function printAll(db: Db, run: RunId, options: Options, mask: (text: string) => string): void {
  const all = readTasks(db, run).map(({ task }) => describe(db, run, task, null, mask));
  if (options.json) return printJson({ run, outputs: all });
  for (const one of all) {
    if (one.text === null && one.artifacts.length === 0) continue;
    print([`=== ${run}:${one.task}`, ...(one.text === null ? [] : [one.text.replace(/\n$/, '')])]);
    print(one.artifacts.map((artifact) => `  ${artifact.path}  ${artifact.bytes} bytes  sha256 ${artifact.sha256}`));
  }
}

function describe(db: Db, run: RunId, task: TaskId, attempt: number | null, mask: (text: string) => string) {
  const output = readOutput(db, run, task, attempt);
  return {
    task,
    attempt: output?.attempt ?? null,
    text: output === null ? null : mask(output.text),
    bytes: output?.bytes ?? 0,
    cutFrom: output?.cutFrom ?? null,
    source: output?.source ?? 'none',
    artifacts: readArtifacts(db, run, task, attempt),
  };
}

import type { Command } from 'commander';
import { listRuns } from '../../storage/read.ts';
import { home, needDatabase, print, printJson } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { openToWrite } from './open-storage.ts';
import { tryRemove } from './remove-run.ts';

interface Options {
  readonly days?: number;
  readonly keep?: number;
  readonly dryRun?: true;
  readonly json?: true;
}

const dayMs = 24 * 60 * 60 * 1000;

export function command(into: Command): Command {
  return into
    .option('--days <n>', 'those that ended longer ago; default: 30', wholeNumber)
    .option('--keep <n>', 'but keep that many of the newest', wholeNumber)
    .option('--dry-run', 'say which, and remove none')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      (await needDatabase()).close();
      const db = openToWrite(home());
      const before = Date.now() - (options.days ?? 30) * dayMs;
      const old = listRuns(db, 1_000_000)
        .slice(options.keep ?? 0)
        .filter((run) => run.endedAt !== null && run.endedAt < before);
      const removed: string[] = [];
      for (const { run } of old) {
        if (options.dryRun || (await tryRemove(home(), db, run)) === null) removed.push(run);
      }
      if (options.json) printJson({ removed, dryRun: options.dryRun === true });
      else print(removed.map((run) => (options.dryRun ? run : `${run} is removed`)));
    });
}

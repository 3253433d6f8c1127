import { InvalidArgumentError, type Command } from 'commander';
import { listRuns } from '../../storage/read.ts';
import { home, needDatabase, print, printJson } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { openToWrite } from './open-storage.ts';
import { tryRemove } from './remove-run.ts';

interface Options {
  /** In ms. */
  readonly olderThan?: number;
  readonly keep?: number;
  readonly dryRun?: true;
  readonly json?: true;
}

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const unitsMs: Readonly<Record<string, number>> = { m: 60 * 1000, h: hourMs, d: dayMs, w: 7 * dayMs };

function parseAge(text: string): number {
  const match = /^(\d{1,6})([mhdw])$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError('It must be a number of minutes, hours, days or weeks: 90m, 12h, 30d, 8w.');
  return Number(match[1]) * (unitsMs[match[2] ?? ''] ?? 0);
}

export function command(into: Command): Command {
  return into
    .option('--older-than <age>', 'those that ended longer ago: 12h, 30d, 8w; default: 30d', parseAge)
    .option('--keep <n>', 'but keep that many of the newest', wholeNumber)
    .option('--dry-run', 'say which, and remove none')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      (await needDatabase()).close();
      const db = openToWrite(home());
      const before = Date.now() - (options.olderThan ?? 30 * dayMs);
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

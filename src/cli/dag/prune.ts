import { InvalidArgumentError, type Command } from 'commander';
import { listRuns } from '../../storage/read.ts';
import { home, needDatabase, print, printJson } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { openToWrite } from './open-storage.ts';
import type { KeptBranch } from '../../worktree/remove.ts';
import { describeKept, tryRemove } from './remove-run.ts';

interface Options {
  readonly olderThan?: number;
  readonly force?: true;
  readonly keep?: number;
  readonly dryRun?: true;
  readonly json?: true;
}

const dayMs = 24 * 60 * 60 * 1000;

export function command(into: Command): Command {
  return into
    .option('--older-than <age>', 'those that ended longer ago: 12h, 30d, 8w; default: 30d', parseAge)
    .option('--keep <n>', 'but keep that many of the newest', wholeNumber)
    .option('-f, --force', 'delete branches with work that is merged nowhere as well')
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
      const kept: KeptBranch[] = [];
      const lines: string[] = [];
      for (const { run } of old) {
        if (options.dryRun) {
          removed.push(run);
          lines.push(run);
          continue;
        }
        const removal = await tryRemove(home(), db, run, options.force === true);
        if (removal.kind === 'refused') {
          lines.push(`${run} stays: ${removal.reason}`);
          continue;
        }
        removed.push(run);
        kept.push(...removal.worktrees.kept);
        lines.push(`${run} is removed`, ...describeKept(removal.worktrees));
      }
      if (options.json) printJson({ removed, kept, dryRun: options.dryRun === true });
      else print(lines);
    });
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs, w: 7 * dayMs };

/** Reads `90m`, `12h`, `30d` or `8w`, in ms. */
function parseAge(text: string): number {
  const match = /^(\d{1,6})([smhdw])$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a number and s, m, h, d or w, such as 30d.');
  return Number(match[1]) * (unitMs[match[2] ?? ''] ?? dayMs);
}

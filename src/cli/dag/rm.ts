import type { Command } from 'commander';
import { home, print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import type { KeptBranch } from '../../worktree/remove.ts';
import { readActiveRun } from '../../storage/read.ts';
import { describeKept, tryRemove } from './remove-run.ts';
import { openRun } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run...>', 'ids or beginnings of them')
    .option('-f, --force', 'delete branches with work that is merged nowhere as well')
    .option('--json', 'print JSON: {removed, kept}')
    .action(async (texts: readonly string[], options: { readonly force?: true; readonly json?: true }) => {
      const removed: string[] = [];
      const kept: KeptBranch[] = [];
      const lines: string[] = [];
      for (const text of texts) {
        const { db, run } = await openRun(text);
        const isChosen = readActiveRun(db) === run;
        const removal = await tryRemove(home(), db, run, options.force === true);
        if (removal.kind === 'refused') {
          throw new CommandError('refused', removal.reason, [`end it first: cis dag abort ${run}`]);
        }
        removed.push(run);
        kept.push(...removal.worktrees.kept);
        lines.push(`${run} is removed`, ...describeKept(removal.worktrees));
        if (isChosen)
          lines.push('  it was the run of `dag use`: without an id, the newest unfinished one is meant again');
      }
      if (options.json) printJson({ removed, kept });
      else print(lines);
    });
}

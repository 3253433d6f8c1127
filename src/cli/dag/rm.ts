import type { Command } from 'commander';
import { home, print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { tryRemove } from './remove-run.ts';
import { openRun } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run...>', 'ids or beginnings of them')
    .option('--json', 'print JSON')
    .action(async (texts: readonly string[], options: { readonly json?: true }) => {
      const removed: string[] = [];
      for (const text of texts) {
        const { db, run } = await openRun(text);
        const refused = await tryRemove(home(), db, run);
        if (refused !== null) throw new CommandError('refused', refused, [`end it first: cis dag abort ${run}`]);
        removed.push(run);
      }
      if (options.json) printJson({ removed });
      else print(removed.map((run) => `${run} is removed`));
    });
}

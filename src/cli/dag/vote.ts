import type { Command } from 'commander';
import { Argument } from 'commander';
import { me } from './me.ts';
import { openTask, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run:task>', 'the task; each part may be the beginning of it')
    .addArgument(new Argument('<vote>', 'what you say').choices(['yes', 'no']))
    .option('--as <name>', 'the stakeholder you are; default: your user name')
    .option('--json', 'print JSON')
    .action(async (text: string, vote: 'yes' | 'no', options: WishOptions & { readonly as?: string }) => {
      const { db, run, task } = await openTask(text);
      await wish(db, run, { kind: 'vote', task, vote }, options.json === true, me(options.as));
    });
}

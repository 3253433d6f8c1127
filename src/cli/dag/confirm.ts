import type { Command } from 'commander';
import { openTask, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run:task>', 'the task; each part may be the beginning of it')
    .option('--json', 'print JSON')
    .action(async (text: string, options: WishOptions) => {
      const { db, run, task } = await openTask(text);
      await wish(db, run, { kind: 'confirm', task }, options.json === true);
    });
}

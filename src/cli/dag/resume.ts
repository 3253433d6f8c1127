import type { Command } from 'commander';
import { openRun, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: WishOptions) => {
      const { db, run } = await openRun(text);
      await wish(db, run, { kind: 'resume' }, options.json === true);
    });
}

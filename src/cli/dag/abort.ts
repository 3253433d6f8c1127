import type { Command } from 'commander';
import { openRun, wish, type WishOptions } from './wish.ts';
import { me } from './me.ts';

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it')
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: WishOptions & { readonly reason?: string }) => {
      const { db, run } = await openRun(text);
      const reason = options.reason ?? `by ${me().by}`;
      await wish(db, run, { kind: 'abort', reason }, options.json === true);
    });
}

import { Argument, type Command } from 'commander';
import type { RunMode } from '../../domain/run.ts';
import { needMode } from './run-choice.ts';
import { openRun, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run>', 'its id or the beginning of it')
    .addArgument(new Argument('<mode>', 'from the next task on').choices(['local', 'hybrid', 'matrix']))
    .option('--room <room>', 'the room of hybrid and matrix mode')
    .option('--json', 'print JSON')
    .action(async (text: string, wanted: RunMode, options: WishOptions & { readonly room?: string }) => {
      const { db, run } = await openRun(text);
      const mode = needMode(wanted);
      await wish(db, run, { kind: 'mode', mode, room: options.room ?? null }, options.json === true);
    });
}

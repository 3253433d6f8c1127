import type { Command } from 'commander';
import { print, printJson } from '../context.ts';
import { openClient, orFail } from './context.ts';

export function command(into: Command): Command {
  return into
    .argument('<room>', 'an id (!room:server) or an alias (#room:server)')
    .option('--json', 'print JSON')
    .action(async (given: string, options: { readonly json?: true }) => {
      const room = orFail(await openClient().rooms.join(given), `cannot join ${given}`);
      if (options.json) printJson({ room_id: room });
      else print([`joined ${room}`]);
    });
}

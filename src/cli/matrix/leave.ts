import type { Command } from 'commander';
import { print, printJson } from '../context.ts';
import { needRoom, openClient, orFail } from './context.ts';

export function command(into: Command): Command {
  return into
    .argument('<room>', 'an id (!room:server) or an alias (#room:server)')
    .option('--json', 'print JSON')
    .action(async (given: string, options: { readonly json?: true }) => {
      const { rooms } = openClient();
      const room = await needRoom(rooms, given);
      orFail(await rooms.leave(room), `cannot leave ${given}`);
      if (options.json) printJson({ room_id: room });
      else print([`left ${room}`]);
    });
}

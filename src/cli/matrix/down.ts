import type { Command } from 'commander';
import { takeDown } from '../../matrix/homeserver/private.ts';
import { print, printJson } from '../context.ts';
import { files } from './context.ts';

export function command(into: Command): Command {
  return into.option('--json', 'print JSON').action(async (options: { readonly json?: true }) => {
    const stopped = await takeDown(files().homeserver);
    if (options.json) printJson({ stopped });
    else print([stopped ? 'stopped; its rooms and accounts stay (cis matrix up)' : 'no homeserver of this home runs']);
  });
}

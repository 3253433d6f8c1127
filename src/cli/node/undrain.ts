import type { Command } from 'commander';
import { setDraining } from './drain.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .action((options: { readonly json?: true }) => setDraining(false, options.json === true));
}

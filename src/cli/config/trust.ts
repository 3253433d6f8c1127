import type { Command } from 'commander';
import { resolve } from 'node:path';
import { findProjectConfig } from '../../config/load.ts';
import { trust } from '../../config/trust.ts';
import { home, print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';

export function command(into: Command): Command {
  return into
    .argument('[directory]', 'the project; its config is looked for here and upwards', '.')
    .option('--revoke', 'no longer trust it')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nRead the file first: its agents, answers and notify.command run as you. A changed file must be trusted anew.',
    )
    .action((directory: string, options: { revoke?: true; json?: true }) => {
      const file = findProjectConfig(resolve(directory), home());
      if (file === null)
        throw new CommandError('not-found', `no .cis/config.toml in ${resolve(directory)} or above it`);
      const trusted = options.revoke !== true;
      trust(home(), file.path, trusted ? file.text : null);
      if (options.json) printJson({ path: file.path, trusted });
      else print([trusted ? `${file.path} is trusted as it is now` : `${file.path} is no longer trusted`]);
    });
}

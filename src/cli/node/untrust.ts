import type { Command } from 'commander';
import { removeNode } from '../../storage/nodes.ts';
import { removeTrust } from '../../storage/trust.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { openWriter } from '../matrix/context.ts';
import { needDid } from './context.ts';

export function command(into: Command): Command {
  return into
    .argument('<node>', 'its key, the end of it, or its name')
    .option('--forget', 'strike it from the list of nodes too, until it is heard again')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nFrom now on its orders and results are refused. What it runs already it may finish in vain.',
    )
    .action((text: string, options: { readonly forget?: true; readonly json?: true }) => {
      const db = openWriter();
      const did = needDid(db, text);
      const removed = removeTrust(db, did);
      const forgotten = options.forget === true && removeNode(db, did);
      db.close();
      if (!removed && !forgotten) throw new CommandError('not-found', `${text} was not trusted`);
      if (options.json) printJson({ did, trusted: false });
      else print([`no longer trusted: ${did}`]);
    });
}

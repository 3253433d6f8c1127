import type { Command } from 'commander';
import { dagFileSchema } from '../../dagfile/schema.ts';

export function command(into: Command): Command {
  return into.option('--json', 'the same: the schema is JSON').action(() => {
    process.stdout.write(`${JSON.stringify(dagFileSchema(), null, 2)}\n`);
  });
}

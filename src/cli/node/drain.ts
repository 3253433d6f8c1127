import type { Command } from 'commander';
import { writeDraining } from '../../storage/nodes.ts';
import { print, printJson } from '../context.ts';
import { openWriter } from '../matrix/context.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText('after', '\nIt stays so over restarts, until `cis node undrain`.')
    .action((options: { readonly json?: true }) => setDraining(true, options.json === true));
}

export function setDraining(draining: boolean, json: boolean): void {
  const db = openWriter();
  writeDraining(db, draining);
  db.close();
  if (json) printJson({ draining });
  else
    print([draining ? 'draining: this node finishes what it has and takes nothing new' : 'this node takes work again']);
}

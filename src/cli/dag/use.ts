import type { Command } from 'commander';
import { writeActiveRun } from '../../storage/create.ts';
import { home, needDatabase, print, printJson } from '../context.ts';
import { chosenRun, namedRun } from '../pick.ts';
import { openToWrite } from './open-storage.ts';

export function command(into: Command): Command {
  return into
    .argument('[run]', 'the run that commands without an id mean from now on')
    .option('--clear', 'choose none: the newest unfinished one again')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: { readonly clear?: true; readonly json?: true }) => {
      (await needDatabase()).close();
      const db = openToWrite(home());
      if (options.clear) writeActiveRun(db, null);
      else if (text !== undefined) writeActiveRun(db, namedRun(db, text).run);
      const run = chosenRun(db)?.run ?? null;
      if (options.json) printJson({ run });
      else print([run ?? 'no run is chosen: the newest unfinished one is meant']);
    });
}

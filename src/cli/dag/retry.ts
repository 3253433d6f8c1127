import type { Command } from 'commander';
import { isHolderAlive } from '../../executor/identity.ts';
import { readLease } from '../../storage/read.ts';
import type { Db } from '../../storage/open.ts';
import type { RunId } from '../../domain/ids.ts';
import { openRun, openTask, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('[run[:task]]', 'a run: all that failed in it; a task: just that one')
    .option('--with-dependents', 'also do again what depends on it')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: WishOptions & { readonly withDependents?: true }) => {
      const withDependents = options.withDependents === true;
      const named = text?.includes(':') === true ? await openTask(text) : { ...(await openRun(text)), task: null };
      const { db, run, task } = named;
      await wish(db, run, { kind: 'retry', task, withDependents }, options.json === true);
      if (!isDriven(db, run) && options.json !== true) {
        process.stderr.write(`nobody drives it now: cis dag execute --run-id ${run}\n`);
      }
    });
}

function isDriven(db: Db, run: RunId): boolean {
  const lease = readLease(db, run);
  return lease !== null && isHolderAlive(lease);
}

import type { Db } from '../storage/open.ts';
import { findRuns, listRuns, readActiveRun, type RunRow } from '../storage/read.ts';
import { CommandError } from './exit.ts';

/** The run that `text` names, in full or by an unambiguous prefix; without text the one of `dag use`, else the newest. */
export function namedRun(db: Db, text: string | undefined): RunRow {
  const found = findRuns(db, text ?? readActiveRun(db) ?? '');
  if (text === undefined) {
    const run = readActiveRun(db) === null ? listRuns(db, 1)[0] : found[0];
    if (run === undefined) throw new CommandError('not-found', 'nothing has run yet');
    return run;
  }
  const [run, other] = found;
  if (run === undefined)
    throw new CommandError('not-found', `no run "${text}"`, ['cis dag list shows the runs there are']);
  if (other === undefined) return run;
  throw new CommandError(
    'refused',
    `"${text}" is the beginning of several runs`,
    found.map((one) => one.run),
  );
}

import type { RunId, TaskId } from '../domain/ids.ts';
import type { Db } from '../storage/open.ts';
import { findRuns, listRuns, readActiveRun, readTasks, type RunRow } from '../storage/read.ts';
import { CommandError } from './exit.ts';

/**
 * The one rule for ids on the command line: an exact one beats prefixes, and a prefix must fit only one. Returns all that fit, so that
 * a caller with more to go by can choose further.
 */
export function fitting<T>(text: string, all: readonly T[], idOf: (one: T) => string): T[] {
  const exact = all.filter((one) => idOf(one) === text);
  return exact.length > 0 ? exact : all.filter((one) => idOf(one).startsWith(text));
}

/** Says that an id fits several, and shows them. */
export function ambiguous(text: string, candidates: readonly string[], noun: string): CommandError {
  const shown = candidates.slice(0, 10);
  const more = candidates.length > shown.length ? [`… and ${candidates.length - shown.length} more`] : [];
  return new CommandError('refused', `"${text}" fits ${candidates.length} ${noun}: give more of it`, [
    ...shown,
    ...more,
  ]);
}

/** Returns the one of `found` that is meant; throws `not-found` or, with the candidates, `refused`. */
export function onlyOne<T>(
  text: string,
  found: readonly T[],
  idOf: (one: T) => string,
  [noun, nouns, look]: readonly [noun: string, nouns: string, look: string],
): T {
  const [first, ...others] = found;
  if (first === undefined) throw new CommandError('not-found', `there is no ${noun} "${text}"`, [`see: ${look}`]);
  if (others.length > 0) throw ambiguous(text, found.map(idOf), nouns);
  return first;
}

export const runWords = ['run', 'runs', 'cis dag list'] as const;

/** The run of `dag use`, if one was chosen. One that is gone (the database is an older copy, say) is told, and not meant. */
export function chosenRun(db: Db): RunRow | null {
  const chosen = readActiveRun(db);
  if (chosen === null) return null;
  const run = findRuns(db, chosen).find((one) => one.run === chosen);
  if (run === undefined) process.stderr.write(`cis: run ${chosen}, which \`dag use\` chose, is gone\n`);
  return run ?? null;
}

/** The run that `text` names; without text the one of `dag use`, else the newest. */
export function namedRun(db: Db, text: string | undefined): RunRow {
  if (text !== undefined) return onlyOne(text, text === '' ? [] : findRuns(db, text), ({ run }) => run, runWords);
  const run = chosenRun(db) ?? listRuns(db, 1)[0];
  if (run === undefined) throw new CommandError('not-found', 'nothing has run yet', ['start one: cis dag run FILE']);
  return run;
}

/** The task of a run that `text` names; `#ATTEMPT` behind it is not looked at. */
export function namedTask(db: Db, run: RunId, text: string): TaskId {
  const name = text.replace(/#\d*$/, '');
  const tasks = readTasks(db, run).map(({ task }) => task);
  const words = ['task', 'tasks', `cis dag status ${run}`] as const;
  const found = name === '' ? [] : fitting(name, tasks, (task) => task);
  return onlyOne(
    `${run}:${name}`,
    found.map((task) => ({ task, id: `${run}:${task}` })),
    ({ id }) => id,
    words,
  ).task;
}

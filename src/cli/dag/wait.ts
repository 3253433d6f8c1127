import type { Command } from 'commander';
import type { RunId, TaskId } from '../../domain/ids.ts';
import { settled, waitsByItself, type TaskState } from '../../domain/task.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns, readTasks } from '../../storage/read.ts';
import { watchCommits } from '../../storage/tail.ts';
import { home, needDatabase, print, printJson, untilInterrupted } from '../context.ts';
import { exitCodes } from '../exit.ts';
import { namedRun } from '../pick.ts';
import { openTask } from './wish.ts';

interface Options {
  readonly blocked?: true;
  readonly json?: true;
}

/** What was waited for: how it ended, or that somebody is needed. */
interface Found {
  readonly state: string;
  readonly code: number;
}

export function command(into: Command): Command {
  return into
    .argument('[run|run:task]', 'its id or the beginning of it')
    .option('--blocked', 'wait until a session waits for a person: 0 when one does, 1 when it ended first')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExits as the run did: 0 completed, 1 failed or aborted. A task: 0 completed or skipped, else 1.',
    )
    .action(async (text: string | undefined, options: Options) => {
      if (text?.includes(':') === true) {
        const { db, run, task } = await openTask(text);
        await waitFor(db, () => lookAtTask(db, run, task, options.blocked === true), `${run}:${task}`, options);
      } else {
        const db = await needDatabase();
        const { run } = namedRun(db, text);
        await waitFor(db, () => lookAtRun(db, run, options.blocked === true), run, options);
      }
    });
}

async function waitFor(db: Db, look: () => Found | null, id: string, options: Options): Promise<void> {
  const signal = untilInterrupted();
  const found = Promise.withResolvers<Found | null>();
  const check = (): void => {
    const seen = look();
    if (seen !== null) found.resolve(seen);
  };
  signal.addEventListener('abort', () => found.resolve(null));
  using _ = watchCommits(db, home().database, check);
  check();
  const end = await found.promise;
  if (end === null) return;
  process.exitCode = end.code;
  if (options.json) printJson({ id, state: end.state });
  else print([`${id} ${end.state}`]);
}

function lookAtRun(db: Db, run: RunId, untilBlocked: boolean): Found | null {
  const state = findRuns(db, run)[0]?.state.kind ?? 'aborted';
  if (state === 'completed' || state === 'failed' || state === 'aborted') {
    const good = state === 'completed' && !untilBlocked;
    return { state, code: good ? exitCodes.done : exitCodes.failed };
  }
  const isBlocked = untilBlocked && readTasks(db, run).some((row) => needsPerson(row.state));
  return isBlocked ? { state: 'blocked', code: exitCodes.done } : null;
}

function lookAtTask(db: Db, run: RunId, task: TaskId, untilBlocked: boolean): Found | null {
  const state = readTasks(db, run).find((row) => row.task === task)?.state;
  if (state === undefined) return { state: 'gone', code: exitCodes.failed };
  if (settled[state.kind]) {
    const good = (state.kind === 'completed' || state.kind === 'skipped') && !untilBlocked;
    return { state: state.kind, code: good ? exitCodes.done : exitCodes.failed };
  }
  return untilBlocked && needsPerson(state) ? { state: state.kind, code: exitCodes.done } : null;
}

function needsPerson(state: TaskState): boolean {
  return (state.kind === 'blocked' && !waitsByItself(state)) || state.kind === 'undecided' || state.kind === 'gated';
}

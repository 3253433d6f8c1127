import type { AnswerSource } from '../../domain/block.ts';
import type { RunId, TaskId } from '../../domain/ids.ts';
import type { RunRequest } from '../../domain/request.ts';
import { askRun } from '../../executor/ask.ts';
import type { Db } from '../../storage/open.ts';
import { readRunSettings } from '../../storage/read.ts';
import { home, needDatabase, print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { namedRun, namedTask } from '../pick.ts';
import { driveOptions } from './drive-options.ts';
import { me } from './me.ts';
import { openToWrite } from './open-storage.ts';

export interface WishOptions {
  readonly json?: true;
}

/** Tells a run what a person wishes, waits for what becomes of it, and prints that. */
export async function wish(
  db: Db,
  run: RunId,
  request: RunRequest,
  json: boolean,
  source: AnswerSource = me(),
): Promise<void> {
  const settings = readRunSettings(db, run);
  if (settings === null) throw new CommandError('not-found', `no run "${run}"`);
  const { config } = await readConfig();
  const options = await driveOptions(home(), db, settings, config, `dag ${request.kind} ${run}`);
  const outcome = await askRun(options, request, source);
  switch (outcome.kind) {
    case 'done':
      return json ? printJson({ run, request, outcome }) : print([outcome.said]);
    case 'refused':
      throw new CommandError('refused', outcome.reason);
    case 'failed':
      throw new CommandError('failed', `run ${run} could not be told (${outcome.end.kind})`, [
        `see: cis dag status ${run}`,
      ]);
  }
}

/** Opens the database and finds the run that `text` names. */
export async function openRun(text: string | undefined): Promise<{ readonly db: Db; readonly run: RunId }> {
  (await needDatabase()).close();
  const db = openToWrite(home());
  return { db, run: namedRun(db, text).run };
}

/** Finds the task that `RUN:TASK` names; each part may be the beginning of it, and `#ATTEMPT` is not looked at. */
export async function openTask(text: string): Promise<{ readonly db: Db; readonly run: RunId; readonly task: TaskId }> {
  const colon = text.indexOf(':');
  if (colon < 0)
    throw new CommandError('usage', `"${text}" names no task`, ['name one as RUN:TASK; `cis dag status` shows them']);
  const { db, run } = await openRun(text.slice(0, colon));
  return { db, run, task: namedTask(db, run, text.slice(colon + 1)) };
}

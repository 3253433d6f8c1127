import { readTasks } from '../../storage/read.ts';
import { openDatabase } from '../context.ts';
import { openTask, wish } from './wish.ts';

/** Lets a task go on whose merge conflict a person has resolved; false when the name means no such task. */
export async function unblockMerge(text: string, json: boolean): Promise<boolean> {
  const name = text.replace(/[#!].*$/, '');
  if (!name.includes(':') || !(await hasConflict(name))) return false;
  const { db, run, task } = await openTask(name);
  await wish(db, run, { kind: 'unblock', task }, json);
  return true;
}

/** Looked up before anything is asked for, so that sessions without a run in the database can be answered as well. */
async function hasConflict(name: string): Promise<boolean> {
  const db = await openDatabase();
  if (db === null) return false;
  const { findRuns } = await import('../../storage/read.ts');
  const [run = '', task = ''] = name.split(':');
  const conflicts = findRuns(db, run).flatMap((row) =>
    readTasks(db, row.run).filter(({ state }) => state.kind === 'blocked' && state.session === null),
  );
  db.close();
  return conflicts.some((row) => row.task.startsWith(task));
}

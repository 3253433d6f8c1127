import type { RunId } from '../domain/ids.ts';
import { openPicture, type PictureFold, type RunPicture } from '../domain/picture.ts';
import { lastSeq } from './bridge.ts';
import type { Db } from './open.ts';
import { findRuns, readAttempts, readRunSettings, readTasks } from './read.ts';

/** Reads how a run stands; null when there is no such run. */
export function readPicture(db: Db, id: RunId): RunPicture | null {
  return openPictureOf(db, id)?.fold.picture ?? null;
}

/** How a run stands, and the number of the last event in it: events after that bring it forward. */
export function openPictureOf(db: Db, id: RunId): { readonly fold: PictureFold; readonly seq: number } | null {
  return db.transaction(() => {
    const settings = readRunSettings(db, id);
    const run = findRuns(db, id).find((row) => row.run === id);
    if (settings === null || run === undefined) return null;
    const fold = openPicture({ ...settings, mode: run.mode, room: run.room });
    fold.setRun(run.state, { startedAt: run.startedAt, endedAt: run.endedAt });
    const latest = new Map(readAttempts(db, id).map((attempt) => [attempt.task, attempt]));
    for (const { task, state } of readTasks(db, id)) {
      const attempt = latest.get(task);
      fold.set(task, state, { startedAt: attempt?.startedAt ?? null, endedAt: attempt?.endedAt ?? null });
    }
    return { fold, seq: lastSeq(db, id) };
  })();
}

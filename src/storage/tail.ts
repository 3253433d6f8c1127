import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { LoggedEvent } from '../domain/event.ts';
import type { RunId } from '../domain/ids.ts';
import type { Db } from './open.ts';
import { readAllEvents, readEvents } from './read.ts';

/**
 * A commit writes the WAL, syncs it and only then, through shared memory that no watch sees, makes it visible; so after the
 * write it is looked for again at growing distances, the last of which outlasts a slow disk. Without writes nothing runs.
 */
const looksAfterMs: readonly number[] = [0, 2, 5, 12, 30, 80, 200, 600, 2_000, 6_000];

/** Calls back soon after other connections have committed, as often as needed and no oftener; ends when disposed. */
export function watchCommits(db: Db, path: string, onCommit: () => void): Disposable {
  let seen = dataVersion(db);
  let timer: NodeJS.Timeout | null = null;
  const look = (step: number) => {
    timer = null;
    const version = dataVersion(db);
    const next = looksAfterMs[step + 1];
    if (next !== undefined) timer = setTimeout(look, next, step + 1).unref();
    if (version === seen) return;
    seen = version;
    onCommit();
  };
  const watcher = watch(dirname(path), (_, file) => {
    if (file !== null && !file.startsWith(basename(path))) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(look, looksAfterMs[0], 0);
  });
  return {
    [Symbol.dispose]: () => {
      watcher.close();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

export interface FollowOptions {
  readonly path: string;
  /** Null: events of all runs. */
  readonly run: RunId | null;
  readonly after: number;
  readonly signal: AbortSignal;
}

/** Gives events after `after` in batches, those there are first, then as they are committed, until the signal. */
export async function* followEvents(
  db: Db,
  { path, run, after, signal }: FollowOptions,
): AsyncGenerator<readonly LoggedEvent[]> {
  let wake: () => void = () => {};
  let isStale = true;
  const poke = () => {
    isStale = true;
    wake();
  };
  using _ = watchCommits(db, path, poke);
  signal.addEventListener('abort', poke, { once: true });
  for (let from = after; !signal.aborted;) {
    isStale = false;
    const events = run === null ? readAllEvents(db, from) : readEvents(db, run, from);
    if (events.length > 0) {
      from = events.at(-1)?.seq ?? from;
      yield events;
    } else if (!isStale) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

function dataVersion(db: Db): unknown {
  return db.pragma('data_version', { simple: true });
}

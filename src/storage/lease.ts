import type { RunId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { Db } from './open.ts';
import { readLease, type Lease } from './read.ts';

/** Who drives a run: enough to tell a living process from a later one with the same pid. */
export interface Driver {
  readonly pid: number;
  readonly pidStart: string;
  readonly bootId: string;
  /** Shown to whoever is refused: `dag run x.toml`. */
  readonly what: string;
}

/**
 * Takes the lease of a run and returns its new epoch. Refuses while `isAlive` says that the holder lives; a holder is dead when
 * there is no such pid, it started at another time or the machine has started anew: never by a clock.
 */
export function takeLease(
  db: Db,
  run: RunId,
  driver: Driver,
  isAlive: (lease: Lease) => boolean,
): Result<number, Lease> {
  return db
    .transaction(() => {
      const held = readLease(db, run);
      if (held !== null && held.pid !== null && isAlive(held)) return err(held);
      const epoch = (held?.epoch ?? 0) + 1;
      db.prepare(
        `INSERT INTO leases (run_id, epoch, pid, pid_start, boot_id, what) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (run_id) DO UPDATE SET epoch = excluded.epoch, pid = excluded.pid, pid_start = excluded.pid_start,
         boot_id = excluded.boot_id, what = excluded.what`,
      ).run(run, epoch, driver.pid, driver.pidStart, driver.bootId, driver.what);
      return ok(epoch);
    })
    .immediate();
}

/** Gives the lease back, if it is still ours. Nobody waits for the disk: after a power cut its holder is dead anyway. */
export function releaseLease(db: Db, run: RunId, epoch: number): void {
  db.exec('PRAGMA synchronous = NORMAL');
  try {
    db.prepare(
      'UPDATE leases SET pid = NULL, pid_start = NULL, boot_id = NULL, what = NULL WHERE run_id = ? AND epoch = ?',
    ).run(run, epoch);
  } finally {
    db.exec('PRAGMA synchronous = FULL');
  }
}

/** Raises the epoch of a run that nobody drives here: a coordinator elsewhere had a higher one. */
export function raiseLease(db: Db, run: RunId, epoch: number): void {
  db.prepare('UPDATE leases SET epoch = max(epoch, ?) WHERE run_id = ?').run(epoch, run);
}

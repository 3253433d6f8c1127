import type { Db } from './open.ts';

/** Runs that another home took over: what this one knows of them is old, until it takes them back from the room. */
export function noteTakenOver(db: Db, run: string, by: string): void {
  db.prepare('INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)').run(`taken-over:${run}`, by);
}

/** Who took a run over; null: nobody did. */
export function readTakenOver(db: Db, run: string): string | null {
  const query = 'SELECT value FROM settings WHERE name = ?';
  return (db.prepare(query).pluck().get(`taken-over:${run}`) as string | undefined) ?? null;
}

export function forgetTakenOver(db: Db, run: string): void {
  db.prepare('DELETE FROM settings WHERE name = ?').run(`taken-over:${run}`);
}

import { categoryOf, type CisEvent } from '../domain/event.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { RunSettings } from '../domain/run.ts';
import { takeLease, type Driver } from './lease.ts';
import type { Db } from './open.ts';

/** Writes a new run with all its tasks pending, in one transaction, held by `driver` if there is one. Refuses an id that is taken. */
export function createRun(db: Db, settings: RunSettings, driver: Driver | null = null): Result<null, 'taken'> {
  return db
    .transaction(() => {
      if (db.prepare('SELECT 1 FROM runs WHERE id = ?').get(settings.run) !== undefined) return err('taken' as const);
      insertRun(db, settings);
      insertTasks(db, settings);
      const { dag, mode, createdAt: at, run } = settings;
      const event: CisEvent = { kind: 'run-created', dag: dag.name, tasks: dag.tasks.length, mode };
      db.prepare('INSERT INTO events (run_id, category, kind, at, body) VALUES (?, ?, ?, ?, ?)').run(
        run,
        categoryOf(event.kind),
        event.kind,
        at,
        JSON.stringify(event),
      );
      db.prepare('INSERT INTO journal_cursors (run_id, seq) VALUES (?, 0)').run(run);
      db.prepare('INSERT INTO leases (run_id, epoch) VALUES (?, 0)').run(run);
      if (driver !== null) takeLease(db, run, driver, () => false);
      return ok(null);
    })
    .immediate();
}

function insertRun(db: Db, settings: RunSettings): void {
  const { run, dag, mode, room, createdAt } = settings;
  db.prepare(
    `INSERT INTO runs (id, dag_name, settings, state, state_json, mode, room, tasks, created_at)
     VALUES (?, ?, ?, 'created', '{"kind":"created"}', ?, ?, ?, ?)`,
  ).run(run, dag.name, JSON.stringify(settings), mode, room, dag.tasks.length, createdAt);
}

function insertTasks(db: Db, settings: RunSettings): void {
  const insert = db.prepare(
    `INSERT INTO tasks (run_id, task_id, position, state, state_json) VALUES (?, ?, ?, 'pending', '{"kind":"pending"}')`,
  );
  for (const [position, task] of settings.dag.tasks.entries()) insert.run(settings.run, task.id, position);
}

/** Removes a run and all that is kept of it in the database; its files are the caller's. */
export function removeRun(db: Db, run: string): void {
  db.transaction(() => {
    db.prepare('DELETE FROM events WHERE run_id = ?').run(run);
    db.prepare('DELETE FROM runs WHERE id = ?').run(run);
    db.prepare("DELETE FROM settings WHERE name = 'active-run' AND value = ?").run(run);
  }).immediate();
}

/** Makes a run the one that commands without an id mean; null forgets the choice. */
export function writeActiveRun(db: Db, run: string | null): void {
  if (run === null) db.prepare("DELETE FROM settings WHERE name = 'active-run'").run();
  else db.prepare("INSERT OR REPLACE INTO settings (name, value) VALUES ('active-run', ?)").run(run);
}

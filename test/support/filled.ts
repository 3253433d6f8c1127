import { mkdirSync } from 'node:fs';
import type { Home } from '../../src/config/home.ts';
import { categoryOf, type CisEvent } from '../../src/domain/event.ts';
import type { RunSettings, RunState } from '../../src/domain/run.ts';
import type { TaskState } from '../../src/domain/task.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';
import { startOfTime } from './runs.ts';

export interface FilledRun {
  readonly settings: RunSettings;
  readonly state: RunState;
  readonly endedAt: number | null;
  readonly tasks: Readonly<Record<string, TaskState>>;
  readonly attempts: readonly {
    readonly task: string;
    readonly attempt: number;
    readonly from: number;
    readonly to: number | null;
  }[];
  readonly events?: readonly CisEvent[];
}

/** Opens the database of a home as an executor would, to put runs into it. */
export function openFilled(home: Home): Db {
  mkdirSync(home.dir, { recursive: true, mode: 0o700 });
  const opened = openStorage(home.database);
  if (!opened.ok) throw new Error(opened.error.kind);
  return opened.value;
}

/** Writes a run as it would stand after `events`; times of attempts are ms after the start of time. */
export function fillRun(db: Db, { settings, state, endedAt, tasks, attempts, events = [] }: FilledRun): void {
  const { run, dag } = settings;
  db.transaction(() => {
    db.prepare('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      run,
      dag.name,
      JSON.stringify(settings),
      state.kind,
      JSON.stringify(state),
      settings.mode,
      settings.room,
      dag.tasks.length,
      settings.createdAt,
      startOfTime,
      endedAt,
    );
    for (const [position, { id }] of dag.tasks.entries()) {
      const task = tasks[id] ?? { kind: 'pending' };
      db.prepare('INSERT INTO tasks (run_id, task_id, position, state, state_json) VALUES (?, ?, ?, ?, ?)').run(
        run,
        id,
        position,
        task.kind,
        JSON.stringify(task),
      );
    }
    for (const { task, attempt, from, to } of attempts) {
      const session = attempt === 1 ? `${run}:${task}` : `${run}:${task}#${attempt}`;
      db.prepare(
        'INSERT INTO attempts (run_id, task_id, attempt, session_id, started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?)',
      ).run(run, task, attempt, session, startOfTime + from, to === null ? null : startOfTime + to);
    }
    for (const event of events) addEvent(db, run, event);
  })();
}

export function addEvent(db: Db, run: string, event: CisEvent): void {
  db.prepare('INSERT INTO events (run_id, category, kind, at, body) VALUES (?, ?, ?, ?, ?)').run(
    run,
    categoryOf(event.kind),
    event.kind,
    startOfTime,
    JSON.stringify(event),
  );
}

import type { CisEvent, LoggedEvent, OutputSummary } from '../domain/event.ts';
import type { RunId, SessionId, TaskId } from '../domain/ids.ts';
import type { RunMode, RunSettings, RunState } from '../domain/run.ts';
import type { SessionEnd } from '../domain/session.ts';
import type { TaskState } from '../domain/task.ts';
import type { Db } from './open.ts';

export interface RunRow {
  readonly run: RunId;
  readonly dagName: string;
  readonly state: RunState;
  readonly mode: RunMode;
  readonly room: string | null;
  readonly tasks: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface TaskRow {
  readonly task: TaskId;
  readonly position: number;
  readonly state: TaskState;
}

export interface AttemptRow {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  readonly agent: string | null;
  readonly pid: number | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly end: SessionEnd | null;
}

export interface OutputRow extends OutputSummary {
  readonly task: TaskId;
  readonly attempt: number;
  readonly text: string;
}

/** Newest first. */
export function listRuns(db: Db, limit: number): RunRow[] {
  return (db.prepare(`${RUN_COLUMNS} ORDER BY created_at DESC, rowid DESC LIMIT ?`).all(limit) as RawRun[]).map(toRun);
}

/** Every run whose id is `text` or, when there is none, starts with it. */
export function findRuns(db: Db, text: string): RunRow[] {
  const exact = db.prepare(`${RUN_COLUMNS} WHERE id = ?`).all(text) as RawRun[];
  if (exact.length > 0) return exact.map(toRun);
  const query = db.prepare(
    `${RUN_COLUMNS} WHERE substr(id, 1, length(:text)) = :text ORDER BY created_at DESC LIMIT 20`,
  );
  return (query.all({ text }) as RawRun[]).map(toRun);
}

/** Runs that have not ended, newest first. */
export function listUnfinishedRuns(db: Db): RunRow[] {
  const query = db.prepare(
    `${RUN_COLUMNS} WHERE state NOT IN ('completed', 'failed', 'aborted') ORDER BY created_at DESC, rowid DESC`,
  );
  return (query.all() as RawRun[]).map(toRun);
}

/** Grows with every run that is made; null when there is none. */
export function readNewestRun(db: Db): number | null {
  return db.prepare('SELECT max(rowid) FROM runs').pluck().get() as number | null;
}

export function readRunSettings(db: Db, run: RunId): RunSettings | null {
  const row = db.prepare('SELECT settings FROM runs WHERE id = ?').get(run) as { settings: string } | undefined;
  return row === undefined ? null : (JSON.parse(row.settings) as RunSettings);
}

/** In the order of the file. */
export function readTasks(db: Db, run: RunId): TaskRow[] {
  const query = db.prepare('SELECT task_id, position, state_json FROM tasks WHERE run_id = ? ORDER BY position');
  return (query.all(run) as { task_id: TaskId; position: number; state_json: string }[]).map((row) => ({
    task: row.task_id,
    position: row.position,
    state: JSON.parse(row.state_json) as TaskState,
  }));
}

/** Tasks that wait for a person, in the order of the file. */
export function readWaitingTasks(db: Db, run: RunId): TaskRow[] {
  const query = db.prepare(
    `SELECT task_id AS task, position, state_json FROM tasks
     WHERE run_id = ? AND state IN ('blocked', 'gated', 'undecided') ORDER BY position`,
  );
  return (query.all(run) as { task: TaskId; position: number; state_json: string }[]).map(
    ({ task, position, state_json }) => ({ task, position, state: JSON.parse(state_json) as TaskState }),
  );
}

/** How many tasks of the run are in each state. */
export function countTasks(db: Db, run: RunId): Partial<Record<TaskState['kind'], number>> {
  const query = db.prepare('SELECT state, count(*) AS n FROM tasks WHERE run_id = ? GROUP BY state');
  const rows = query.all(run) as { state: TaskState['kind']; n: number }[];
  return Object.fromEntries(rows.map((row) => [row.state, row.n]));
}

export function readAttempts(db: Db, run: RunId): AttemptRow[] {
  const query = db.prepare('SELECT * FROM attempts WHERE run_id = ? ORDER BY started_at, task_id, attempt');
  return (query.all(run) as RawAttempt[]).map(toAttempt);
}

/** The output of one attempt, of the latest one that has any when `attempt` is null. */
export function readOutput(db: Db, run: RunId, task: TaskId, attempt: number | null): OutputRow | null {
  const query = db.prepare(
    `SELECT task_id, attempt, text, bytes, cut_from, source FROM outputs
     WHERE run_id = :run AND task_id = :task AND (:attempt IS NULL OR attempt = :attempt) ORDER BY attempt DESC LIMIT 1`,
  );
  const row = query.get({ run, task, attempt }) as RawOutput | undefined;
  if (row === undefined) return null;
  return {
    task: row.task_id,
    attempt: row.attempt,
    text: row.text,
    bytes: row.bytes,
    cutFrom: row.cut_from,
    source: row.source,
  };
}

export interface ArtifactRow {
  readonly attempt: number;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The files that an attempt left, of the latest attempt that left any when `attempt` is null. */
export function readArtifacts(db: Db, run: RunId, task: TaskId, attempt: number | null): ArtifactRow[] {
  const query = db.prepare(
    `SELECT attempt, path, bytes, sha256 FROM artifacts WHERE run_id = @run AND task_id = @task
     AND attempt = coalesce(@attempt, (SELECT max(attempt) FROM artifacts WHERE run_id = @run AND task_id = @task))
     ORDER BY path`,
  );
  return query.all({ run, task, attempt }) as ArtifactRow[];
}

/** Files of a run whose hash is missing: whoever drove it died before it was made. */
export function readUnhashedArtifacts(
  db: Db,
  run: RunId,
): { task: TaskId; attempt: number; path: string; bytes: number }[] {
  const query = db.prepare(
    `SELECT task_id AS task, attempt, path, bytes FROM artifacts WHERE run_id = ? AND sha256 = ''`,
  );
  return query.all(run) as { task: TaskId; attempt: number; path: string; bytes: number }[];
}

/** Events of one run after `seq`, oldest first. */
export function readEvents(db: Db, run: RunId, after: number, limit = 1_000): LoggedEvent[] {
  const query = db.prepare(
    'SELECT seq, run_id, at, body FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?',
  );
  return (query.all(run, after, limit) as RawEvent[]).map(toEvent);
}

/** Events of all runs after `seq`, oldest first. */
export function readAllEvents(db: Db, after: number, limit = 1_000): LoggedEvent[] {
  const query = db.prepare('SELECT seq, run_id, at, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
  return (query.all(after, limit) as RawEvent[]).map(toEvent);
}

export interface Lease {
  readonly epoch: number;
  readonly pid: number | null;
  readonly pidStart: string | null;
  readonly bootId: string | null;
  readonly what: string | null;
}

export function readLease(db: Db, run: RunId): Lease | null {
  const query = db.prepare(
    'SELECT epoch, pid, pid_start AS pidStart, boot_id AS bootId, what FROM leases WHERE run_id = ?',
  );
  return (query.get(run) as Lease | undefined) ?? null;
}

/** The number of the last entry of the run's journal that the log has. */
export function readJournalCursor(db: Db, run: RunId): number {
  const row = db.prepare('SELECT seq FROM journal_cursors WHERE run_id = ?').get(run) as { seq: number } | undefined;
  return row?.seq ?? 0;
}

/** The run chosen with `dag use`, if any. */
export function readActiveRun(db: Db): RunId | null {
  const row = db.prepare("SELECT value FROM settings WHERE name = 'active-run'").get() as { value: RunId } | undefined;
  return row?.value ?? null;
}

const RUN_COLUMNS = 'SELECT id, dag_name, state_json, mode, room, tasks, created_at, started_at, ended_at FROM runs';

interface RawRun {
  readonly id: RunId;
  readonly dag_name: string;
  readonly state_json: string;
  readonly mode: RunMode;
  readonly room: string | null;
  readonly tasks: number;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
}

interface RawAttempt {
  readonly run_id: RunId;
  readonly task_id: TaskId;
  readonly attempt: number;
  readonly session_id: SessionId;
  readonly agent: string | null;
  readonly pid: number | null;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly end_json: string | null;
}

interface RawOutput {
  readonly task_id: TaskId;
  readonly attempt: number;
  readonly text: string;
  readonly bytes: number;
  readonly cut_from: number | null;
  readonly source: OutputSummary['source'];
}

interface RawEvent {
  readonly seq: number;
  readonly run_id: RunId;
  readonly at: number;
  readonly body: string;
}

function toRun(row: RawRun): RunRow {
  return {
    run: row.id,
    dagName: row.dag_name,
    state: JSON.parse(row.state_json) as RunState,
    mode: row.mode,
    room: row.room,
    tasks: row.tasks,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

function toAttempt(row: RawAttempt): AttemptRow {
  return {
    run: row.run_id,
    task: row.task_id,
    attempt: row.attempt,
    session: row.session_id,
    agent: row.agent,
    pid: row.pid,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    end: row.end_json === null ? null : (JSON.parse(row.end_json) as SessionEnd),
  };
}

function toEvent(row: RawEvent): LoggedEvent {
  return { seq: row.seq, run: row.run_id, at: row.at, event: JSON.parse(row.body) as CisEvent };
}

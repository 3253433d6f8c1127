import { categoryOf, type Amendment, type CisEvent, type LoggedEvent, type OutputSummary } from '../domain/event.ts';
import type { RunId, SessionId, TaskId } from '../domain/ids.ts';
import type { RequestOutcome } from '../domain/request.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { RunMode, RunState } from '../domain/run.ts';
import type { SessionEnd } from '../domain/session.ts';
import type { TaskState } from '../domain/task.ts';
import type { Db } from './open.ts';

/** All that happened in one turn: written together or not at all. */
export interface Batch {
  readonly events: { readonly at: number; readonly event: CisEvent }[];
  /** The states after the last of the events. */
  readonly tasks: { readonly task: TaskId; readonly state: TaskState }[];
  run: RunState | null;
  mode: { readonly mode: RunMode; readonly room: string | null } | null;
  readonly amendments: { readonly task: TaskId; readonly change: Amendment }[];
  readonly started: NewAttempt[];
  readonly pids: { readonly task: TaskId; readonly attempt: number; readonly pid: number }[];
  readonly ended: { readonly task: TaskId; readonly attempt: number; readonly at: number; readonly end: SessionEnd }[];
  readonly outputs: NewOutput[];
  readonly artifacts: ArtifactFile[];
  journalSeq: number | null;
  readonly outcomes: { readonly id: number; readonly at: number; readonly outcome: RequestOutcome }[];
}

interface NewAttempt {
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  readonly agent: string | null;
  readonly at: number;
}

export interface NewOutput extends OutputSummary {
  readonly task: TaskId;
  readonly attempt: number;
  readonly text: string;
}

export interface ArtifactFile {
  readonly task: TaskId;
  readonly attempt: number;
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  /** Known already, of what a node hashed. */
  readonly sha256?: string;
}

export function emptyBatch(): Batch {
  return {
    events: [],
    tasks: [],
    run: null,
    mode: null,
    amendments: [],
    started: [],
    pids: [],
    ended: [],
    outputs: [],
    artifacts: [],
    journalSeq: null,
    outcomes: [],
  };
}

export type WriteError =
  /** Another driver has taken the run; nothing was written. */
  | { readonly kind: 'superseded' }
  /** The disk is full or broken; nothing was written. */
  | { readonly kind: 'cannot-write'; readonly detail: string };

export interface RunWriter {
  /**
   * Writes a batch in one transaction, if the lease still has our epoch. `durable` waits for the disk: for what must not
   * happen twice, such as a start or a result; the rest survives a crash of the process, not of the machine.
   */
  write(batch: Batch, durable: boolean): Result<LoggedEvent[], WriteError>;
}

/** Opens the one writer of a run. The epoch is checked under the write lock of every transaction, so nobody can slip between. */
export function openRunWriter(db: Db, run: RunId, epoch: number): RunWriter {
  const holds = db.prepare('SELECT 1 FROM leases WHERE run_id = ? AND epoch = ? AND pid IS NOT NULL');
  const apply = prepareBatch(db, run);
  const transaction = db.transaction((batch: Batch): LoggedEvent[] | null => {
    return holds.get(run, epoch) === undefined ? null : apply(batch);
  });
  let isDurable = true;
  return {
    write(batch, durable) {
      try {
        if (durable !== isDurable) db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
        isDurable = durable;
        const logged = transaction.immediate(batch);
        return logged === null ? err({ kind: 'superseded' }) : ok(logged);
      } catch (error) {
        if (!isDiskTrouble(error)) throw error;
        return err({ kind: 'cannot-write', detail: error.message });
      }
    },
  };
}

function isDiskTrouble(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY)/.test(code);
}

function prepareBatch(db: Db, run: RunId): (batch: Batch) => LoggedEvent[] {
  const event = db.prepare('INSERT INTO events (run_id, category, kind, at, body) VALUES (?, ?, ?, ?, ?)');
  const task = db.prepare('UPDATE tasks SET state = ?, state_json = ? WHERE run_id = ? AND task_id = ?');
  const started = db.prepare(
    'INSERT INTO attempts (run_id, task_id, attempt, session_id, agent, started_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const pid = db.prepare('UPDATE attempts SET pid = ? WHERE run_id = ? AND task_id = ? AND attempt = ?');
  const ended = db.prepare(
    'UPDATE attempts SET ended_at = ?, end_json = ? WHERE run_id = ? AND task_id = ? AND attempt = ?',
  );
  const output = db.prepare(
    `INSERT OR REPLACE INTO outputs (run_id, task_id, attempt, text, bytes, cut_from, source)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const cursor = db.prepare('UPDATE journal_cursors SET seq = ? WHERE run_id = ?');
  return (batch) => {
    for (const one of batch.started) started.run(run, one.task, one.attempt, one.session, one.agent, one.at);
    for (const one of batch.pids) pid.run(one.pid, run, one.task, one.attempt);
    for (const one of batch.ended) ended.run(one.at, JSON.stringify(one.end), run, one.task, one.attempt);
    for (const one of batch.outputs) {
      output.run(run, one.task, one.attempt, one.text, one.bytes, one.cutFrom, one.source);
    }
    for (const one of batch.tasks) task.run(one.state.kind, JSON.stringify(one.state), run, one.task);
    if (batch.journalSeq !== null) cursor.run(batch.journalSeq, run);
    applyRare(db, run, batch);
    return batch.events.map((one) => {
      const { kind } = one.event;
      const info = event.run(run, categoryOf(kind), kind, one.at, JSON.stringify(one.event));
      return { seq: Number(info.lastInsertRowid), run, at: one.at, event: one.event };
    });
  };
}

/** The SHA-256 of a file that is still to be hashed. */
export const unhashed = '';

/** Writes the hash of a file that a task left; one that cannot be read any more is said to be `unreadable`. */
export function writeArtifactHash(
  db: Db,
  run: RunId,
  { task, attempt, path, sha256 }: Omit<ArtifactFile, 'bytes' | 'sha256'> & { readonly sha256: string | null },
): void {
  db.prepare('UPDATE artifacts SET sha256 = ? WHERE run_id = ? AND task_id = ? AND attempt = ? AND path = ?').run(
    sha256 ?? 'unreadable',
    run,
    task,
    attempt,
    path,
  );
}

/** The parts that few batches have: their statements are prepared when they are needed. */
function applyRare(db: Db, run: RunId, batch: Batch): void {
  if (batch.run !== null) applyRunState(db, run, batch);
  if (batch.mode !== null) {
    db.prepare('UPDATE runs SET mode = ?, room = ? WHERE id = ?').run(batch.mode.mode, batch.mode.room, run);
  }
  for (const one of batch.amendments) {
    db.prepare(
      `UPDATE tasks SET amendments = json_insert(amendments, '$[#]', json(?)) WHERE run_id = ? AND task_id = ?`,
    ).run(JSON.stringify(one.change), run, one.task);
  }
  if (batch.artifacts.length > 0) {
    const artifact = db.prepare('INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?, ?)');
    for (const one of batch.artifacts)
      artifact.run(run, one.task, one.attempt, one.path, one.bytes, one.sha256 ?? unhashed);
  }
  for (const one of batch.outcomes) {
    db.prepare('UPDATE requests SET outcome = ?, decided_at = ? WHERE id = ?').run(
      JSON.stringify(one.outcome),
      one.at,
      one.id,
    );
  }
}

function applyRunState(db: Db, run: RunId, batch: Batch): void {
  if (batch.run === null) return;
  const startedAt = batch.events.find((one) => one.event.kind === 'run-started')?.at ?? null;
  const endedAt = 'endedAt' in batch.run ? batch.run.endedAt : null;
  db.prepare(
    `UPDATE runs SET state = ?, state_json = ?, started_at = coalesce(started_at, ?), ended_at = ? WHERE id = ?`,
  ).run(batch.run.kind, JSON.stringify(batch.run), startedAt, endedAt, run);
}

import type { RunId, TaskId } from '../domain/ids.ts';
import type { RoomPlace } from '../domain/room.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/** A run that a room follows, and how far the room is. */
export interface BridgeRun {
  readonly run: RunId;
  readonly wanted: string;
  readonly place: RoomPlace | null;
  readonly seq: number;
  readonly card: number | null;
  readonly shown: string | null;
  readonly lastRow: number | null;
  readonly closed: boolean;
  readonly problem: string | null;
}

interface RawRun {
  run_id: RunId;
  wanted: string;
  place: string | null;
  seq: number;
  card: number | null;
  shown: string | null;
  last_row: number | null;
  closed: number;
  problem: string | null;
}

/**
 * Takes up runs that were told to be followed since the last look. One that began in another mode is followed from now on: the room
 * gets how it stands, not its history.
 */
export function adoptRuns(db: Db): void {
  const adopt = db.transaction(() => {
    // A run that goes to another room starts there with a card of its own.
    db.prepare(
      `DELETE FROM bridge_runs WHERE run_id IN (SELECT r.id FROM runs r JOIN bridge_runs b ON b.run_id = r.id
       WHERE r.mode != 'local' AND r.room != b.wanted)`,
    ).run();
    db.prepare(
      `UPDATE bridge_runs SET closed = 0 WHERE closed = 1 AND run_id IN
       (SELECT id FROM runs WHERE mode != 'local' AND state NOT IN ('completed', 'failed', 'aborted'))`,
    ).run();
    db.prepare(
      `INSERT INTO bridge_runs (run_id, wanted, seq)
       SELECT id, room, CASE WHEN json_extract(settings, '$.mode') != 'local' AND json_extract(settings, '$.room') = room THEN 0
         ELSE (SELECT coalesce(max(seq), 0) FROM events WHERE run_id = id) END
       FROM runs WHERE mode != 'local' AND room IS NOT NULL AND id NOT IN (SELECT run_id FROM bridge_runs)`,
    ).run();
  });
  adopt.immediate();
}

/**
 * What the log has after `after`: its newest event, and whether one of them is about a run itself, without which no run can be new to a
 * room. For every commit: the table of runs, whose rows hold whole DAGs, is not read.
 */
export function readNews(db: Db, after: number): { readonly seq: number; readonly isAboutRuns: boolean } {
  const query = `SELECT coalesce(max(seq), ?) AS seq, coalesce(max(category = 'run'), 0) AS runs FROM events WHERE seq > ?`;
  const { seq, runs } = db.prepare(query).get(after, after) as { seq: number; runs: number };
  return { seq, isAboutRuns: runs === 1 };
}

/** Whether there are runs to take up. */
export function hasNewRuns(db: Db): boolean {
  const query = `SELECT 1 FROM runs r LEFT JOIN bridge_runs b ON b.run_id = r.id WHERE r.mode != 'local' AND r.room IS NOT NULL
    AND (b.run_id IS NULL OR r.room != b.wanted OR (b.closed = 1 AND r.state NOT IN ('completed', 'failed', 'aborted'))) LIMIT 1`;
  return db.prepare(query).get() !== undefined;
}

/** Runs that the room does not have to their end yet, oldest first. */
export function listOpenBridgeRuns(db: Db): BridgeRun[] {
  const query = `SELECT b.* FROM bridge_runs b JOIN runs r ON r.id = b.run_id WHERE b.closed = 0 ORDER BY r.created_at`;
  return (db.prepare(query).all() as RawRun[]).map(toRun);
}

/** Runs of a room, newest first. */
export function listRunsOfRoom(db: Db, room: string, limit: number): RunId[] {
  const query = `SELECT b.run_id FROM bridge_runs b JOIN runs r ON r.id = b.run_id
    WHERE json_extract(b.place, '$.room') = ? ORDER BY r.created_at DESC LIMIT ?`;
  return db.prepare(query).pluck().all(room, limit) as RunId[];
}

export function readBridgeRun(db: Db, run: RunId): BridgeRun | null {
  const row = db.prepare('SELECT * FROM bridge_runs WHERE run_id = ?').get(run) as RawRun | undefined;
  return row === undefined ? null : toRun(row);
}

export function writePlace(db: Db, run: RunId, place: RoomPlace): void {
  db.prepare('UPDATE bridge_runs SET place = ?, problem = NULL WHERE run_id = ?').run(toJson(place), run);
}

/** What the homeserver said about a room when a run was in it last; null when none was, or it could not be used since. */
export function findPlace(db: Db, wanted: string): RoomPlace | null {
  const query = `SELECT b.place, b.problem FROM bridge_runs b JOIN runs r ON r.id = b.run_id WHERE b.wanted = ?
    AND (b.place IS NOT NULL OR b.problem IS NOT NULL) ORDER BY r.created_at DESC LIMIT 1`;
  const row = db.prepare(query).get(wanted) as Pick<RawRun, 'place' | 'problem'> | undefined;
  return row === undefined || row.place === null || row.problem !== null ? null : fromJson(row.place);
}

/**
 * The runs of a room that was replaced by another one begin anew there: with a card of how they stand and the questions that are open.
 * What waited to be sent to the old room is in that already.
 */
export function leaveRoom(db: Db, room: string, words: string): void {
  const runs = db
    .prepare(
      `SELECT run_id FROM bridge_runs WHERE json_extract(place, '$.room') = @room AND (closed = 0 OR EXISTS
         (SELECT 1 FROM outbox o WHERE o.state = 'waiting' AND o.room = @room AND o.id BETWEEN card AND last_row))`,
    )
    .pluck()
    .all({ room }) as RunId[];
  for (const run of runs) {
    db.prepare(
      `UPDATE bridge_runs SET place = NULL, card = NULL, shown = NULL, last_row = NULL, closed = 0, problem = NULL,
         seq = (SELECT coalesce(max(seq), 0) FROM events WHERE run_id = @run) WHERE run_id = @run`,
    ).run({ run });
    db.prepare('UPDATE bridge_questions SET outcome = ? WHERE run_id = ? AND outcome IS NULL').run(words, run);
  }
  db.prepare(`DELETE FROM outbox WHERE state = 'waiting' AND room = ?`).run(room);
}

/** Notes, for the runs that a room does not have to their end, why it cannot be used; null: it can be used again. */
export function writeRoomProblem(db: Db, room: string, problem: string | null): void {
  db.prepare(
    `UPDATE bridge_runs SET problem = @problem WHERE problem IS NOT @problem
     AND @room IN (json_extract(place, '$.room'), json_extract(place, '$.machineRoom')) AND (@problem IS NULL OR closed = 0
       OR EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting' AND outbox.room = @room))`,
  ).run({ room, problem });
}

/** Whether anything can be sent now: it waits, and its room is not known to refuse it. */
export function isAnythingToSend(db: Db): boolean {
  const query = `SELECT 1 FROM outbox o WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM bridge_runs b
    WHERE b.problem IS NOT NULL AND o.room IN (json_extract(b.place, '$.room'), json_extract(b.place, '$.machineRoom'))) LIMIT 1`;
  return db.prepare(query).get() !== undefined;
}

export function writeBridgeProblem(db: Db, run: RunId, problem: string): void {
  db.prepare('UPDATE bridge_runs SET problem = @problem WHERE run_id = @run AND problem IS NOT @problem').run({
    run,
    problem,
  });
}

/** Keeps how far the room is; call it in the transaction that fills the outbox. */
export function writeProgress(
  db: Db,
  { run, seq, card, shown, lastRow, closed }: Omit<BridgeRun, 'wanted' | 'place' | 'problem'>,
): void {
  db.prepare('UPDATE bridge_runs SET seq = ?, card = ?, shown = ?, last_row = ?, closed = ? WHERE run_id = ?').run(
    seq,
    card,
    shown,
    lastRow,
    closed ? 1 : 0,
    run,
  );
}

/** Whether anything but questions and their outcomes waits to be sent up to this row. */
export function isRoundWaiting(db: Db, { room, machineRoom }: RoomPlace, lastRow: number): boolean {
  const query = `SELECT 1 FROM outbox WHERE state = 'waiting' AND room IN (?, ?) AND id <= ?
    AND lane NOT IN ('question', 'outcome') LIMIT 1`;
  return db.prepare(query).get(room, machineRoom ?? room, lastRow) !== undefined;
}

/** How many events wait to be sent to the rooms of a run. */
export function countWaiting(db: Db, { room, machineRoom }: RoomPlace): number {
  const query = `SELECT count(*) AS n FROM outbox WHERE state = 'waiting' AND room IN (?, ?)`;
  return (db.prepare(query).get(room, machineRoom ?? room) as { n: number }).n;
}

/** Whether anything of ours waits to be sent to the room, so that its event id is not known yet. */
export function isRoomWaiting(db: Db, room: string): boolean {
  return db.prepare(`SELECT 1 FROM outbox WHERE state = 'waiting' AND room = ? LIMIT 1`).get(room) !== undefined;
}

/** Rooms in which runs are followed. */
export function listRoomsOfRuns(db: Db): string[] {
  const query = `SELECT DISTINCT json_extract(place, '$.room') FROM bridge_runs WHERE place IS NOT NULL`;
  return db.prepare(query).pluck().all() as string[];
}

/** The run whose card is this row of the outbox. */
export function findRunOfCard(db: Db, row: number): RunId | null {
  return (db.prepare('SELECT run_id FROM bridge_runs WHERE card = ?').pluck().get(row) as RunId | undefined) ?? null;
}

export interface QuestionRow {
  /** The row of the message that asks. */
  readonly row: number;
  /** Its place among the questions of that message, from 0. */
  readonly position: number;
  readonly run: RunId;
  readonly asked: string;
  readonly body: object;
  /** What came of it, in words; null while it is open. */
  readonly outcome: string | null;
}

interface RawQuestion {
  outbox_row: number;
  position: number;
  run_id: RunId;
  asked: string;
  body: string;
  outcome: string | null;
}

export function insertQuestion(db: Db, { row, position, run, asked, body }: Omit<QuestionRow, 'outcome'>): void {
  const insert = db.prepare(
    'INSERT INTO bridge_questions (outbox_row, position, run_id, asked, body) VALUES (?, ?, ?, ?, ?)',
  );
  insert.run(row, position, run, asked, toJson(body));
}

export function listOpenQuestions(db: Db, run: RunId): QuestionRow[] {
  const query = 'SELECT * FROM bridge_questions WHERE run_id = ? AND outcome IS NULL ORDER BY outbox_row, position';
  return (db.prepare(query).all(run) as RawQuestion[]).map(toQuestion);
}

/** The questions that the row of the outbox asked, in their order; none: it asked none. */
export function findQuestions(db: Db, row: number): QuestionRow[] {
  const query = 'SELECT * FROM bridge_questions WHERE outbox_row = ? ORDER BY position';
  return (db.prepare(query).all(row) as RawQuestion[]).map(toQuestion);
}

export function closeQuestion(db: Db, { row, position }: QuestionRow, outcome: string): void {
  db.prepare('UPDATE bridge_questions SET outcome = ? WHERE outbox_row = ? AND position = ?').run(
    outcome,
    row,
    position,
  );
}

/** Whether a message of the run that asks something waits to be sent. */
export function isQuestionWaiting(db: Db, run: RunId): boolean {
  const query = `SELECT 1 FROM bridge_questions q JOIN outbox o ON o.id = q.outbox_row
    WHERE q.run_id = ? AND q.outcome IS NULL AND o.state = 'waiting' LIMIT 1`;
  return db.prepare(query).get(run) !== undefined;
}

/** Keeps that somebody wants to be told how the run ends; false: that was known. */
export function addListener(db: Db, run: RunId, user: string): boolean {
  const insert = db.prepare('INSERT INTO bridge_listeners (run_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING');
  return insert.run(run, user).changes > 0;
}

export function listListeners(db: Db, run: RunId): string[] {
  return db.prepare('SELECT user_id FROM bridge_listeners WHERE run_id = ?').pluck().all(run) as string[];
}

/** An output that waits to be uploaded. */
export interface FileRow {
  readonly id: number;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  /** The row of the outbox whose thread it goes to, and its room; null when that is gone. */
  readonly card: number;
  readonly room: string | null;
}

export function insertFile(db: Db, { run, task, attempt, card }: Omit<FileRow, 'id' | 'room'>): void {
  const insert = db.prepare('INSERT INTO bridge_files (run_id, task_id, attempt, card) VALUES (?, ?, ?, ?)');
  insert.run(run, task, attempt, card);
}

/** The first output that waits. */
export function nextFile(db: Db): FileRow | null {
  const query = `SELECT f.id, f.run_id AS run, f.task_id AS task, f.attempt, f.card, o.room FROM bridge_files f
    LEFT JOIN outbox o ON o.id = f.card ORDER BY f.id LIMIT 1`;
  return (db.prepare(query).get() as FileRow | undefined) ?? null;
}

export function hasFiles(db: Db, run: RunId): boolean {
  return db.prepare('SELECT 1 FROM bridge_files WHERE run_id = ? LIMIT 1').get(run) !== undefined;
}

export function deleteFile(db: Db, id: number): void {
  db.prepare('DELETE FROM bridge_files WHERE id = ?').run(id);
}

export interface InboxRow {
  readonly eventId: string;
  readonly room: string;
  readonly sender: string;
  readonly at: number;
  readonly body: object;
}

/** Keeps what somebody said; what is there already stays as it is. */
export function putIntoInbox(db: Db, { eventId, room, sender, at, body }: InboxRow): void {
  // After those that wait already, whatever the clock says: of two answers the first one counts.
  const insert = db.prepare(
    `INSERT INTO bridge_inbox (event_id, room, sender, at, body)
     VALUES (?, ?, ?, max(?, coalesce((SELECT max(at) + 1 FROM bridge_inbox WHERE verdict IS NULL), 0)), ?) ON CONFLICT DO NOTHING`,
  );
  insert.run(eventId, room, sender, at, toJson(body));
}

/** What nobody has looked at yet, oldest first. */
export function listInbox(db: Db): InboxRow[] {
  const query =
    'SELECT event_id AS eventId, room, sender, at, body FROM bridge_inbox WHERE verdict IS NULL ORDER BY at';
  const rows = db.prepare(query).all() as (Omit<InboxRow, 'body'> & { body: string })[];
  return rows.map((row) => ({ ...row, body: fromJson(row.body) }));
}

export function writeVerdict(db: Db, eventId: string, verdict: string): void {
  db.prepare('UPDATE bridge_inbox SET verdict = ? WHERE event_id = ?').run(verdict, eventId);
}

/** How the verdict begins on what could not be dealt with; the rest says why. */
export const failedVerdict = 'failed: ';

export interface FailedRow {
  readonly eventId: string;
  readonly room: string;
  readonly sender: string;
  readonly at: number;
  readonly reason: string;
}

/** What somebody said and we failed at, the newest first; it is forgotten with the rest of the inbox. */
export function listFailed(db: Db, limit: number): FailedRow[] {
  const query = `SELECT event_id AS eventId, room, sender, at, substr(verdict, ?) AS reason FROM bridge_inbox
    WHERE substr(verdict, 1, ?) = ? ORDER BY at DESC LIMIT ?`;
  const { length } = failedVerdict;
  return db.prepare(query).all(length + 1, length, failedVerdict, limit) as FailedRow[];
}

/** Whether this sender got this verdict in this room since `since`. */
export function hadVerdict(db: Db, room: string, sender: string, verdict: string, since: number): boolean {
  const query = 'SELECT 1 FROM bridge_inbox WHERE room = ? AND sender = ? AND verdict = ? AND at >= ?';
  return db.prepare(query).get(room, sender, verdict, since) !== undefined;
}

/** Drops what was dealt with before `before`. */
export function pruneInbox(db: Db, before: number): void {
  db.prepare('DELETE FROM bridge_inbox WHERE verdict IS NOT NULL AND at < ?').run(before);
}

/** The newest event of a run. */
export function lastSeq(db: Db, run: RunId): number {
  const row = db.prepare('SELECT coalesce(max(seq), 0) AS seq FROM events WHERE run_id = ?').get(run) as {
    seq: number;
  };
  return row.seq;
}

function toRun(row: RawRun): BridgeRun {
  return {
    run: row.run_id,
    wanted: row.wanted,
    place: row.place === null ? null : fromJson(row.place),
    seq: row.seq,
    card: row.card,
    shown: row.shown,
    lastRow: row.last_row,
    closed: row.closed === 1,
    problem: row.problem,
  };
}

function toQuestion(row: RawQuestion): QuestionRow {
  return {
    row: row.outbox_row,
    position: row.position,
    run: row.run_id,
    asked: row.asked,
    body: fromJson(row.body),
    outcome: row.outcome,
  };
}

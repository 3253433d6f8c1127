import type { Answer, AnswerSource } from '../domain/block.ts';
import type { RunId, TaskId } from '../domain/ids.ts';
import type { RequestOutcome, RunRequest } from '../domain/request.ts';
import type { Db } from './open.ts';

export interface OpenRequest {
  readonly id: number;
  readonly by: string;
  readonly request: RunRequest;
}

/** Writes a wish; whoever drives the run must then be woken. Returns its id. */
export function insertRequest(db: Db, run: RunId, request: RunRequest, source: AnswerSource, at: number): number {
  const insert = db.prepare('INSERT INTO requests (run_id, at, by, via, body) VALUES (?, ?, ?, ?, ?)');
  return Number(insert.run(run, at, source.by, source.via, JSON.stringify(request)).lastInsertRowid);
}

/** Wishes of the run that nobody has decided yet, oldest first. */
export function readOpenRequests(db: Db, run: RunId): OpenRequest[] {
  const query = db.prepare('SELECT id, by, body FROM requests WHERE run_id = ? AND outcome IS NULL ORDER BY id');
  return (query.all(run) as { id: number; by: string; body: string }[]).map((row) => ({
    id: row.id,
    by: row.by,
    request: JSON.parse(row.body) as RunRequest,
  }));
}

/** What became of a wish; null while it is open. */
export function readOutcome(db: Db, id: number): RequestOutcome | null {
  const row = db.prepare('SELECT outcome FROM requests WHERE id = ?').get(id) as { outcome: string | null } | undefined;
  return row?.outcome ? (JSON.parse(row.outcome) as RequestOutcome) : null;
}

/** What the log and the wishes say of a question: how its session was answered, and the last wish about its task that was granted. */
export interface AnswersOf {
  readonly unblocked: { readonly answer: Answer | null; readonly source: AnswerSource } | null;
  readonly request: { readonly request: RunRequest; readonly by: string; readonly via: string } | null;
}

export function readAnswersOf(db: Db, run: RunId, task: TaskId, block: string): AnswersOf {
  const event = db
    .prepare(
      `SELECT body FROM events WHERE run_id = ? AND kind = 'session-unblocked' AND json_extract(body, '$.block') = ?
       ORDER BY seq DESC LIMIT 1`,
    )
    .get(run, block) as { body: string } | undefined;
  const wish = db
    .prepare(
      `SELECT by, via, body FROM requests WHERE run_id = ? AND json_extract(body, '$.task') = ?
       AND json_extract(outcome, '$.kind') = 'done' ORDER BY id DESC LIMIT 1`,
    )
    .get(run, task) as { by: string; via: string; body: string } | undefined;
  return {
    unblocked: event === undefined ? null : (JSON.parse(event.body) as NonNullable<AnswersOf['unblocked']>),
    request: wish === undefined ? null : { by: wish.by, via: wish.via, request: JSON.parse(wish.body) as RunRequest },
  };
}

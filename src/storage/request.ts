import type { AnswerSource } from '../domain/block.ts';
import type { RunId } from '../domain/ids.ts';
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

import { err, ok, type Result } from './result.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** One execution of a DAG: `brave-otter-4f2a`, or what the user gave. */
export type RunId = Branded<'RunId'>;
/** One vertex of a DAG. */
export type TaskId = Branded<'TaskId'>;
/** One PTY process: `RUN:TASK` for the first attempt, `RUN:TASK#2` for later ones. */
export type SessionId = Branded<'SessionId'>;
/** One episode of waiting for a person: `SESSION!N`. */
export type BlockId = Branded<'BlockId'>;

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const TASK_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const SESSION_ID = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63}):([A-Za-z0-9_][A-Za-z0-9._-]{0,110})(?:#([1-9][0-9]{0,5}))?$/;

export function parseRunId(text: string): Result<RunId, string> {
  if (RUN_ID.test(text)) return ok(text as RunId);
  return err(`"${text}" is not a run id: letters, digits, _ and -, at most 64, starting with a letter or digit`);
}

export function parseTaskId(text: string): Result<TaskId, string> {
  if (TASK_ID.test(text)) return ok(text as TaskId);
  return err(`"${text}" is not a task id: letters, digits, . _ and -, at most 100, starting with a letter, digit or _`);
}

export function sessionId(run: RunId, task: TaskId, attempt: number): SessionId {
  return (attempt === 1 ? `${run}:${task}` : `${run}:${task}#${attempt}`) as SessionId;
}

export interface SessionParts {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
}

export function parseSessionId(text: string): Result<SessionParts, string> {
  const match = SESSION_ID.exec(text);
  if (match === null) return err(`"${text}" is not a session id: RUN:TASK or RUN:TASK#ATTEMPT`);
  return ok({ run: match[1] as RunId, task: match[2] as TaskId, attempt: Number(match[3] ?? 1) });
}

export function blockId(session: SessionId, number: number): BlockId {
  return `${session}!${number}` as BlockId;
}

/** The session that a block belongs to. */
export function sessionOfBlock(block: BlockId): SessionId {
  return block.slice(0, block.lastIndexOf('!')) as SessionId;
}

/** The session in which the `index`-th (from 1) rollback command of a task runs; the ending is reserved in DAG files. */
export function rollbackTaskId(task: TaskId, index: number): TaskId {
  return `${task}.rollback-${index}` as TaskId;
}

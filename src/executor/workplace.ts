import type { CloseStep } from '../agents/profile.ts';
import type { Task } from '../domain/dag.ts';
import type { NodeEvent } from '../domain/event.ts';
import type { SessionId } from '../domain/ids.ts';
import type { Result } from '../domain/result.ts';
import type { KillCause, SessionEnd } from '../domain/session.ts';
import type { ConnectError } from '../host/port.ts';
import type { JournalEntry } from '../host/protocol.ts';
import type { ArtifactFile } from '../storage/write.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';
import type { Committed } from '../worktree/commit.ts';
import type { Workspaces } from './workspaces.ts';

/**
 * Where the sessions of a run live: the host of this home, or the nodes of a room. The driver says what runs and what it means;
 * a workplace starts sessions, ends them, and tells what happens to them as entries of a journal that outlives this process.
 */
export interface Workplace {
  /** The worktrees that the driver makes, with what dependencies left merged in them, before it asks for a session. */
  readonly workspaces: Workspaces;
  /** Takes what a task with a worktree committed; it counts as done only then. */
  commit(task: Task, attempt: number): Promise<Result<Committed, string>>;
  connect(listeners: WorkplaceListeners, after: number): Promise<Result<WorkplaceConnection, ConnectError>>;
  /** What an attempt left that has ended. `message`: what its agent's hook said last. */
  leavings(task: Task, attempt: number, end: SessionEnd, message: string | null): Leavings;
}

export interface WorkplaceListeners {
  /** Entries after the one that was named, those there are first. */
  readonly entry: (entry: JournalEntry) => void;
  /** Something worth a line of the log that changes no task. */
  readonly note: (event: NodeEvent) => void;
  /** An attempt that was taken for lost is known again; what became of it comes as entries. */
  readonly found: (session: SessionId) => void;
  /** Something about the run changed in the database. */
  readonly poke: () => void;
  /** A session that was asked for did not start. */
  readonly refused: (session: SessionId, reason: string) => void;
  /** What must be kept cannot be written: nothing more is done. */
  readonly failed: (detail: string) => void;
  /** Somebody else drives the run by now; `by`: where, when it is no process of this home. */
  readonly superseded: (by?: string) => void;
}

export interface WorkplaceConnection extends Disposable {
  /** Resolves when it is gone while we live. */
  readonly closed: Promise<void>;
  /** Tells whoever drove the run before, or waits for its outcome, to look. */
  poke(): void;
  /** What is known of the sessions of the run; null when it is gone meanwhile. */
  survey(): Promise<Survey | null>;
  /** Starts an attempt; an error says at once why it cannot. */
  start(task: Task, attempt: number, session: SessionId, context: Context): Result<null, string>;
  startRollback(task: Task, index: number, attempt: number, session: SessionId): void;
  kill(session: SessionId, cause: KillCause): void;
  /** Types what ends a program in its own way, until `ended` resolves or nothing is left to type. */
  close(session: SessionId, steps: readonly CloseStep[], ended: Promise<void>): Promise<void>;
}

export interface Survey {
  /** The whole journal of the run. */
  readonly entries: readonly JournalEntry[];
  readonly living: ReadonlySet<SessionId>;
  /** Sessions that were asked for before this instant, and of which nothing is known, certainly did not start. */
  readonly knowsFrom: number;
  readonly unsent: ReadonlySet<SessionId>;
}

export interface Leavings {
  readonly output: Output;
  readonly artifacts: readonly ArtifactFile[];
}

import type { Answer, AnswerSource, Block } from '../domain/block.ts';
import type { AnswerRule } from '../domain/dag.ts';
import type { HookReport } from '../domain/hook.ts';
import type { BlockId, RunId, SessionId } from '../domain/ids.ts';
import type { KillCause, SessionEnd, SessionState } from '../domain/session.ts';

/**
 * What is said on `run/host-vN.sock`. A frame is a 4-byte big-endian length, one byte of type, and the payload:
 * type 0 is one JSON message of the unions below, type 1 is raw terminal bytes behind a 4-byte attachment number.
 * N is the major version: it changes when an older peer would misread something. What is added within a major is optional.
 */
export const protocolMajor = 1;

/** Client → host. Each request is answered by one `reply` with its `id`. */
export type Request = { readonly id: number } & RequestBody;

export type RequestBody =
  | { readonly kind: 'hello'; readonly version: string; readonly what: string }
  /** The environment every later spawn on this connection starts from: the executor's own. Never written to disk. */
  | { readonly kind: 'environment'; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: 'spawn'; readonly spawn: SpawnRequest }
  | { readonly kind: 'list'; readonly run: RunId | null }
  /** Journal entries of the run after `after`, those on disk first, then as they happen; ends with the connection. */
  | { readonly kind: 'follow'; readonly run: RunId; readonly after: number }
  /** Wakes whoever follows the run: something about it changed in the database. */
  | { readonly kind: 'poke'; readonly run: RunId }
  | { readonly kind: 'attach'; readonly attach: AttachRequest }
  | { readonly kind: 'detach'; readonly attachment: number }
  | { readonly kind: 'resize'; readonly attachment: number; readonly cols: number; readonly rows: number }
  /** Sends the whole screen again, as `attach` did. */
  | { readonly kind: 'repaint'; readonly attachment: number }
  /** Bytes for the session without attaching. */
  | { readonly kind: 'write'; readonly session: SessionId; readonly base64: string }
  | { readonly kind: 'screen'; readonly session: SessionId }
  /** `graceMs` after the polite signal comes SIGKILL; null sends just `signal` and waits for nothing. */
  | {
      readonly kind: 'kill';
      readonly session: SessionId;
      readonly signal: string;
      readonly graceMs: number | null;
      readonly cause: KillCause;
    }
  | {
      readonly kind: 'answer';
      readonly block: BlockId;
      readonly fingerprint: string;
      readonly answer: Answer;
      readonly source: AnswerSource;
    }
  /** Why a session is taken for what it is. */
  | { readonly kind: 'why'; readonly session: SessionId }
  /** From `cis hook` inside a session, which is known by the token it was spawned with. */
  | { readonly kind: 'hook'; readonly token: string; readonly report: HookReport }
  | { readonly kind: 'status' }
  | { readonly kind: 'stop'; readonly force: boolean };

export interface SpawnRequest {
  readonly session: SessionId;
  readonly run: RunId;
  /** The driver's lease epoch; a spawn with an older one than the host has seen for the run is refused. */
  readonly epoch: number;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  /** On top of the connection's environment; null removes a variable. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly cols: number;
  readonly rows: number;
  /** Set when the session is an agent's: which rules read its screen, and by which token its hooks are known. */
  readonly agent?: SpawnedAgent;
  /** Questions that are answered without a person, by explicit rules of the config or the task. */
  readonly answers?: readonly AnswerRule[];
  /** A limit whose end is shown is waited for, and no person asked (`on_rate_limit = "wait"`). */
  readonly waitsForLimits?: boolean;
  readonly recording: { readonly path: string; readonly maxBytes: number; readonly title: string };
}

export interface SpawnedAgent {
  readonly name: string;
  /** The name of its screen rules. */
  readonly screen: string;
  /** Random, of this session alone; the program has it as `CIS_HOOK_TOKEN`. Absent: it has no hooks. */
  readonly hookToken?: string;
  /** `[[agents.NAME.rules]]` of the config as they stand there; they go before those that cis knows. */
  readonly rules?: unknown;
  /** What is typed to make it go on after a limit has ended. */
  readonly goOn?: string;
  /** How choices are selected on its screens. */
  readonly answering?: { readonly axis: 'vertical' | 'horizontal'; readonly digits: boolean };
}

export interface AttachRequest {
  readonly session: SessionId;
  readonly cols: number;
  readonly rows: number;
  readonly readonly: boolean;
  /** Takes the keyboard from whoever has it. */
  readonly force: boolean;
}

/** Host → client. */
export type Message =
  | { readonly kind: 'reply'; readonly id: number; readonly ok: true; readonly value: ReplyValue }
  | { readonly kind: 'reply'; readonly id: number; readonly ok: false; readonly error: HostError }
  | { readonly kind: 'journal'; readonly run: RunId; readonly entry: JournalEntry }
  | { readonly kind: 'poke'; readonly run: RunId }
  /** The attachment ended: the session did, somebody took it over with `--force`, or the host stops. */
  | { readonly kind: 'attachment-ended'; readonly attachment: number; readonly reason: AttachmentEnd };

export type AttachmentEnd =
  | { readonly kind: 'session-ended'; readonly end: SessionEnd }
  | { readonly kind: 'taken-over'; readonly by: string }
  | { readonly kind: 'detached' };

export type ReplyValue =
  | { readonly kind: 'done' }
  | { readonly kind: 'hello'; readonly version: string; readonly pid: number; readonly startedAt: number }
  | { readonly kind: 'spawned'; readonly pid: number }
  | { readonly kind: 'sessions'; readonly sessions: readonly HostedSession[] }
  | { readonly kind: 'attached'; readonly attachment: number; readonly writer: boolean; readonly repaint: string }
  | { readonly kind: 'screen'; readonly screen: ScreenText }
  | { readonly kind: 'why'; readonly why: Why }
  | { readonly kind: 'status'; readonly status: HostStatus };

export type HostError =
  | { readonly kind: 'unknown-session'; readonly session: SessionId }
  | { readonly kind: 'session-exists'; readonly session: SessionId }
  | { readonly kind: 'session-ended'; readonly session: SessionId; readonly end: SessionEnd }
  | { readonly kind: 'old-epoch'; readonly run: RunId; readonly epoch: number; readonly seen: number }
  | { readonly kind: 'not-started'; readonly reason: string }
  | { readonly kind: 'sessions-alive'; readonly sessions: readonly SessionId[] }
  | { readonly kind: 'block-gone'; readonly block: BlockId }
  | { readonly kind: 'already-answered'; readonly block: BlockId; readonly source: AnswerSource }
  | { readonly kind: 'person-typing'; readonly session: SessionId }
  | { readonly kind: 'answer-not-taken'; readonly block: BlockId; readonly detail: string }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'bad-request'; readonly detail: string };

export interface HostedSession {
  readonly session: SessionId;
  readonly run: RunId;
  readonly state: SessionState;
  readonly startedAt: number;
  readonly lastOutputAt: number | null;
  readonly title: string;
  readonly cols: number;
  readonly rows: number;
  readonly attachments: readonly { readonly who: string; readonly writer: boolean }[];
}

export interface ScreenText {
  readonly lines: readonly string[];
  readonly cursor: { readonly row: number; readonly col: number; readonly visible: boolean };
  readonly title: string;
}

/** What the monitor holds of a session, with its evidence. */
export interface Why {
  readonly verdict: VerdictNote;
  readonly block: Block | null;
  /** What the rules say of the screen at this moment. */
  readonly judged: { readonly state: string; readonly rule: string; readonly evidence: string };
  /** The rows that were judged: the last ones with text. */
  readonly screen: readonly string[];
  readonly kernel: { readonly foreground: string; readonly program: string | null } | null;
  readonly hook: { readonly state: string; readonly rule: string; readonly at: number } | null;
  readonly lastOutputAt: number | null;
  /** Oldest first. */
  readonly history: readonly VerdictNote[];
}

export interface VerdictNote {
  readonly at: number;
  readonly kind: string;
  readonly rule: string;
}

export interface HostStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly sessions: number;
  readonly rssBytes: number;
}

/**
 * A line of `sessions/RUN/journal.ndjson`. It is on disk before anybody is told; `seq` grows by one within a run. An executor
 * copies entries into the event log and, after a crash of either side, catches up from its last number.
 */
export interface JournalEntry {
  readonly seq: number;
  readonly at: number;
  readonly session: SessionId;
  readonly event: JournalEvent;
}

export type JournalEvent =
  | { readonly kind: 'spawned'; readonly pid: number; readonly pidStart: string; readonly epoch: number }
  | { readonly kind: 'ended'; readonly end: SessionEnd }
  | { readonly kind: 'blocked'; readonly block: Block }
  | {
      readonly kind: 'unblocked';
      readonly block: BlockId;
      readonly answer: Answer | null;
      readonly source: AnswerSource;
    }
  /** An agent's hook or the monitor says that its turn is done; `message` is its final message, when it could be had. */
  | {
      readonly kind: 'turn-done';
      readonly message: string | null;
      readonly rule: string;
      /** The program's id of the conversation, with which it can be carried on. */
      readonly thread?: string;
    }
  | { readonly kind: 'recording-truncated'; readonly droppedBytes: number }
  | { readonly kind: 'recording-failed'; readonly reason: string };

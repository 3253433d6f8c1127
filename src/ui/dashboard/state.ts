import type { Answer, Block } from '../../domain/block.ts';
import type { BlockId, RunId, SessionId, TaskId } from '../../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../../domain/picture.ts';
import type { RunRequest } from '../../domain/request.ts';
import type { RunState } from '../../domain/run.ts';
import type { Failure, Gate } from '../../domain/task.ts';

/** A run in one line. */
export interface RunSummary {
  readonly run: RunId;
  readonly dag: string;
  readonly state: RunState['kind'];
  readonly total: number;
  readonly settled: number;
  readonly running: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Something that waits for a person. */
export interface Waiting {
  /** Another question has another key. */
  readonly key: string;
  readonly run: RunId;
  readonly task: TaskId;
  /** Null: a gate, or a merge conflict. */
  readonly session: SessionId | null;
  readonly agent: string | null;
  readonly since: number | null;
  readonly ask: Ask;
}

export type Ask =
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'gate'; readonly gate: Gate }
  | { readonly kind: 'undecided'; readonly failure: Failure | null };

/** What a source has to show at one moment. */
export interface Snapshot {
  /** Those that go on first, else newest first. */
  readonly runs: readonly RunSummary[];
  readonly waiting: readonly Waiting[];
  /** The run that is unfolded. */
  readonly picture: RunPicture | null;
}

/** Which run is unfolded: the newest that goes on, until a person chooses. */
export type Unfolded =
  | { readonly kind: 'newest' }
  | { readonly kind: 'run'; readonly run: RunId }
  | { readonly kind: 'none' };

export interface OutputPage {
  readonly kind: 'output';
  readonly session: SessionId;
  /** What its terminal shows, or all it wrote once it has ended. */
  readonly lines: readonly string[];
  /** All it wrote, while somebody looks back. */
  readonly history: readonly string[] | null;
  /** Lines from the end. */
  readonly back: number;
  /** How it ended; null while it lives. */
  readonly end: string | null;
}

export type Page = { readonly kind: 'list' } | OutputPage;

/** What is being typed, or asked before it is done. */
export type Entry =
  | { readonly kind: 'text'; readonly of: string; readonly block: Block; readonly text: string }
  | { readonly kind: 'sure'; readonly question: string; readonly command: DashboardCommand };

export interface Notice {
  readonly text: string;
  readonly tone: 'good' | 'bad' | 'dim';
}

export interface Dashboard {
  readonly snapshot: Snapshot;
  readonly unfolded: Unfolded;
  /** The key of the item that keys are for; null: the first. */
  readonly cursor: string | null;
  /** When the cursor came to its item without being moved by a person. */
  readonly landedAt: number;
  readonly page: Page;
  readonly isHelp: boolean;
  readonly entry: Entry | null;
  readonly notice: Notice | null;
}

export type DashboardEvent =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly now: number }
  /** `text`: what the key types, if anything. */
  | { readonly kind: 'key'; readonly key: string; readonly text: string; readonly now: number }
  | { readonly kind: 'click'; readonly item: string }
  | { readonly kind: 'wheel'; readonly lines: number }
  | {
      readonly kind: 'output';
      readonly session: SessionId;
      readonly lines: readonly string[];
      readonly end: string | null;
    }
  | { readonly kind: 'history'; readonly session: SessionId; readonly lines: readonly string[] }
  | { readonly kind: 'said'; readonly notice: Notice };

export type DashboardCommand =
  | { readonly kind: 'quit' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'read' }
  | { readonly kind: 'open-output'; readonly session: SessionId }
  | { readonly kind: 'close-output' }
  | { readonly kind: 'read-history'; readonly session: SessionId }
  | { readonly kind: 'attach'; readonly session: SessionId }
  | { readonly kind: 'kill'; readonly session: SessionId }
  | { readonly kind: 'answer'; readonly block: BlockId; readonly fingerprint: string; readonly answer: Answer }
  | { readonly kind: 'wish'; readonly run: RunId; readonly request: RunRequest };

/** A line of the list that the cursor can be on. */
export type Item =
  | { readonly kind: 'waiting'; readonly key: string; readonly waiting: Waiting }
  | { readonly kind: 'run'; readonly key: string; readonly run: RunSummary }
  | { readonly kind: 'task'; readonly key: string; readonly task: TaskPicture };

export const firstDashboard: Dashboard = {
  snapshot: { runs: [], waiting: [], picture: null },
  unfolded: { kind: 'newest' },
  cursor: null,
  landedAt: 0,
  page: { kind: 'list' },
  isHelp: false,
  entry: null,
  notice: null,
};

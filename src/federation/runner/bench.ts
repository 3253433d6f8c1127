import type { ConnectHost } from '../../host/port.ts';
import type { Home } from '../../config/home.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { NodeFacts, NodeLoad, NodeMood } from '../../domain/fleet/facts.ts';
import type { GrantId, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import type { RunId, SessionId } from '../../domain/ids.ts';
import type { Result } from '../../domain/result.ts';
import type { SessionEnd } from '../../domain/session.ts';
import { writeWork, type NodeRun, type WorkState } from '../../storage/node-work.ts';
import type { Db } from '../../storage/open.ts';
import { openSpeaker, type Self, type Speaker } from '../speaker.ts';
import type { ExecutionOptions, Refused } from './execution.ts';
import { rowOf, type Work } from './work.ts';

/** What a node says of itself at this moment. */
export interface NodeWords {
  readonly facts: NodeFacts;
  readonly load: Omit<NodeLoad, 'slotsFree'>;
  readonly mood: NodeMood;
}

export interface NodeOptions extends ExecutionOptions {
  readonly home: Home;
  readonly db: Db;
  readonly self: Self;
  /** Where machine events go. */
  readonly room: string;
  readonly describe: () => NodeWords;
  /** What the owner's policy says to an order of another home. */
  readonly judge: (order: TaskOrder, coordinator: Did) => Result<null, Refused>;
  readonly connect: ConnectHost;
  readonly killGraceMs: number;
  readonly hostIdleMs: number;
  /** So long without a word of its coordinator, and what may be run again is ended. */
  readonly leaseMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface FollowedRun extends NodeRun {
  /** On the clock that never jumps. */
  heardTick: number;
}

export interface Giveback extends GrantId, Refused {}

/** What the parts of a node have in common: its work, whom it has it of, and what a turn is to do. */
export class Bench {
  readonly options: NodeOptions;
  readonly speaker: Speaker;
  /** Attempts that are not over. */
  readonly works = new Map<SessionId, Work>();
  readonly runs = new Map<RunId, FollowedRun>();
  /** What promises have given, to be taken in the next turn. */
  readonly arrivals: (() => void)[] = [];
  /** What is done once the turn is committed. */
  readonly afterwards: (() => void)[] = [];
  readonly claims: Work[] = [];
  readonly givebacks: Giveback[] = [];
  isOver = false;
  /** Asks for a turn. */
  readonly wake: () => void;
  /** What we have of a run is different now. */
  changed: (run: RunId) => void = () => {};
  /** Something that is a bug: the node ends with it. */
  readonly fail: (error: unknown) => void;
  #words: NodeWords | null = null;

  constructor(options: NodeOptions, wake: () => void, fail: (error: unknown) => void) {
    const { db, self, say } = options;
    this.options = options;
    this.wake = wake;
    this.fail = fail;
    this.speaker = openSpeaker(db, self, say);
  }

  /** A new turn looks at the machine anew. */
  lookAgain(): void {
    this.#words = null;
  }

  /** Only what is on disk counts. */
  clear(): void {
    this.works.clear();
    this.runs.clear();
    for (const list of [this.arrivals, this.afterwards, this.claims, this.givebacks]) list.length = 0;
  }

  /** Looks at the machine once a turn at most. */
  describe(): NodeWords {
    this.#words ??= this.options.describe();
    return this.#words;
  }

  /** A promise's value is taken in a turn of its own; its failure is a bug. */
  whenDone<T>(promise: Promise<T>, take: (value: T) => void): void {
    promise.then(
      (value) => {
        this.arrivals.push(() => take(value));
        this.wake();
      },
      (error: unknown) => {
        this.fail(error);
      },
    );
  }

  freeSlots(): number {
    const { slots } = this.describe().facts;
    const taken = [...this.works.values()].filter(({ state }) => state.kind === 'asked' || state.kind === 'held');
    return slots - taken.length;
  }

  hasWork(run: RunId): boolean {
    return [...this.works.values()].some(({ grant }) => grant.run === run);
  }

  /** Ends what has no session, or whose session never was. */
  endAs(work: Work, end: SessionEnd, more: Partial<TaskReport> = {}): void {
    const output = { bytes: 0, cutFrom: null, source: 'none' } as const;
    this.move(work, { kind: 'ended', report: { end, endedAt: Date.now(), output, files: [], ...more } });
  }

  move(work: Work, state: WorkState): void {
    work.state = state;
    this.save(work);
  }

  save(work: Work): void {
    writeWork(this.options.db, rowOf(work), Date.now());
    this.changed(work.grant.run);
  }

  forget(work: Work, report: TaskReport | null): void {
    this.move(work, { kind: 'over', report });
    this.works.delete(work.session);
  }

  giveBack(work: Work, refused: Refused): void {
    this.options.say(`${work.session}: given back (${refused.errorClass}): ${refused.reason}`);
    this.givebacks.push({ ...work.grant, ...refused });
    this.forget(work, null);
  }

  me(): { readonly node: string; readonly did: Did } {
    return { node: this.speaker.node, did: this.speaker.did };
  }
}

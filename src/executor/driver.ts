import { hostname } from 'node:os';
import type { Home } from '../config/home.ts';
import { evaluateCondition } from '../domain/condition.ts';
import type { AnswerRule } from '../domain/dag.ts';
import type { LoggedEvent, NodeEvent } from '../domain/event.ts';
import type { SessionId } from '../domain/ids.ts';
import {
  isOver,
  isStuck,
  nextDueTick,
  openRecorder,
  planNext,
  recordAttemptEnd,
  recordFailure,
  type EvaluateCondition,
  type Plan,
  type StopSession,
} from '../domain/plan.ts';
import { isActive, type Clock, type RunModel, type TaskNode } from '../domain/plan-model.ts';
import { planRequest } from '../domain/plan-request.ts';
import type { RequestOutcome } from '../domain/request.ts';
import { err, ok } from '../domain/result.ts';
import { agentOf, type RunSettings, type RunState } from '../domain/run.ts';
import { parseSessionId, sessionId } from '../domain/ids.ts';
import { conflictBlock, listFiles } from '../domain/workspace.ts';
import type { Task } from '../domain/dag.ts';
import type { Prepared } from '../worktree/prepare.ts';
import type { KillCause, SessionEnd } from '../domain/session.ts';
import type { ConnectError, ConnectHost } from '../host/port.ts';
import type { JournalEntry, JournalEvent } from '../host/protocol.ts';
import type { Db } from '../storage/open.ts';
import { readJournalCursor, readLease, readUnhashedArtifacts, type Lease } from '../storage/read.ts';
import { readOpenRequests, type OpenRequest } from '../storage/request.ts';
import { openRunWriter, writeArtifactHash, type ArtifactFile, type WriteError } from '../storage/write.ts';
import type { Agents } from './agents.ts';
import { hashFile } from './artifacts.ts';
import { openContext, type Context } from './context.ts';
import { isDiskTrouble } from './disk-trouble.ts';
import { filesPath, upstreamDir, writePrivate, writeUpstream } from './files.ts';
import { Ledger } from './ledger.ts';
import { openLocalWorkplace } from './local-workplace.ts';
import type { Output } from './output.ts';
import type { Leavings, Workplace, WorkplaceConnection } from './workplace.ts';
import { openWorkspaces } from './workspaces.ts';

export interface DriveOptions {
  readonly home: Home;
  readonly db: Db;
  readonly settings: RunSettings;
  /** The run as its log tells it; the driver is its one owner from here on. */
  readonly model: RunModel;
  readonly epoch: number;
  readonly connect: ConnectHost;
  /** Shown by the host and to whoever is refused: `dag run x.toml`. */
  readonly what: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly umask: number;
  readonly maxRecordingBytes: number;
  readonly killGraceMs: number;
  /** A host that this driver starts ends after so long without session and client. */
  readonly hostIdleMs: number;
  readonly cols: number;
  readonly rows: number;
  readonly mask: (text: string) => string;
  readonly answers?: readonly AnswerRule[];
  /** Null: no task of the run is an agent's. */
  readonly agents: Agents | null;
  /**
   * `always`: blocks, gates and decisions are waited for. `not-decisions`: a run that is left with nothing but undecided tasks
   * ends with `needs-person`. `never` (`--no-wait`): as soon as nothing else can go on.
   */
  readonly wait: 'always' | 'not-decisions' | 'never';
  /** Applies open wishes and what must follow from them, starts nothing, and leaves: for commands without a driver. */
  readonly onlyRequests: boolean;
  readonly startPaused: boolean;
  /** The run was taken from a driver that may live: it is told at once. */
  readonly isTakeover: boolean;
  /** Opens the place where sessions run; absent: the host of this home. */
  readonly openWorkplace?: (model: RunModel, epoch: number) => Workplace;
  /** Called with events after they were committed. */
  readonly show: (events: readonly LoggedEvent[]) => void;
}

export type DriveEnd =
  | { readonly kind: 'over'; readonly state: RunState }
  | { readonly kind: 'needs-person' }
  /** Told to leave: sessions live on, the run can be carried on. */
  | { readonly kind: 'left' }
  /** Another process took the run (`--takeover`); null: it has left again. */
  | { readonly kind: 'superseded'; readonly by: Lease | null; readonly elsewhere?: string }
  | { readonly kind: 'cannot-write'; readonly detail: string }
  | { readonly kind: 'no-host'; readonly error: ConnectError };

/** Awaits an end of the session of a task, or of a rollback command. */
type Owner =
  | { readonly kind: 'task'; readonly node: TaskNode; readonly attempt: number }
  | { readonly kind: 'rollback'; readonly node: TaskNode; readonly index: number; readonly attempt: number };

const runningShownAfterMs = 20;
const maxTimerMs = 2 ** 31 - 1;

/**
 * Drives one run. Everything that may happen (an entry of the journal, a wish, an instant) wakes it; one turn takes all that has
 * come in, plans, commits once, and only then acts.
 */
export class Driver {
  readonly #options: DriveOptions;
  readonly #model: RunModel;
  readonly #ledger: Ledger;
  readonly #context: Context;
  readonly #workplace: Workplace;
  readonly #evaluate: EvaluateCondition;
  readonly #end = Promise.withResolvers<DriveEnd>();
  #connection: WorkplaceConnection | null = null;
  #inbox: JournalEntry[] = [];
  /** What a workplace has to say that changes no task. */
  #notes: NodeEvent[] = [];
  #found: SessionId[] = [];
  #refusals: { readonly session: SessionId; readonly reason: string }[] = [];
  #cursor: number;
  #isPoked = true;
  #isReady = false;
  #isEnded = false;
  #isLeaving = false;
  /** Wishes were decided in this turn: whoever waits for the outcome is woken after the commit. */
  #decided = false;
  #turn: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  /** Wishes whose outcome shows only later. */
  #pending = new Map<number, () => RequestOutcome | null>();
  /** The final messages of agents whose turn is done, and what lets go of their programs when these have ended. */
  readonly #messages = new Map<SessionId, string | null>();
  readonly #closing = new Map<SessionId, () => void>();
  /** What is to be stopped when this turn is written. */
  #stops: { readonly session: SessionId; readonly cause: KillCause }[] = [];
  /** Files that tasks left and that are being hashed. */
  readonly #hashing = new Set<Promise<void>>();
  /** What git has done meanwhile, to be taken in the next turn. */
  #arrivals: ((clock: Clock) => void)[] = [];
  /** What is done once the turn is committed. */
  #afterwards: (() => void)[] = [];
  /** Attempts that wait for a merge, by task: no session of theirs will tell their end. */
  readonly #merging = new Map<TaskNode, number>();
  /** Sessions whose worktree is being made. */
  readonly #preparing = new Set<SessionId>();
  /** Sessions that ended well, whose work is being committed. */
  readonly #committing = new Set<SessionId>();

  constructor(options: DriveOptions) {
    const { db, settings, model, epoch } = options;
    this.#options = options;
    this.#model = model;
    this.#ledger = new Ledger(model, openRunWriter(db, settings.run, epoch), (task) => agentOf(settings, task));
    this.#context = openContext({ ...options, pending: (task) => this.#ledger.pendingOutput(task) });
    this.#workplace =
      options.openWorkplace?.(model, epoch) ??
      openLocalWorkplace(options, openWorkspaces(options.home, settings, model));
    this.#evaluate = (task) => {
      if (task.condition === undefined) return ok(true);
      try {
        return ok(evaluateCondition(task.condition, this.#context.facts));
      } catch (error) {
        return err(`its condition cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`);
      }
    };
    this.#cursor = readJournalCursor(db, settings.run);
  }

  /** Drives until the run is over, a person is needed, or it is told to leave. */
  async drive(): Promise<DriveEnd> {
    this.#open();
    const connected = await this.#connect();
    if (connected !== null) this.#finish(connected);
    const end = await this.#end.promise;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
    for (const letGo of this.#closing.values()) letGo();
    if (end.kind === 'over') await Promise.all(this.#hashing);
    this.#connection?.[Symbol.dispose]();
    return end;
  }

  /** Leaves sessions as they are, and the run to whoever carries it on. */
  leave(): void {
    this.#finish({ kind: 'left' });
  }

  /** Looks for wishes in the database, and whether the run is still ours. */
  poke(): void {
    if (!this.#isOurs()) return;
    this.#isPoked = true;
    this.#wake();
  }

  #isOurs(): boolean {
    const { db, settings, epoch } = this.#options;
    const lease = readLease(db, settings.run);
    if (lease?.epoch === epoch) return true;
    this.#finish({ kind: 'superseded', by: lease });
    return false;
  }

  #clock(): Clock {
    return { at: Date.now(), tick: performance.now() };
  }

  #open(): void {
    const clock = this.#clock();
    const { epoch, startPaused, onlyRequests } = this.#options;
    for (const node of this.#model.nodes) {
      if (node.state.kind === 'blocked' && node.state.session === null) this.#merging.set(node, node.state.attempt);
    }
    if (onlyRequests) return;
    this.#ledger.record({ kind: 'run-driver-changed', epoch, pid: process.pid, host: hostname() }, clock);
    this.#hash(readUnhashedArtifacts(this.#options.db, this.#options.settings.run));
    if (this.#model.state.kind !== 'created') return;
    this.#ledger.record({ kind: 'run-started' }, clock);
    if (startPaused) this.#ledger.record({ kind: 'run-paused', by: '--paused' }, clock);
  }

  /** Connects, learns what happened meanwhile, and settles what became of every attempt that has no end. */
  async #connect(): Promise<DriveEnd | null> {
    const listeners = {
      entry: (entry: JournalEntry) => {
        this.#inbox.push(entry);
        if (entry.event.kind === 'spawned') this.#wakeSoon();
        else this.#wake();
      },
      poke: () => this.poke(),
      note: (event: NodeEvent) => {
        this.#notes.push(event);
        this.#wake();
      },
      found: (session: SessionId) => {
        this.#found.push(session);
        this.#wake();
      },
      refused: (session: SessionId, reason: string) => this.#refuse(session, reason),
      failed: (detail: string) => this.#finish({ kind: 'cannot-write', detail }),
      superseded: (by?: string) => {
        if (by !== undefined) this.#finish({ kind: 'superseded', by: null, elsewhere: by });
        else this.#isOurs();
      },
    };
    const connected = await this.#workplace.connect(listeners, this.#cursor);
    if (!connected.ok) return { kind: 'no-host', error: connected.error };
    const connection = connected.value;
    this.#connection = connection;
    if (this.#options.isTakeover) connection.poke();
    void connection.closed.then(() => this.#reconnect(connection));
    if (this.#model.active > 0 || this.#model.rollback !== null) await this.#reconcile(connection);
    if (this.#connection !== connection) return null; // gone meanwhile: `#reconnect` has taken over
    this.#isReady = true;
    this.#wake();
    return null;
  }

  /** The host is gone while we live: a new one is started, and its predecessor's sessions are lost unless the journal has their end. */
  #reconnect(gone: WorkplaceConnection): void {
    if (this.#isEnded || this.#connection !== gone) return;
    this.#isReady = false;
    this.#connection = null;
    void this.#connect().then((failed) => {
      if (failed !== null) this.#finish(failed);
    });
  }

  async #reconcile(connection: WorkplaceConnection): Promise<void> {
    const survey = await connection.survey();
    if (survey === null) return;
    const { entries, living, knowsFrom, unsent } = survey;
    const spawned = new Set(entries.flatMap((one) => (one.event.kind === 'spawned' ? [one.session] : [])));
    const ended = new Set(entries.flatMap((one) => (one.event.kind === 'ended' ? [one.session] : [])));
    for (const { session, event } of entries) {
      const owner = event.kind === 'turn-done' ? this.#ownerOf(session) : null;
      if (event.kind === 'turn-done' && owner?.kind === 'task') this.#takeTurnDone(owner.node, session, event);
    }
    for (const entry of entries) if (entry.event.kind === 'ended' && entry.seq <= this.#cursor) this.#endAgain(entry);
    for (const one of this.#openSessions()) {
      if (living.has(one.session) || ended.has(one.session)) this.#stopAgain(one.node);
      else if (
        !spawned.has(one.session) &&
        (this.#isUnlaunched(one.node) || unsent.has(one.session) || knowsFrom < one.startedAt)
      )
        this.#spawnAgain(one.session);
      else
        this.#inbox.push({
          seq: 0,
          at: Date.now(),
          session: one.session,
          event: { kind: 'ended', end: { kind: 'lost' } },
        });
    }
  }

  /** A session in a worktree is asked for after that was written down: until then it certainly did not start. */
  #isUnlaunched(node: TaskNode | null): boolean {
    if (node === null || !this.#hasWorktree(node.task) || !('attempt' in node.state)) return false;
    return !this.#workplace.workspaces.isLaunched(node.task.id, node.state.attempt);
  }

  /** Its worktree is made here, before its session starts. */
  #hasWorktree({ workspace }: Task): boolean {
    return workspace === 'worktree';
  }

  /** The end of a session in a worktree was read, but its driver died before the work was committed. */
  #endAgain({ at, session, event }: JournalEntry): void {
    const owner = this.#ownerOf(session);
    if (owner?.kind !== 'task' || !this.#hasWorktree(owner.node.task)) return;
    this.#inbox.push({ seq: 0, at, session, event });
  }

  #openSessions(): { session: SessionId; startedAt: number; node: TaskNode | null }[] {
    const { rollback } = this.#model;
    const open: { session: SessionId; startedAt: number; node: TaskNode | null }[] = [];
    if (rollback !== null) open.push({ session: rollback.session, startedAt: 0, node: null });
    for (const node of this.#model.nodes) {
      const { state } = node;
      if (!isActive(node) || !('session' in state) || state.session === null) continue;
      open.push({ session: state.session, startedAt: 'startedAt' in state ? state.startedAt : 0, node });
    }
    return open;
  }

  #stopAgain(node: TaskNode | null): void {
    if (node === null || node.stop === null || !('session' in node.state) || node.state.session === null) return;
    this.#stop(node.state.session, node.stop.cause);
  }

  /** The same host has not seen the spawn: the request is sent once more, and refused there if the first one comes after all. */
  #spawnAgain(session: SessionId): void {
    const owner = this.#ownerOf(session);
    if (owner !== null) this.#spawn(owner, session);
  }

  #wake(): void {
    if (!this.#isReady || this.#isEnded) return;
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      try {
        this.#runTurn();
      } catch (error) {
        if (isDiskTrouble(error)) return this.#finish({ kind: 'cannot-write', detail: error.message });
        this.#isEnded = true;
        this.#end.reject(error);
      }
    });
  }

  /** That a session runs decides nothing: it is written with what comes next, often the session's end, and shown soon. */
  #wakeSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.#wake();
    }, runningShownAfterMs);
  }

  #runTurn(): void {
    if (!this.#isReady || this.#isEnded) return;
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    const clock = this.#clock();
    for (const session of this.#found.splice(0)) this.#takeFound(session, clock);
    for (const note of this.#notes.splice(0)) this.#ledger.note(note, clock.at);
    for (const entry of this.#inbox.splice(0)) this.#take(entry, clock);
    for (const refusal of this.#refusals.splice(0)) this.#takeRefusal(refusal, clock);
    for (const take of this.#arrivals.splice(0)) take(clock);
    const stops = this.#isPoked ? this.#takeRequests(clock) : [];
    const plan = this.#plan(clock);
    this.#closeMerges(clock);
    this.#settleWishes(clock);
    const starts = plan.events;
    if (!this.#commit()) return;
    const allStops = [...this.#stops.splice(0), ...stops, ...plan.stops];
    // A turn that only stops writes nothing, so nothing has said yet whether the run is ours.
    if (allStops.length > 0 && !this.#isOurs()) return;
    for (const stop of allStops) this.#stop(stop.session, stop.cause);
    for (const event of starts) {
      if (event.kind === 'task-starting' || event.kind === 'run-rollback-starting') this.#start(event.session);
    }
    for (const act of this.#afterwards.splice(0)) act();
    this.#afterTurn();
  }

  #plan(clock: Clock): Plan {
    if (this.#isLeaving) return { events: [], stops: [] };
    const plan = planNext(this.#model, clock, this.#evaluate, !this.#options.onlyRequests);
    for (const event of plan.events) this.#ledger.note(event, clock.at);
    return plan;
  }

  #commit(): boolean {
    const written = this.#ledger.commit();
    if (!written.ok) {
      this.#finish(this.#endOfWrite(written.error));
      return false;
    }
    if (written.value.length > 0) process.nextTick(() => this.#show(written.value));
    if (this.#decided) this.#connection?.poke();
    this.#decided = false;
    return true;
  }

  /** After the turn, and after its spawns were sent: the host starts while this process writes to its terminal. */
  #show(events: readonly LoggedEvent[]): void {
    try {
      this.#options.show(events);
    } catch (error) {
      this.#isEnded = true;
      this.#end.reject(error);
    }
  }

  #afterTurn(): void {
    const model = this.#model;
    if (isOver(model)) return this.#finish({ kind: 'over', state: model.state });
    if (this.#isLeaving && this.#openSessions().length === 0) return this.#finish({ kind: 'needs-person' });
    if (this.#options.onlyRequests) return this.#leaveIfDone();
    if (this.#mustLeave()) return this.#leaveToPerson();
    this.#setTimer();
  }

  /** Without a driver of its own, a command stays until its wish is decided, and leaves the rest. */
  #leaveIfDone(): void {
    if (this.#pending.size === 0 && this.#model.state.kind !== 'rolling-back') this.#finish({ kind: 'left' });
    else this.#setTimer();
  }

  #mustLeave(): boolean {
    const { wait } = this.#options;
    const model = this.#model;
    if (wait === 'always') return false;
    if (wait === 'not-decisions') return model.undecided > 0 && model.undecided === model.waiting && isStuck(model);
    return isStuck(model) || (model.state.kind === 'paused' && model.active === 0);
  }

  #leaveToPerson(): void {
    if (this.#openSessions().length === 0) return this.#finish({ kind: 'needs-person' });
    this.#isLeaving = true;
    for (const { session } of this.#openSessions()) this.#stop(session, 'no-wait');
  }

  #setTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const due = nextDueTick(this.#model);
    if (due === null) return;
    const delay = Math.min(maxTimerMs, Math.max(0, Math.ceil(due - performance.now())));
    this.#timer = setTimeout(() => this.#wake(), delay);
  }

  #finish(end: DriveEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isReady = false;
    this.#end.resolve(end);
  }

  // What came in ----------------------------------------------------------------------------------------------------------

  #take(entry: JournalEntry, clock: Clock): void {
    if (entry.seq !== 0) {
      if (entry.seq <= this.#cursor) return;
      this.#cursor = entry.seq;
      this.#ledger.cursor(entry.seq);
    }
    const owner = this.#ownerOf(entry.session);
    if (owner === null) return this.#noteStranger(entry);
    if (owner.kind === 'rollback') this.#takeRollback(owner, entry, clock);
    else this.#takeTask(owner.node, owner.attempt, entry, clock);
  }

  /** A session whose task has moved on: its end is still written down. */
  #noteStranger({ session, event, at }: JournalEntry): void {
    const parts = parseSessionId(session);
    if (event.kind !== 'ended' || !parts.ok) return;
    this.#ledger.ended(parts.value.task, parts.value.attempt, at, event.end);
    this.#ledger.note({ kind: 'session-ended', session, end: event.end }, at);
  }

  #ownerOf(session: SessionId): Owner | null {
    const parts = parseSessionId(session);
    if (!parts.ok) return null;
    const { task, attempt } = parts.value;
    const node = this.#model.byId.get(task);
    if (node !== undefined) {
      const isCurrent = isActive(node) && 'attempt' in node.state && node.state.attempt === attempt;
      return isCurrent ? { kind: 'task', node, attempt } : null;
    }
    const { rollback } = this.#model;
    return rollback?.session === session ? { kind: 'rollback', ...rollback.what, attempt } : null;
  }

  #takeRollback(owner: Extract<Owner, { kind: 'rollback' }>, { session, event, at }: JournalEntry, clock: Clock): void {
    const { node, index, attempt } = owner;
    const id = parseSessionId(session);
    if (!id.ok) return;
    if (event.kind === 'spawned') {
      this.#ledger.pid(id.value.task, attempt, event.pid);
      this.#ledger.note({ kind: 'session-started', session, pid: event.pid }, clock.at);
    }
    if (event.kind !== 'ended') return;
    this.#ledger.ended(id.value.task, attempt, at, event.end);
    this.#ledger.note({ kind: 'session-ended', session, end: event.end }, clock.at);
    this.#ledger.record({ kind: 'run-rollback-ended', task: node.task.id, index, session, end: event.end }, clock);
  }

  #takeTask(node: TaskNode, attempt: number, { session, event }: JournalEntry, clock: Clock): void {
    const task = node.task.id;
    switch (event.kind) {
      case 'spawned':
        if (node.state.kind !== 'starting') return;
        this.#ledger.pid(task, attempt, event.pid);
        this.#ledger.note({ kind: 'session-started', session, pid: event.pid }, clock.at);
        return this.#ledger.record({ kind: 'task-running', task, attempt, pid: event.pid }, clock);
      case 'blocked':
        return this.#takeBlock(node, attempt, session, event, clock);
      case 'unblocked':
        return this.#takeUnblock(node, attempt, session, event, clock);
      case 'turn-done':
        return this.#takeTurnDone(node, session, event);
      case 'recording-truncated':
        return this.#ledger.note(
          { kind: 'session-recording-truncated', session, droppedBytes: event.droppedBytes },
          clock.at,
        );
      case 'recording-failed':
        return this.#ledger.note({ kind: 'session-recording-failed', session, reason: event.reason }, clock.at);
      case 'ended':
        return this.#takeEndOf(node, attempt, session, event.end, clock);
    }
  }

  #takeBlock(
    node: TaskNode,
    attempt: number,
    session: SessionId,
    { block }: Extract<JournalEvent, { kind: 'blocked' }>,
    clock: Clock,
  ): void {
    const task = node.task.id;
    if (node.state.kind === 'blocked') {
      // The same episode, known better: a hook is faster than the screen that shows the choices.
      if (node.state.block.id === block.id) {
        if (node.state.block.fingerprint !== block.fingerprint || node.state.block.waits !== block.waits)
          this.#ledger.record({ kind: 'task-blocked', task, attempt, block }, clock);
        return;
      }
      this.#ledger.record({ kind: 'task-unblocked', task, attempt, block: node.state.block.id }, clock);
    }
    this.#ledger.note({ kind: 'session-blocked', session, block }, clock.at);
    this.#ledger.record({ kind: 'task-blocked', task, attempt, block }, clock);
  }

  #takeUnblock(
    node: TaskNode,
    attempt: number,
    session: SessionId,
    { block, answer, source }: Extract<JournalEvent, { kind: 'unblocked' }>,
    clock: Clock,
  ): void {
    this.#ledger.note({ kind: 'session-unblocked', session, block, answer, source }, clock.at);
    if (node.state.kind !== 'blocked' || node.state.block.id !== block) return;
    this.#ledger.record({ kind: 'task-unblocked', task: node.task.id, attempt, block }, clock);
  }

  /** An agent whose turn is done has finished its task: its program is closed, and what it said last is its output. */
  #takeTurnDone(
    node: TaskNode,
    session: SessionId,
    { message, thread }: Extract<JournalEvent, { kind: 'turn-done' }>,
  ): void {
    const { agents } = this.#options;
    if (node.task.action.kind !== 'agent' || agents === null) return;
    const isFirst = !this.#messages.has(session);
    this.#messages.set(session, message);
    if (thread !== undefined) agents.noteThread(node.task, thread);
    if (isFirst && agents.closing(node.task) !== null) this.#stops.push({ session, cause: 'done' });
  }

  /** Work in a worktree is committed before its task counts as done. */
  #takeEndOf(node: TaskNode, attempt: number, session: SessionId, end: SessionEnd, clock: Clock): void {
    this.#letGo(session);
    const counted = this.#countedEnd(node, session, end);
    const isGood =
      (counted.kind === 'exited' && counted.code === 0) || (counted.kind === 'killed' && counted.by === 'done');
    if (!this.#hasWorktree(node.task) || !isGood) return this.#takeEnd(node, attempt, session, end, clock);
    if (this.#committing.has(session)) return;
    this.#committing.add(session);
    this.#whenDone(this.#workplace.commit(node.task, attempt), (committed, later) => {
      this.#committing.delete(session);
      if (this.#ownerOf(session)?.node !== node) return;
      if (!committed.ok) return this.#takeEnd(node, attempt, session, end, later, committed.error);
      const { commit, files, workspace } = committed.value;
      const { branch } = workspace;
      const event = { kind: 'task-work-committed', task: node.task.id, attempt, branch, commit, files } as const;
      this.#ledger.record(event, later);
      this.#takeEnd(node, attempt, session, end, later);
    });
  }

  /** Takes what a promise gives in a turn of its own; its failure is a bug, and ends the driver. */
  #whenDone<T>(promise: Promise<T>, take: (value: T, clock: Clock) => void): void {
    promise.then(
      (value) => {
        this.#arrivals.push((clock) => take(value, clock));
        this.#wake();
      },
      (error: unknown) => {
        this.#isEnded = true;
        this.#end.reject(error);
      },
    );
  }

  #takeEnd(
    node: TaskNode,
    attempt: number,
    session: SessionId,
    end: SessionEnd,
    clock: Clock,
    uncommitted: string | null = null,
  ): void {
    const counted = this.#countedEnd(node, session, end);
    const output = this.#keepOutput(node, attempt, session, end);
    this.#ledger.ended(node.task.id, attempt, clock.at, end);
    this.#ledger.note({ kind: 'session-ended', session, end }, clock.at);
    const into = openRecorder(this.#model, clock);
    if (uncommitted === null) recordAttemptEnd(into, node, counted, output.summary);
    else recordFailure(into, node, attempt, { kind: 'not-committed', reason: uncommitted }, output.summary);
    for (const event of into.plan.events) this.#ledger.note(event, clock.at);
  }

  /** The session has ended: nothing more is typed into it. */
  #letGo(session: SessionId): void {
    this.#closing.get(session)?.();
    this.#closing.delete(session);
  }

  /** A program that was closed when its turn was done has done its task, whatever it exits with (130 after C-c, say). */
  #countedEnd(node: TaskNode, session: SessionId, end: SessionEnd): SessionEnd {
    const isClosed = this.#messages.has(session) && (this.#options.agents?.closing(node.task) ?? null) !== null;
    if (!isClosed || (end.kind !== 'exited' && end.kind !== 'signalled')) return end;
    return { kind: 'killed', by: 'done', signal: end.kind === 'signalled' ? end.signal : 'SIGTERM' };
  }

  #keepOutput(node: TaskNode, attempt: number, session: SessionId, end: SessionEnd): Output {
    const { home, settings } = this.#options;
    const { task } = node;
    const hook = this.#messages.get(session) ?? null;
    this.#messages.delete(session);
    const { output, artifacts } = this.#workplace.leavings(task, attempt, end, hook);
    if (output.summary.source !== 'none')
      this.#ledger.output({ task: task.id, attempt, text: output.text, ...output.summary });
    const hasReaders = node.dependents.length > 0 || node.rescuer !== null;
    const isLeft = end.kind !== 'lost' && end.kind !== 'not-started';
    if (hasReaders && isLeft) writeUpstream(upstreamDir(home, settings.run), task.id, attempt, output.text);
    if (isLeft) this.#keepArtifacts(task, artifacts);
    return output;
  }

  /** Which files a task left is known before any dependent starts; their hashes follow, however large they are. */
  #keepArtifacts(task: Task, found: Leavings['artifacts']): void {
    if (task.outputs.length === 0) return;
    const { home, settings } = this.#options;
    this.#ledger.artifacts(found);
    const here = found.filter(({ sha256 }) => sha256 === undefined);
    if (here.length === 0 && found.length > 0) return; // they lie on the node that made them
    writePrivate(filesPath(home, settings.run, task.id), found.map(({ path }) => `${path}\n`).join(''));
    this.#hash(here);
  }

  #hash(artifacts: readonly ArtifactFile[]): void {
    const { db, settings } = this.#options;
    for (const { task, attempt, path } of artifacts) {
      const work = hashFile(path).then((sha256) =>
        writeArtifactHash(db, settings.run, { task, attempt, path, sha256 }),
      );
      this.#hashing.add(work);
      void work.finally(() => this.#hashing.delete(work));
    }
  }

  #takeRefusal({ session, reason }: { session: SessionId; reason: string }, clock: Clock): void {
    const owner = this.#ownerOf(session);
    const end: SessionEnd = { kind: 'not-started', reason };
    if (owner?.kind === 'task') this.#takeEnd(owner.node, owner.attempt, session, end, clock);
    else if (owner?.kind === 'rollback') {
      this.#takeRollback(owner, { seq: 0, at: clock.at, session, event: { kind: 'ended', end } }, clock);
    }
  }

  /** An attempt whose node was silent is known again before anybody decided about it: it goes on as if nothing had been. */
  #takeFound(session: SessionId, clock: Clock): void {
    const parts = parseSessionId(session);
    const node = parts.ok ? this.#model.byId.get(parts.value.task) : undefined;
    if (!parts.ok || node?.state.kind !== 'undecided' || node.state.failure !== undefined) return;
    const { task, attempt } = parts.value;
    if (node.state.attempt === attempt) this.#ledger.record({ kind: 'task-found', task, attempt, session }, clock);
  }

  // Wishes ----------------------------------------------------------------------------------------------------------------

  #takeRequests(clock: Clock): StopSession[] {
    this.#isPoked = false;
    const { db, settings } = this.#options;
    const open = readOpenRequests(db, settings.run).filter((one) => !this.#pending.has(one.id));
    return open.flatMap((one) => this.#takeRequest(one, clock));
  }

  #takeRequest({ id, request, by }: OpenRequest, clock: Clock): readonly StopSession[] {
    const node = request.kind === 'unblock' ? this.#model.byId.get(request.task) : undefined;
    if (node !== undefined && node.state.kind === 'blocked' && node.state.session === null) {
      this.#resolve(id, node);
      return [];
    }
    const planned = planRequest(this.#model, request, by, clock);
    for (const event of planned.plan.events) this.#ledger.note(event, clock.at);
    if (planned.outcome !== 'pending') this.#decide(id, planned.outcome, clock);
    else if (planned.check !== undefined) this.#pending.set(id, planned.check);
    return planned.plan.stops;
  }

  /** A person says that a merge conflict is resolved: git is asked, and the start goes on. */
  #resolve(id: number, node: TaskNode): void {
    let outcome: RequestOutcome | null = null;
    this.#pending.set(id, () => outcome);
    const name = `${this.#model.run}:${node.task.id}`;
    this.#whenDone(this.#workplace.workspaces.resolve(node.task.id), (resolved, clock) => {
      const { state } = node;
      if (state.kind !== 'blocked' || state.session !== null) {
        outcome = { kind: 'refused', reason: `${name} waits no more: it is ${state.kind}` };
      } else if (resolved.kind === 'resolved') {
        const { attempt, block } = state;
        outcome = { kind: 'done', said: `${name} goes on` };
        this.#ledger.record({ kind: 'task-unblocked', task: node.task.id, attempt, block: block.id }, clock);
        const session = sessionId(this.#model.run, node.task.id, attempt);
        if (!this.#options.onlyRequests) this.#afterwards.push(() => this.#start(session));
      } else if (resolved.kind === 'unresolved') {
        outcome = { kind: 'refused', reason: `${name} still has conflicts in ${listFiles(resolved.files)}` };
      } else outcome = { kind: 'refused', reason: `${name} cannot go on: ${resolved.reason}` };
    });
  }

  /** Attempts that ended in a merge conflict, by skip, abort or a time limit, have an end in the table as well. */
  #closeMerges({ at }: Clock): void {
    for (const [node, attempt] of this.#merging) {
      if (node.state.kind === 'blocked' || node.state.kind === 'starting') continue;
      this.#merging.delete(node);
      if (isActive(node)) continue;
      this.#ledger.ended(node.task.id, attempt, at, { kind: 'not-started', reason: 'its merge was not finished' });
    }
  }

  #settleWishes(clock: Clock): void {
    for (const [id, check] of this.#pending) {
      const outcome = check();
      if (outcome === null) continue;
      this.#pending.delete(id);
      this.#decide(id, outcome, clock);
    }
  }

  #decide(id: number, outcome: RequestOutcome, clock: Clock): void {
    this.#ledger.outcome(id, clock.at, outcome);
    this.#decided = true;
  }

  // What is done about it -------------------------------------------------------------------------------------------------

  #start(session: SessionId): void {
    const owner = this.#ownerOf(session);
    if (owner !== null) this.#spawn(owner, session);
  }

  #spawn(owner: Owner, session: SessionId): void {
    const { node, attempt } = owner;
    if (owner.kind === 'rollback') {
      this.#connection?.startRollback(node.task, owner.index, attempt, session);
    } else if (this.#hasWorktree(node.task)) this.#prepare(node, attempt, session);
    else this.#launch(node.task, attempt, session);
  }

  /** Makes the worktree first; the session follows once that is in the log. */
  #prepare(node: TaskNode, attempt: number, session: SessionId): void {
    if (this.#preparing.has(session) || this.#options.onlyRequests) return; // whoever drives the run next does it
    this.#preparing.add(session);
    this.#whenDone(this.#workplace.workspaces.prepare(node.task, attempt), (prepared, clock) => {
      this.#preparing.delete(session);
      if (this.#ownerOf(session)?.node === node && node.state.kind === 'starting') {
        this.#takePrepared(node, attempt, session, prepared, clock);
      }
    });
  }

  #takePrepared(node: TaskNode, attempt: number, session: SessionId, prepared: Prepared, clock: Clock): void {
    const task = node.task.id;
    if (node.stop !== null || this.#isLeaving) {
      const end: SessionEnd = { kind: 'killed', by: node.stop?.cause ?? 'no-wait', signal: 'SIGTERM' };
      return this.#takeEnd(node, attempt, session, end, clock);
    }
    switch (prepared.kind) {
      case 'failed':
        return this.#takeEnd(node, attempt, session, { kind: 'not-started', reason: prepared.reason }, clock);
      case 'conflict': {
        const block = conflictBlock(this.#model.run, task, attempt, prepared.conflict, clock.at);
        this.#merging.set(node, attempt);
        return this.#ledger.record({ kind: 'task-blocked', task, attempt, block }, clock);
      }
      case 'ready': {
        const { path, branch, start } = prepared.workspace;
        const { kept } = prepared;
        const base = start ?? '';
        this.#ledger.record({ kind: 'task-worktree-ready', task, attempt, path, branch, base, kept }, clock);
        this.#afterwards.push(() => this.#launch(this.#workplace.workspaces.launch(node.task), attempt, session));
      }
    }
  }

  #launch(task: Task, attempt: number, session: SessionId): void {
    const start = this.#connection?.start(task, attempt, session, this.#context);
    if (start?.ok === false) this.#refuse(session, start.error);
  }

  #refuse(session: SessionId, reason: string): void {
    this.#refusals.push({ session, reason });
    this.#wake();
  }

  /** Ends a session: an agent whose turn is done in its own way first. */
  #stop(session: SessionId, cause: KillCause): void {
    const owner = cause === 'done' ? this.#ownerOf(session) : null;
    const steps = owner?.kind === 'task' ? (this.#options.agents?.closing(owner.node.task) ?? null) : null;
    const connection = this.#connection;
    if (steps === null || connection === null) return this.#kill(session, cause);
    const ended = Promise.withResolvers<void>();
    this.#closing.set(session, ended.resolve);
    void connection.close(session, steps, ended.promise).then(() => {
      if (this.#closing.has(session) && !this.#isEnded && this.#isOurs()) this.#kill(session, cause);
    });
  }

  #kill(session: SessionId, cause: KillCause): void {
    this.#connection?.kill(session, cause);
  }

  #endOfWrite(error: WriteError): DriveEnd {
    if (error.kind !== 'superseded') return { kind: 'cannot-write', detail: error.detail };
    return { kind: 'superseded', by: readLease(this.#options.db, this.#options.settings.run) };
  }
}

import type { Home } from '../../config/home.ts';
import type { Demand } from '../../domain/fleet/demand.ts';
import type { Did } from '../../domain/fleet/did.ts';
import { composeEpoch } from '../../domain/fleet/epoch.ts';
import type { HeldLease } from '../../domain/fleet/facts.ts';
import type { GrantId, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import { place, type Candidate, type Placing } from '../../domain/fleet/place.ts';
import { fairTake } from '../../domain/fleet/share.ts';
import { parseSessionId, sessionId, type BlockId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import type { Answer, Block } from '../../domain/block.ts';
import type { NodeEvent } from '../../domain/event.ts';
import type { RunModel, TaskNode } from '../../domain/plan-model.ts';
import type { RoomPlace } from '../../domain/room.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { KillCause } from '../../domain/session.ts';
import type { Task } from '../../domain/dag.ts';
import { isDiskTrouble } from '../../executor/disk-trouble.ts';
import { openContext, type Context } from '../../executor/context.ts';
import { noOutput } from '../../executor/output.ts';
import type { Leavings, Survey, Workplace, WorkplaceConnection, WorkplaceListeners } from '../../executor/workplace.ts';
import type { Workspaces } from '../../executor/workspaces.ts';
import type { JournalEntry, JournalEvent } from '../../host/protocol.ts';
import { canonicalJson } from '../../matrix/content.ts';
import { readMachineEvent, type MachineContent } from '../../matrix/events/index.ts';
import { readBridgeRun } from '../../storage/bridge.ts';
import {
  followFleetRoom,
  listDeviceInbox,
  listFleetInbox,
  readFleetLink,
  writeFleetCursor,
  type DeviceInboxMessage,
  type InboxEvent,
} from '../../storage/fleet.ts';
import {
  appendEntry,
  countLeases,
  listEntries,
  listLeases,
  readLease,
  readReport,
  writeLease,
  type LeaseRow,
  type LeaseState,
} from '../../storage/fleet-leases.ts';
import { readDevice } from '../../storage/device.ts';
import type { Db } from '../../storage/open.ts';
import { isLaneWaiting, readOutboxState } from '../../storage/outbox.ts';
import { noteTakenOver } from '../../storage/taken-over.ts';
import { watchCommits } from '../../storage/tail.ts';
import { readWorkspace } from '../../worktree/record.ts';
import { openEar, type Ear, type Heard } from '../ear.ts';
import { readHeartbeat } from '../heartbeat.ts';
import { grantWords, readDeviceContent } from '../messages.ts';
import { readResultWords } from '../runner/words.ts';
import { openSpeaker, packItems, whole, type Self, type Speaker } from '../speaker.ts';
import type { Courier } from '../travel/courier.ts';
import { openAnnouncer, type Announcer } from './announce.ts';
import { demandFor } from './demand.ts';
import { openNodes, type Nodes } from './nodes.ts';
import { buildOrder } from './order.ts';

export interface FleetOptions {
  readonly home: Home;
  readonly db: Db;
  readonly settings: RunSettings;
  readonly model: RunModel;
  /** Of the driver's lease. */
  readonly epoch: number;
  readonly self: Self;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mask: (text: string) => string;
  readonly redact: readonly string[];
  readonly intervalMs: number;
  readonly workspaces: Workspaces;
  /** Opens the media store, for an encrypted room or a plain one. */
  readonly courier: (encrypt: boolean) => Result<Courier, string>;
  readonly isEncrypted: (room: string) => boolean;
  readonly say: (line: string) => void;
}

/** The nodes of a room as the workplace of a run. */
export function openFleet(options: FleetOptions): Workplace {
  return new Fleet(options);
}

/** An attempt that this run gives away, while it is not over. */
interface Lease {
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  epoch: number;
  state: LeaseState;
  refusals: Record<Did, string>;
  /** Null: it is being made. */
  order: { readonly text: string; readonly order: TaskOrder } | null;
  readonly claims: Set<Did>;
  /** When claims are looked at. */
  claimsDue: number;
  /** It was offered to all in vain: not again before this instant. */
  offerAfter: number;
  /** Since when its node does not name it any more. */
  missingSince: number | null;
  /** Last told why no node takes it. */
  told: string;
  isRevoked: boolean;
  /** How often a node was silent about it, and the one that is asked again. */
  tries: number;
  pinned: Did | null;
}

const flushGapMs = 100;
/** Claims are gathered for so long after the first. */
const claimWindowMs = 250;
/** A node that did not say within this time that it has what it was given. */
const claimForMs = 10_000;
/** So often the same node is asked for what it may have without our knowing. */
const mostTries = 3;
/** A node that has something, and free slots, and does not begin. */
const startForMs = 60_000;
/** What a node does not name is missing only after a while: what it says comes by two ways. */
const missingForMs = 10_000;
/** Nodes that were there before us answer within this time. */
const discoverForMs = 2_000;
const offerAgainMs = 30_000;
/** How many times its slots a node may have while attempts are shorter than what it takes to say a word about them. */
const slotsAhead = 3;
const quickMs = 500;
const quickLimitedMs = 5_000;
const aliveEveryMs = 15_000;
const lookEveryMs = 500;
export const leaseMs = 120_000;
/** What of an event an order may take; larger ones go through the media store. */
const orderBytes = 30_000;

export function readerOf(run: RunId): string {
  return `run:${run}`;
}

class Fleet implements Workplace, WorkplaceConnection {
  readonly #options: FleetOptions;
  readonly #speaker: Speaker;
  readonly #ear: Ear;
  readonly #nodes: Nodes;
  readonly #announcer: Announcer;
  readonly #context: Context;
  readonly #reader: string;
  readonly #leases = new Map<SessionId, Lease>();
  readonly #closed = Promise.withResolvers<void>();
  #listeners: WorkplaceListeners | null = null;
  #watch: Disposable | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #flushTimer: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  #turn: NodeJS.Immediate | null = null;
  #place: RoomPlace | null = null;
  #problem: string | null = null;
  #grants = 0;
  #flushedAt = -Infinity;
  /** The row of the event that introduced us. */
  #introduced: number | null = null;
  #aliveAt = -Infinity;
  /** How long attempts of the run took lately; long ones count at once. */
  #usualMs: number | null = null;
  #releases: { readonly grant: GrantId; readonly cause: KillCause; readonly reason: string }[] = [];
  #arrivals: (() => void)[] = [];
  #entries: JournalEntry[] = [];
  #found: SessionId[] = [];
  #notes: NodeEvent[] = [];
  readonly #lostNodes = new Set<Did>();
  readonly #toldOff = new Set<string>();
  #courier: Courier | null = null;

  constructor(options: FleetOptions) {
    const { db, self, settings, say } = options;
    this.#options = options;
    this.#reader = readerOf(settings.run);
    this.#speaker = openSpeaker(db, self, say);
    this.#ear = openEar(db, self.identity.did, this.#reader);
    this.#nodes = openNodes(db, self.identity.did, settings.run);
    this.#announcer = openAnnouncer({ ...options, speaker: this.#speaker, reader: this.#reader });
    this.#context = openContext({ ...options, pending: () => null });
  }

  // The driver's side -----------------------------------------------------------------------------------------------------

  get workspaces(): Workspaces {
    return this.#options.workspaces;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  connect(listeners: WorkplaceListeners, after: number): Promise<Result<WorkplaceConnection, never>> {
    const { db, settings, home } = this.#options;
    this.#listeners = listeners;
    for (const row of listLeases(db, settings.run))
      if (row.state.kind !== 'over') this.#leases.set(row.session, leaseOf(row));
    for (const entry of listEntries(db, settings.run, after)) listeners.entry(entry as JournalEntry);
    for (const lease of this.#leases.values()) {
      if (lease.state.kind === 'queued' || lease.state.kind === 'offered') this.#makeOrder(lease);
      if (lease.state.kind === 'fetching') this.#fetch(lease, lease.state.report);
    }
    this.#watch = watchCommits(db, home.database, () => {
      listeners.poke();
      this.#wake();
    });
    this.#ticker = setInterval(() => this.#wake(), lookEveryMs);
    this.#wake();
    return Promise.resolve(ok(this));
  }

  poke(): void {
    // Whoever drives or waits watches the database.
    this.#wake();
  }

  survey(): Promise<Survey> {
    const { db, settings } = this.#options;
    return Promise.resolve({
      entries: listEntries(db, settings.run, 0) as JournalEntry[],
      living: new Set(this.#leases.keys()),
      knowsFrom: -Infinity,
      unsent: new Set(),
    });
  }

  start(task: Task, attempt: number, session: SessionId): Result<null, string> {
    this.#open(task.id, attempt, session);
    return ok(null);
  }

  startRollback(_task: Task, _index: number, attempt: number, session: SessionId): void {
    const parts = parseSessionId(session);
    if (parts.ok) this.#open(parts.value.task, attempt, session);
  }

  #open(task: TaskId, attempt: number, session: SessionId): void {
    if (this.#leases.has(session)) return;
    const { run } = this.#options.settings;
    const row = { run, task, attempt, session, epoch: 0, state: { kind: 'queued' }, refusals: {} } as const;
    const lease = leaseOf(row);
    this.#leases.set(session, lease);
    this.#arrivals.push(() => this.#save(lease));
    this.#makeOrder(lease);
  }

  kill(session: SessionId, cause: KillCause): void {
    this.#arrivals.push(() => {
      const lease = this.#leases.get(session);
      if (lease === undefined) return;
      switch (lease.state.kind) {
        case 'queued':
        case 'offered':
          return this.#end(lease, reportOf({ kind: 'killed', by: cause, signal: 'SIGTERM' }), null);
        case 'given':
          return this.#release(this.#grantOf(lease), cause, cause);
        default:
          return;
      }
    });
    this.#wake();
  }

  /** The node ends its programs in their own way by itself. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async commit(task: Task, attempt: number): ReturnType<Workplace['commit']> {
    const { home, settings, db } = this.#options;
    const report = readReport(db, settings.run, sessionId(settings.run, task.id, attempt));
    const result = report?.work;
    if (result === undefined) return err('its node did not tell what it changed');
    const courier = this.#openCourier();
    if (!courier.ok) return courier;
    const { unpackResult } = await import('../travel/unpack-result.ts');
    const taken = await unpackResult({ home, run: settings.run, task: task.id, result, courier: courier.value });
    if (!taken.ok) return err(taken.error.detail);
    return ok({ commit: result.commit, files: 0, workspace: taken.value });
  }

  leavings(task: Task, attempt: number): Leavings {
    const { db, settings } = this.#options;
    const report = readReport(db, settings.run, sessionId(settings.run, task.id, attempt));
    if (report === null) return { output: { text: '', summary: noOutput }, artifacts: [] };
    const { bytes, cutFrom, source, text = '' } = report.output;
    return {
      output: { text, summary: { bytes, cutFrom, source } },
      artifacts: report.files.map(({ path, bytes: size, sha256 }) => ({
        task: task.id,
        attempt,
        path,
        bytes: size,
        sha256,
      })),
    };
  }

  [Symbol.dispose](): void {
    this.#listeners = null;
    this.#watch?.[Symbol.dispose]();
    for (const timer of [this.#ticker, this.#flushTimer, this.#lookTimer]) if (timer !== null) clearTimeout(timer);
    if (this.#turn !== null) clearImmediate(this.#turn);
    // The last word of the run; the bridge sends it after we are gone.
    if (this.#place !== null) this.#announcer.look(this.#place);
  }

  // Turns -----------------------------------------------------------------------------------------------------------------

  #wake(): void {
    if (this.#listeners === null) return;
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      try {
        this.#runTurn();
      } catch (error) {
        if (!isDiskTrouble(error)) throw error;
        // Nothing of the turn was written: whoever carries the run on takes it again.
        const listeners = this.#listeners;
        this.#listeners = null;
        listeners?.failed(error.message);
      }
    });
  }

  #runTurn(): void {
    const { db } = this.#options;
    if (!this.#isPlaced()) return;
    const turn = db.transaction(() => {
      this.#takeEvents();
      if (this.#listeners === null) return;
      if (this.#introduced === null && this.#place !== null) this.#introduced = this.#announcer.introduce(this.#place);
      this.#takeMessages();
      for (const take of this.#arrivals.splice(0)) take();
      this.#watchNodes();
      this.#flush();
    });
    turn.immediate();
    this.#deliver();
    this.#look();
  }

  /** What the turn brought for the driver, once it is on disk. */
  #deliver(): void {
    const listeners = this.#listeners;
    if (listeners === null) return;
    for (const note of this.#notes.splice(0)) listeners.note(note);
    for (const session of this.#found.splice(0)) listeners.found(session);
    for (const entry of this.#entries.splice(0)) listeners.entry(entry);
  }

  #look(): void {
    if (this.#place === null || this.#lookTimer !== null) return;
    const waitMs = this.#announcer.look(this.#place);
    if (waitMs === null) return;
    this.#lookTimer = setTimeout(() => {
      this.#lookTimer = null;
      this.#look();
    }, waitMs);
  }

  /** The bridge asks the homeserver where the room is; until it knows nothing can be said. */
  #isPlaced(): boolean {
    if (this.#place !== null) return true;
    const { db, settings, say } = this.#options;
    const row = readBridgeRun(db, settings.run);
    const problem = row?.problem ?? null;
    if (problem !== null && problem !== this.#problem) say(`the room ${row?.wanted ?? ''}: ${problem}`);
    this.#problem = problem;
    if (row?.place == null) return false;
    if (row.place.machineRoom === null) {
      if (this.#problem === null) say(`this account may not send what nodes need to the room ${row.wanted}`);
      this.#problem = 'no machine room';
      return false;
    }
    followFleetRoom(db, this.#reader, this.#roomOf(row.place));
    // What others said while we were not there comes first: the run may be theirs by now.
    if (readFleetLink(db) === null) return false;
    this.#place = row.place;
    return true;
  }

  #roomOf({ machineRoom, room }: RoomPlace): string {
    return machineRoom ?? room;
  }

  get #room(): string {
    return this.#place === null ? '' : this.#roomOf(this.#place);
  }

  #openCourier(): Result<Courier, string> {
    if (this.#courier !== null) return ok(this.#courier);
    const opened = this.#options.courier(this.#options.isEncrypted(this.#room));
    if (opened.ok) this.#courier = opened.value;
    return opened;
  }

  #whenDone<T>(promise: Promise<T>, take: (value: T) => void): void {
    promise.then(
      (value) => {
        this.#arrivals.push(() => take(value));
        this.#wake();
      },
      (error: unknown) => {
        setImmediate(() => {
          throw error; // a bug
        });
      },
    );
  }

  // Orders ----------------------------------------------------------------------------------------------------------------

  #makeOrder(lease: Lease): void {
    this.#whenDone(this.#orderFor(lease), (made) => {
      if (this.#leases.get(lease.session) !== lease || lease.state.kind === 'over') return;
      if (made.ok) lease.order = { order: made.value, text: canonicalJson(made.value) };
      else this.#end(lease, { ...reportOf({ kind: 'not-started', reason: made.error }), errorClass: 'policy' }, null);
    });
  }

  async #orderFor({ task: id, attempt }: Lease): Promise<Result<TaskOrder, string>> {
    const { db, home, model } = this.#options;
    const { node, rollback } = this.#nodeOf(id);
    if (node === undefined) return err(`there is no task ${id}`);
    const { task } = node;
    const { settings } = this.#options;
    const facts = {
      db,
      settings,
      context: this.#context,
      redact: this.#options.redact,
      courier: () => this.#openCourier(),
    };
    if (task.workspace !== 'worktree') return buildOrder(facts, task, attempt, rollback, null);
    const workspace = readWorkspace(home.worktrees, model.run, task.id);
    if (workspace === null) return err('its worktree is gone');
    const courier = this.#openCourier();
    if (!courier.ok) return courier;
    const { packWorkspace } = await import('../travel/pack-workspace.ts');
    const source = await packWorkspace({ home, workspace, courier: courier.value });
    if (!source.ok) return err(`its files cannot be sent: ${source.error.detail}`);
    return buildOrder(facts, withoutDir(task), attempt, rollback, source.value);
  }

  #nodeOf(id: TaskId): { readonly node: TaskNode | undefined; readonly rollback: number | null } {
    const { byId } = this.#options.model;
    const node = byId.get(id);
    if (node !== undefined) return { node, rollback: null };
    const [, of = '', index = ''] = /^(.*)\.rollback-(\d+)$/.exec(id) ?? [];
    return { node: byId.get(of as TaskId), rollback: Number(index) };
  }

  // What came in ----------------------------------------------------------------------------------------------------------

  #takeEvents(): void {
    const { db } = this.#options;
    const events = listFleetInbox(db, this.#reader);
    for (const event of events) this.#takeEvent(event);
    const last = events.at(-1);
    if (last === undefined) return;
    writeFleetCursor(db, this.#reader, { inbox: last.seq });
    if (events.length >= 500) this.#wake();
  }

  #takeEvent(event: InboxEvent): void {
    const { say } = this.#options;
    if (event.type === 'cis.dag.run.created') return this.#takeRival(event);
    if (!nodesSay.has(event.type) || event.content['by'] === 'coordinator' || !this.#concerns(event)) return;
    const heard = this.#ear.hear(event, 'worker');
    if (!heard.ok)
      return this.#noteRejected(event, heard.error.message, () =>
        say(`${event.type} of ${event.sender} not taken (${heard.error.kind}): ${heard.error.message}`),
      );
    this.#nodes.heard(heard.value.did);
    this.#takeHeard(heard.value, event.room);
  }

  /** A room has many runs: what is of others is not even verified. */
  #concerns({ content }: InboxEvent): boolean {
    const { run } = this.#options.settings;
    if ('run_id' in content) return content['run_id'] === run;
    const items = content['results'] ?? content['claims'] ?? content['releases'];
    if (!Array.isArray(items)) return true;
    return items.some(
      (one: unknown) => typeof one === 'object' && one !== null && 'run_id' in one && one.run_id === run,
    );
  }

  /** What is said of an attempt of ours, and is not taken, stands in the log. */
  #noteRejected({ content }: InboxEvent, reason: string, otherwise: () => void): void {
    const { run } = this.#options.settings;
    const results: unknown = content['results'];
    const ours = Array.isArray(results)
      ? results.filter((one: unknown): one is { task_id: string; attempt: number; epoch: number } => {
          return typeof one === 'object' && one !== null && 'run_id' in one && one.run_id === run && 'task_id' in one;
        })
      : [];
    if (ours.length === 0) return otherwise();
    for (const { task_id, attempt, epoch } of ours.slice(0, 20)) {
      const session = sessionId(run, task_id as TaskId, attempt);
      const said = content['signature'] as { did?: unknown } | undefined;
      this.#notes.push({
        kind: 'node-ignored',
        session,
        node: String(content['node']),
        did: String(said?.did),
        epoch,
        reason,
      });
    }
  }

  #takeHeard({ did, event }: Heard, room: string): void {
    const { run } = this.#options.settings;
    switch (event.type) {
      case 'cis.node.heartbeat': {
        const read = readHeartbeat(event.content);
        if (read.ok && read.value.facts.did === did) this.#takeBeat(did, read.value, room);
        return;
      }
      case 'cis.dag.task.claimed':
        for (const claim of event.content.claims) if (claim.run_id === run) this.#takeClaim(did, claim);
        return;
      case 'cis.dag.task.released':
        for (const release of event.content.releases) if (release.run_id === run) this.#takeGivenBack(did, release);
        return;
      case 'cis.dag.task.result':
        for (const result of event.content.results) if (result.run_id === run) this.#takeResult(did, result);
        return;
      case 'cis.dag.session.blocked':
        if (event.content.run_id === run) this.#takeBlocked(did, event.content);
        return;
      case 'cis.dag.session.recovered':
        if (event.content.run_id === run) this.#takeRecovered(did, event.content);
        return;
      default:
        return;
    }
  }

  /** Somebody else says that the run is theirs: whoever has the higher epoch is right. */
  #takeRival(event: InboxEvent): void {
    const { settings, epoch, say } = this.#options;
    if (event.content['run_id'] !== settings.run) return;
    const heard = this.#ear.hear(event, 'coordinator');
    if (!heard.ok || heard.value.did === this.#speaker.did || heard.value.event.type !== 'cis.dag.run.created') {
      if (!heard.ok && heard.error.kind !== 'replayed')
        say(`a coordinator of ${settings.run} not believed (${heard.error.kind}): ${heard.error.message}`);
      return;
    }
    const theirs = heard.value.event.content.epoch;
    const isTie = theirs === epoch && this.#introduced !== null && heard.value.did < this.#speaker.did;
    if (theirs < epoch || isTie) return;
    noteTakenOver(this.#options.db, settings.run, `${heard.value.userId}, epoch ${theirs}`);
    const listeners = this.#listeners;
    this.#listeners = null;
    listeners?.superseded(`${heard.value.userId} (${heard.value.did}, epoch ${theirs}; ours is ${epoch})`);
  }

  #takeBeat(did: Did, heartbeat: Parameters<Nodes['beat']>[0], room: string | null): void {
    const isNew = this.#nodes.beat(heartbeat, room);
    this.#lostNodes.delete(did);
    if (isNew) this.#notes.push({ kind: 'node-seen', node: heartbeat.facts.node, did });
  }

  #takeMessages(): void {
    const { db } = this.#options;
    const messages = listDeviceInbox(db, this.#reader, ['cis.node.heartbeat', 'cis.node.work']);
    for (const message of messages) this.#takeMessage(message);
    const last = messages.at(-1);
    if (last !== undefined) writeFleetCursor(db, this.#reader, { devices: last.seq });
  }

  #takeMessage(message: DeviceInboxMessage): void {
    const { settings } = this.#options;
    if (message.type === 'cis.node.work' && message.content['run_id'] !== settings.run) return;
    const heard = this.#ear.hearDevice(message, 'worker');
    if (!heard.ok) return;
    const { did } = heard.value;
    this.#nodes.heard(did);
    if (message.type === 'cis.node.heartbeat') {
      const heartbeat = readBeat(message);
      if (heartbeat !== null && heartbeat.facts.did === did) this.#takeBeat(did, heartbeat, null);
      return;
    }
    const content = readDeviceContent('cis.node.work', message.content);
    if (content !== null) this.#takeWork(did, content);
  }

  /** What a node has of this run. */
  #takeWork(did: Did, { work, seen }: NonNullable<ReturnType<typeof readDeviceContent<'cis.node.work'>>>): void {
    const named = new Set<SessionId>();
    for (const one of work) {
      const session = sessionId(this.#options.settings.run, one.task_id as TaskId, one.attempt);
      const lease = this.#leases.get(session);
      named.add(session);
      if (lease === undefined || lease.epoch !== one.epoch || !isWith(lease, did)) {
        if (one.state !== 'ended') this.#tellOff(did, session, one);
        continue;
      }
      lease.missingSince = null;
      if (lease.state.kind === 'lost') {
        const chance = this.#chanceOf(lease);
        if (chance === 'gone') this.#tellOff(did, session, one);
        if (chance !== 'open') continue;
        this.#revive(lease, did);
      }
      if (lease.state.kind !== 'given') continue;
      if (lease.state.heldAt === null) lease.state = { ...lease.state, heldAt: Date.now() };
      if (one.state === 'running') this.#noteRunning(lease, one.pid ?? 0, one.started_at ?? Date.now());
    }
    for (const lease of this.#leases.values()) {
      if (lease.state.kind !== 'given' || lease.state.did !== did || named.has(lease.session)) continue;
      if (seen >= lease.epoch) lease.missingSince ??= performance.now();
      if (lease.isRevoked) this.#requeue(lease, `${this.#nodes.nameOf(did)} did not begin it`);
    }
  }

  #noteRunning(lease: Lease, pid: number, startedAt: number): void {
    if (lease.state.kind !== 'given' || lease.state.startedAt !== null) return;
    lease.state = { ...lease.state, heldAt: lease.state.heldAt ?? startedAt, startedAt };
    this.#save(lease);
    this.#append(lease.session, { kind: 'spawned', pid, pidStart: '', epoch: lease.epoch }, startedAt);
  }

  /** The node of an attempt that was taken for lost is there again, and nobody decided meanwhile. */
  #revive(lease: Lease, did: Did): void {
    lease.state = { kind: 'given', did, at: Date.now(), row: null, heldAt: Date.now(), startedAt: null };
    this.#save(lease);
    this.#found.push(lease.session);
  }

  /** Whether an attempt that was taken for lost may still count: nobody has decided about it, or the driver does not know yet. */
  #chanceOf(lease: Lease): 'open' | 'unknown' | 'gone' {
    const { node } = this.#nodeOf(lease.task);
    const state = node?.state;
    const isCurrent = state !== undefined && 'attempt' in state && state.attempt === lease.attempt;
    if (isCurrent && state.kind === 'undecided' && state.failure === undefined) return 'open';
    if (
      isCurrent &&
      (state.kind === 'lost' || state.kind === 'starting' || state.kind === 'running' || state.kind === 'blocked')
    )
      return 'unknown';
    lease.state = { kind: 'over', did: null };
    this.#save(lease);
    this.#leases.delete(lease.session);
    return 'gone';
  }

  /** What is with another by now, or over, ends on the node that still has it. */
  #tellOff(did: Did, session: SessionId, said: { task_id: string; attempt: number; epoch: number }): void {
    const { db, settings } = this.#options;
    const key = `${did} ${session} ${said.epoch}`;
    if (this.#toldOff.has(key)) return;
    const current = readLease(db, session);
    // What it said before we heard of the end, or of a grant that we have yet to write.
    if (current === null || said.epoch > current.epoch || (current.epoch === said.epoch && isHolder(current, did)))
      return;
    this.#toldOff.add(key);
    const reason = `its epoch is ${said.epoch}, and the attempt is ${current.epoch === said.epoch ? 'over' : `at ${current.epoch}`}`;
    this.#notes.push({ kind: 'node-ignored', session, node: this.#nodes.nameOf(did), did, epoch: said.epoch, reason });
    const grant = { run: settings.run, task: said.task_id as TaskId, attempt: said.attempt, epoch: said.epoch };
    this.#release(grant, 'superseded', reason);
  }

  #takeClaim(did: Did, claim: MachineContent<'cis.dag.task.claimed'>['claims'][number]): void {
    const lease = this.#leases.get(sessionId(this.#options.settings.run, claim.task_id as TaskId, claim.attempt));
    if (lease?.state.kind !== 'offered' || lease.epoch !== claim.epoch) return;
    if (lease.claims.size === 0) lease.claimsDue = performance.now() + claimWindowMs;
    lease.claims.add(did);
  }

  #takeGivenBack(did: Did, release: MachineContent<'cis.dag.task.released'>['releases'][number]): void {
    const lease = this.#leases.get(sessionId(this.#options.settings.run, release.task_id as TaskId, release.attempt));
    if (lease?.state.kind !== 'given' || lease.state.did !== did || lease.epoch !== release.epoch) return;
    const node = this.#nodes.nameOf(did);
    const kind = release.error_class ?? 'infra';
    const reason = `${kind}: ${release.reason}`;
    this.#notes.push({ kind: 'node-refused', session: lease.session, node, did, epoch: release.epoch, reason });
    this.#nodes.judge(did, kind === 'infra' ? { kind: 'failure', reason: release.reason } : { kind: 'returned' });
    lease.refusals = { ...lease.refusals, [did]: reason };
    this.#requeue(lease, reason);
  }

  #takeResult(did: Did, words: MachineContent<'cis.dag.task.result'>['results'][number]): void {
    const { run } = this.#options.settings;
    const session = sessionId(run, words.task_id as TaskId, words.attempt);
    const lease = this.#leases.get(session);
    const report = readResultWords(words);
    const kept = lease === undefined ? readLease(this.#options.db, session) : null;
    if (kept?.epoch === words.epoch && isHolder(kept, did)) return; // it was taken before
    const why = this.#whyNot(lease, did, words.epoch, report);
    if (lease === undefined || report === null || why !== null) {
      const node = this.#nodes.nameOf(did);
      const reason = `a result that is not taken: ${why ?? 'it is malformed'}`;
      this.#notes.push({ kind: 'node-ignored', session, node, did, epoch: words.epoch, reason });
      return;
    }
    if (lease.state.kind === 'lost') {
      const chance = this.#chanceOf(lease);
      // The driver takes the loss first: then there is something to decide.
      if (chance === 'unknown') return void setTimeout(() => this.#again(() => this.#takeResult(did, words)), 50);
      if (chance === 'gone') return this.#takeResult(did, words);
      this.#revive(lease, did);
    }
    if (report.startedAt !== undefined) this.#noteRunning(lease, 0, report.startedAt);
    const isNodes = report.errorClass === 'infra' && report.end.kind !== 'lost';
    this.#nodes.judge(did, isNodes ? { kind: 'failure', reason: report.reason ?? 'infra' } : { kind: 'success' });
    this.#noteDuration(report);
    if (report.output.media === undefined) return this.#end(lease, report, did);
    lease.state = { kind: 'fetching', did, report };
    this.#save(lease);
    this.#fetch(lease, report);
  }

  #again(take: () => void): void {
    this.#arrivals.push(take);
    this.#wake();
  }

  #whyNot(lease: Lease | undefined, did: Did, epoch: number, report: TaskReport | null): string | null {
    if (lease === undefined) return 'the attempt is over, or was never given';
    if (epoch !== lease.epoch) return `its epoch is ${epoch}, the attempt's is ${lease.epoch}`;
    if (!isWith(lease, did)) return `the attempt is not with this node`;
    if (lease.state.kind === 'fetching') return 'a result was taken already';
    return report === null ? 'it is malformed' : null;
  }

  /** Downloads the text of an output before anything is decided by it. */
  #fetch(lease: Lease, report: TaskReport): void {
    const { media } = report.output;
    if (media === undefined) return;
    const courier = this.#openCourier();
    if (!courier.ok) {
      this.#options.say(courier.error);
      return;
    }
    this.#whenDone(courier.value.getLarge(media), (got) => {
      if (lease.state.kind !== 'fetching') return;
      const { did } = lease.state;
      if (got.ok) {
        const text = Buffer.from(got.value).toString('utf8');
        return this.#end(lease, { ...report, output: { ...report.output, text } }, did);
      }
      const reason = `its output cannot be downloaded: ${got.error.detail}`;
      this.#end(lease, { ...report, end: { kind: 'not-started', reason }, errorClass: 'infra', reason }, did);
    });
  }

  #takeBlocked(did: Did, content: MachineContent<'cis.dag.session.blocked'>): void {
    const lease = this.#current(did, content);
    if (lease === null) return;
    this.#noteRunning(lease, 0, content.at);
    const { block_id, kind, question, choices, selected, command, until, since, fingerprint, rule, input } = content;
    if (kind === 'gate' || kind === 'merge-conflict') return;
    const block: Block = {
      id: block_id as BlockId,
      kind,
      question,
      choices: choices.map(({ label, key }) => ({ label, ...(key === undefined ? {} : { key }) })),
      selected,
      since: since ?? content.at,
      fingerprint: fingerprint ?? '',
      rule: rule ?? '',
      ...(command === undefined ? {} : { command }),
      ...(until === undefined ? {} : { until }),
      ...(input === undefined ? {} : { input }),
    };
    this.#append(lease.session, { kind: 'blocked', block }, content.at);
  }

  #takeRecovered(did: Did, content: MachineContent<'cis.dag.session.recovered'>): void {
    const { block_id, by, via, answer, at } = content;
    const session = block_id.slice(0, block_id.lastIndexOf('!')) as SessionId;
    const lease = this.#leases.get(session);
    if (lease === undefined || !isWith(lease, did)) return;
    const source = { by, via };
    this.#append(session, { kind: 'unblocked', block: block_id as BlockId, answer: parseAnswer(answer), source }, at);
  }

  #current(
    did: Did,
    said: { readonly task_id: string; readonly attempt: number; readonly epoch?: number | undefined },
  ): Lease | null {
    const lease = this.#leases.get(sessionId(this.#options.settings.run, said.task_id as TaskId, said.attempt));
    if (lease?.state.kind !== 'given' || lease.state.did !== did || lease.epoch !== said.epoch) return null;
    return lease;
  }

  // What follows ----------------------------------------------------------------------------------------------------------

  #save(lease: Lease): void {
    const { db, settings } = this.#options;
    const { task, attempt, session, epoch, state, refusals } = lease;
    writeLease(db, { run: settings.run, task, attempt, session, epoch, state, refusals });
  }

  #grantOf({ task, attempt, epoch }: Lease): GrantId {
    return { run: this.#options.settings.run, task, attempt, epoch };
  }

  #append(session: SessionId, event: JournalEvent, at: number, report?: TaskReport): void {
    const { db, settings } = this.#options;
    const entry = { at, session, event };
    const seq = appendEntry(db, settings.run, report === undefined ? entry : { ...entry, report });
    this.#entries.push({ seq, ...entry });
  }

  #end(lease: Lease, report: TaskReport, did: Did | null): void {
    lease.state = { kind: 'over', did };
    this.#save(lease);
    this.#leases.delete(lease.session);
    this.#append(lease.session, { kind: 'ended', end: report.end }, report.endedAt, report);
  }

  #requeue(lease: Lease, reason: string): void {
    lease.state = { kind: 'queued' };
    lease.missingSince = null;
    lease.isRevoked = false;
    lease.claims.clear();
    this.#save(lease);
    if (lease.order === null) this.#makeOrder(lease);
    this.#options.say(`${lease.session}: to be given anew: ${reason}`);
  }

  #release(grant: GrantId, cause: KillCause, reason: string): void {
    this.#releases.push({ grant, cause, reason });
  }

  /** Looks for nodes that are silent, and for what did not happen in time. */
  #watchNodes(): void {
    const now = Date.now();
    const tick = performance.now();
    for (const lease of this.#leases.values()) {
      const { state } = lease;
      if (state.kind === 'offered' && lease.claims.size > 0 && tick >= lease.claimsDue) this.#grantClaim(lease);
      else if (state.kind === 'offered' && this.#isPast(state.row, claimForMs, now)) this.#withdraw(lease);
      else if (state.kind === 'given') this.#watchGiven(lease, state, now, tick);
    }
    if (tick - this.#aliveAt < aliveEveryMs) return;
    this.#aliveAt = tick;
    this.#sayAlive();
  }

  /** Whether an event was sent so long ago; what still waits to be sent was not heard by anybody. */
  #isPast(row: number | null, ms: number, now: number): boolean {
    const sent = row === null ? null : readOutboxState(this.#options.db, row);
    return sent?.kind === 'sent' ? now - sent.sentAt > ms : sent?.kind === 'parked';
  }

  #watchGiven(lease: Lease, state: Extract<LeaseState, { kind: 'given' }>, now: number, tick: number): void {
    const { did } = state;
    const isIdempotent = this.#nodeOf(lease.task).node?.task.idempotent === true;
    const node = this.#nodes.nameOf(did);
    if (this.#nodes.isSilent(did, now)) {
      if (!this.#lostNodes.has(did)) {
        this.#lostNodes.add(did);
        this.#notes.push({ kind: 'node-lost', node, did, reason: 'not heard for 45 s' });
        this.#nodes.judge(did, { kind: 'failure', reason: 'not heard' });
      }
      if (state.startedAt === null && isIdempotent) return this.#requeue(lease, `${node} is not heard`);
      return this.#lose(lease, did, `${node} is not heard`);
    }
    if (lease.missingSince !== null && tick - lease.missingSince > missingForMs) {
      // It has read our word and does not have it: it never began, or what it had is gone.
      if (state.startedAt === null) return this.#requeue(lease, `${node} does not have it`);
      return this.#lose(lease, did, `${node} does not have it any more`);
    }
    if (state.startedAt !== null) return;
    if (state.heldAt === null && this.#isPast(state.row, claimForMs, now)) {
      this.#nodes.judge(did, { kind: 'failure', reason: 'it did not take what it was given' });
      // It may have it all the same: what must not run twice goes to the same node again, which knows it by its name.
      lease.tries += 1;
      lease.pinned = isIdempotent || lease.tries >= mostTries ? null : did;
      return this.#requeue(lease, `${node} did not take it`);
    }
    const free = this.#nodes.find(did)?.heartbeat?.load.slotsFree ?? 0;
    if (state.heldAt !== null && now - state.heldAt > startForMs && free > 0 && !lease.isRevoked) {
      lease.isRevoked = true;
      lease.refusals = { ...lease.refusals, [did]: 'it did not begin it within 60 s' };
      this.#nodes.judge(did, { kind: 'failure', reason: 'it did not begin what it had' });
      this.#release(this.#grantOf(lease), 'superseded', 'not begun within 60 s');
    }
  }

  /** For the run it is lost; should the node come back before anything else was decided, it is not. */
  #lose(lease: Lease, did: Did, reason: string): void {
    lease.state = { kind: 'lost', did };
    lease.missingSince = null;
    this.#save(lease);
    this.#options.say(`${lease.session}: lost: ${reason}`);
    this.#append(lease.session, { kind: 'ended', end: { kind: 'lost' } }, Date.now());
  }

  #sayAlive(): void {
    const { settings, epoch } = this.#options;
    const { did, userId, deviceId } = this.#speaker;
    const content = {
      at: Date.now(),
      run_id: settings.run,
      did,
      epoch,
      coordinator: { user_id: userId, device_id: deviceId, did },
    };
    const now = Date.now();
    for (const node of this.#nodes.all()) {
      if (node.deviceId === null || this.#nodes.isSilent(node.did, now - 10 * 60_000)) continue;
      const to = { userId: node.userId, deviceId: node.deviceId };
      this.#speaker.tell(to, 'cis.dag.run.alive', content, {
        only: `alive ${settings.run} ${node.did}`,
        forMs: 30_000,
      });
    }
  }

  // Placing ---------------------------------------------------------------------------------------------------------------

  /** Gives away what can be given, and says so: as much at once as there is, while the last of it is on its way more gathers. */
  #flush(): void {
    const { db } = this.#options;
    const queued = [...this.#leases.values()].filter(({ state, order }) => state.kind === 'queued' && order !== null);
    if (queued.length + this.#releases.length + this.#granted.length === 0) return;
    const inMs = this.#flushedAt + flushGapMs - performance.now();
    if (inMs > 0) {
      this.#flushTimer ??= setTimeout(() => {
        this.#flushTimer = null;
        this.#wake();
      }, inMs);
      return;
    }
    if (isLaneWaiting(db, this.#room, 'work')) return;
    const given = this.#placeAll(queued);
    if (given.length + this.#releases.length + this.#granted.length === 0) return;
    this.#flushedAt = performance.now();
    this.#sayReleases();
    this.#sayGrants();
    this.#sayAssigned(given);
  }

  #placeAll(queued: readonly Lease[]): { readonly lease: Lease; readonly to: Did | '*' }[] {
    if (queued.length === 0) return [];
    const now = Date.now();
    const candidates = this.#nodes.candidates((did) => this.#heldBy(did), now, this.#isQuick() ? slotsAhead : 1);
    const byPriority = queued.toSorted((a, b) => this.#priorityOf(b) - this.#priorityOf(a));
    let take = this.#fairShare(candidates, queued.length);
    const given: { lease: Lease; to: Did | '*' }[] = [];
    for (const lease of byPriority) {
      if (take <= 0) break;
      const localDid = this.#speaker.did;
      const placing = place({ demand: this.#demandOf(lease), candidates, localDid, now });
      if (placing.kind === 'placed') {
        given.push({ lease, to: placing.did });
        this.#give(lease, placing.did, placing.insteadOf, now);
        takeSlot(candidates, placing.did);
        take -= 1;
      } else if (this.#offers(lease, placing)) {
        lease.epoch = this.#nextEpoch();
        lease.state = { kind: 'offered', at: now, row: null };
        given.push({ lease, to: '*' });
      }
    }
    return given;
  }

  /** Attempts are over before the next word about them could be said: then nodes are given some to go on with meanwhile. */
  #isQuick(): boolean {
    const { db } = this.#options;
    return this.#usualMs !== null && this.#usualMs < (readDevice(db)?.limit == null ? quickMs : quickLimitedMs);
  }

  #noteDuration({ startedAt, endedAt }: TaskReport): void {
    if (startedAt === undefined) return;
    const took = Math.max(0, endedAt - startedAt);
    this.#usualMs = this.#usualMs === null ? took : Math.max(took, this.#usualMs * 0.8 + took * 0.2);
  }

  #priorityOf(lease: Lease): number {
    return this.#nodeOf(lease.task).node?.task.priority ?? 0;
  }

  /** Runs share the slots of the nodes that are there; without any, everything may be offered. */
  #fairShare(candidates: readonly Candidate[], waiting: number): number {
    const { db, settings } = this.#options;
    const there = candidates.filter(({ trusted }) => trusted);
    const free = there.reduce((sum, one) => sum + one.free, 0);
    const slots = there.reduce((sum, { node }) => sum + node.facts.slots, 0);
    const shares = countLeases(db);
    if (free === 0 || shares.length <= 1) return Infinity;
    const own = shares.find(({ run }) => run === settings.run) ?? { run: settings.run, held: 0, waiting };
    return fairTake(settings.run, [...shares.filter(({ run }) => run !== settings.run), own], slots, free);
  }

  #heldBy(did: Did): HeldLease[] {
    return [...this.#leases.values()].flatMap((lease) =>
      lease.state.kind === 'given' && lease.state.did === did ? [this.#grantOf(lease)] : [],
    );
  }

  #demandOf(lease: Lease): Demand {
    const { db, settings } = this.#options;
    const { node, rollback } = this.#nodeOf(lease.task);
    if (node === undefined) throw new Error(`no task ${lease.task}`);
    const refusals = new Map(Object.entries(lease.refusals) as [Did, string][]);
    const demand = demandFor(db, settings, node.task, { rollback: rollback !== null, refusals });
    return lease.pinned === null ? demand : { ...demand, pinned: demand.pinned ?? lease.pinned };
  }

  #give(lease: Lease, did: Did, insteadOf: string | null, now: number): void {
    lease.epoch = this.#nextEpoch();
    lease.state = { kind: 'given', did, at: now, row: null, heldAt: null, startedAt: null };
    lease.told = '';
    this.#nodes.judge(did, { kind: 'given' });
    const node = this.#nodes.nameOf(did);
    const reason = insteadOf === null ? {} : { reason: insteadOf };
    this.#notes.push({ kind: 'node-given', session: lease.session, node, did, epoch: lease.epoch, ...reason });
  }

  #nextEpoch(): number {
    this.#grants += 1;
    return composeEpoch({ coordinator: this.#options.epoch, grant: this.#grants });
  }

  /** Whether an attempt that no known node may have is offered to all; one that all refused fails. */
  #offers(lease: Lease, placing: Exclude<Placing, { kind: 'placed' }>): boolean {
    const tick = performance.now();
    if (placing.kind === 'wait' || !this.#isPast(this.#introduced, discoverForMs, Date.now())) return false;
    const refused = Object.values(lease.refusals);
    if (refused.length > 0) {
      const said = Object.entries(lease.refusals).map(
        ([did, reason]) => `${this.#nodes.nameOf(did as Did)}: ${reason}`,
      );
      const reason = `no node takes it (${said.join('; ')})`;
      this.#end(lease, { ...reportOf({ kind: 'not-started', reason }), errorClass: 'policy', reason }, null);
      return false;
    }
    if (lease.told !== placing.reason) {
      lease.told = placing.reason;
      this.#notes.push({ kind: 'node-missing', session: lease.session, reason: placing.reason });
    }
    return tick >= lease.offerAfter;
  }

  #sayAssigned(given: readonly { readonly lease: Lease; readonly to: Did | '*' }[]): void {
    const { settings, epoch } = this.#options;
    const { userId, deviceId, did } = this.#speaker;
    const coordinator = { user_id: userId, device_id: deviceId, did };
    const base = { run_id: settings.run, epoch_base: composeEpoch({ coordinator: epoch, grant: 1 }), coordinator };
    const items = given.flatMap(({ lease, to }) => {
      if (lease.order === null) return [];
      if (Buffer.byteLength(JSON.stringify(lease.order.text)) > orderBytes) {
        this.#sendLarge(lease, lease.order.text, to);
        return [];
      }
      return [{ lease, words: { ...wordsOf(lease), to, order: lease.order.text } }];
    });
    for (const batch of packItems(items, ({ words }) => words)) {
      const assignments = batch.map(({ words }) => words);
      const row = this.#speaker.say(this.#room, 'work', 'cis.dag.task.assigned', {
        at: Date.now(),
        ...base,
        assignments,
      });
      for (const { lease } of batch) this.#noteRow(lease, row);
    }
  }

  #noteRow(lease: Lease, row: number | null): void {
    if (lease.state.kind === 'given' || lease.state.kind === 'offered') lease.state = { ...lease.state, row };
    this.#save(lease);
  }

  /** An order that is larger than an event goes through the media store first. */
  #sendLarge(lease: Lease, text: string, to: Did | '*'): void {
    const { epoch } = lease;
    this.#save(lease);
    const courier = this.#openCourier();
    const put = courier.ok ? courier.value.putLarge(Buffer.from(text), `${lease.task}.json`) : null;
    if (put === null) return this.#requeue(lease, courier.ok ? '' : courier.error);
    this.#whenDone(put, (sent) => {
      if (lease.epoch !== epoch || (lease.state.kind !== 'given' && lease.state.kind !== 'offered')) return;
      if (!sent.ok) {
        const reason = `its order cannot be sent: ${sent.error.detail}`;
        return this.#end(lease, { ...reportOf({ kind: 'not-started', reason }), errorClass: 'infra', reason }, null);
      }
      const { settings } = this.#options;
      const { userId, deviceId, did } = this.#speaker;
      const row = this.#speaker.say(this.#room, 'work', 'cis.dag.task.assigned', {
        at: Date.now(),
        run_id: settings.run,
        epoch_base: composeEpoch({ coordinator: this.#options.epoch, grant: 1 }),
        coordinator: { user_id: userId, device_id: deviceId, did },
        assignments: [{ ...wordsOf(lease), to, order_media: { ...sent.value } }],
      });
      this.#noteRow(lease, row);
    });
  }

  #granted: { readonly lease: Lease; readonly of: number; readonly to: Did }[] = [];

  /** Of those who would take it, the one that fits best. */
  #grantClaim(lease: Lease): void {
    const now = Date.now();
    const all = this.#nodes.candidates((did) => this.#heldBy(did), now);
    const candidates = all.filter(({ node }) => lease.claims.has(node.facts.did));
    const placing = place({ demand: this.#demandOf(lease), candidates, localDid: this.#speaker.did, now });
    lease.claims.clear();
    if (placing.kind !== 'placed') return this.#withdraw(lease);
    const of = lease.epoch;
    this.#give(lease, placing.did, placing.insteadOf, now);
    this.#save(lease);
    this.#granted.push({ lease, of, to: placing.did });
  }

  #sayGrants(): void {
    const { settings, epoch } = this.#options;
    const items = this.#granted
      .splice(0)
      .map(({ lease, of, to }) => ({ lease, words: { ...wordsOf(lease), of, to, lease_ms: leaseMs } }));
    for (const batch of packItems(items, ({ words }) => words)) {
      const row = this.#speaker.say(this.#room, 'work', 'cis.dag.task.granted', {
        at: Date.now(),
        run_id: settings.run,
        epoch_base: composeEpoch({ coordinator: epoch, grant: 1 }),
        grants: batch.map(({ words }) => words),
      });
      for (const { lease } of batch) this.#noteRow(lease, row);
    }
  }

  /** Nobody took what was offered to all. */
  #withdraw(lease: Lease): void {
    lease.offerAfter = performance.now() + offerAgainMs;
    lease.state = { kind: 'queued' };
    lease.claims.clear();
    this.#save(lease);
  }

  #sayReleases(): void {
    const items = this.#releases.splice(0).map(({ grant, cause, reason }) => ({
      ...grantWords(grant),
      reason,
      ...(cause === 'host-stop' ? {} : { cause }),
    }));
    const did = this.#speaker.did;
    for (const releases of packItems(items, whole))
      this.#speaker.say(this.#room, 'work', 'cis.dag.task.released', {
        at: Date.now(),
        by: 'coordinator',
        did,
        releases,
      });
  }
}

/** What is said by nodes; the rest of the room is not for a coordinator. */
const nodesSay: ReadonlySet<string> = new Set([
  'cis.node.heartbeat',
  'cis.dag.task.claimed',
  'cis.dag.task.released',
  'cis.dag.task.result',
  'cis.dag.session.blocked',
  'cis.dag.session.recovered',
]);

function leaseOf({ task, attempt, session, epoch, state, refusals }: LeaseRow): Lease {
  return {
    task,
    attempt,
    session,
    epoch,
    state,
    refusals,
    order: null,
    claims: new Set(),
    claimsDue: Infinity,
    offerAfter: 0,
    missingSince: null,
    told: '',
    isRevoked: false,
    tries: 0,
    pinned: null,
  };
}

/** Whoever had it last, as it stands in the table. */
function isHolder({ state }: LeaseRow, did: Did): boolean {
  return 'did' in state && state.did === did;
}

function isWith({ state }: Lease, did: Did): boolean {
  return 'did' in state && state.did === did;
}

function wordsOf({ task, attempt, epoch }: Lease) {
  return { task_id: task, attempt, epoch };
}

function takeSlot(candidates: Candidate[], did: Did): void {
  const index = candidates.findIndex(({ node }) => node.facts.did === did);
  const one = candidates[index];
  if (one !== undefined) candidates[index] = { ...one, free: one.free - 1 };
}

function reportOf(end: TaskReport['end']): TaskReport {
  return { end, endedAt: Date.now(), output: { bytes: 0, cutFrom: null, source: 'none' }, files: [] };
}

/** A task with a worktree starts in it, wherever that is. */
function withoutDir(task: Task): Task {
  const { workDir: _, ...rest } = task;
  return rest;
}

function readBeat(message: DeviceInboxMessage) {
  const read = readMachineEvent(message.type, message.content);
  if (!read.ok || read.value.event.type !== 'cis.node.heartbeat') return null;
  const heartbeat = readHeartbeat(read.value.event.content);
  return heartbeat.ok ? heartbeat.value : null;
}

function parseAnswer(text: string | undefined): Answer | null {
  try {
    return text === undefined ? null : (JSON.parse(text) as Answer);
  } catch {
    return null;
  }
}

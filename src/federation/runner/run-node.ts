import type { ConnectHost, HostConnection } from '../../host/port.ts';
import type { JournalEntry } from '../../host/protocol.ts';
import { journalPath, type Home } from '../../config/home.ts';
import type { Did } from '../../domain/fleet/did.ts';
import { splitEpoch } from '../../domain/fleet/epoch.ts';
import type { NodeFacts, NodeLoad, NodeMood } from '../../domain/fleet/facts.ts';
import { isWorthTelling, nextHeartbeatIn, type Announced } from '../../domain/fleet/liveness.ts';
import type { GrantId, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import { sessionId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { agentOf } from '../../domain/run.ts';
import type { KillCause, SessionEnd } from '../../domain/session.ts';
import { openAgents } from '../../executor/agents.ts';
import { closeSession } from '../../executor/close-session.ts';
import { isDiskTrouble } from '../../executor/disk-trouble.ts';
import { definedOnly } from '../../executor/local-workplace.ts';
import { readJournal } from '../../host/journal.ts';
import type { MachineContent } from '../../matrix/events/index.ts';
import {
  followFleetRoom,
  listDeviceInbox,
  listFleetInbox,
  writeFleetCursor,
  type DeviceInboxMessage,
  type InboxEvent,
} from '../../storage/fleet.ts';
import {
  listNodeRuns,
  listOpenWork,
  pruneNodeWork,
  readWork,
  writeNodeRun,
  writeWork,
  type NodeRun,
  type OrderPlace,
  type WorkState,
} from '../../storage/node-work.ts';
import type { Db } from '../../storage/open.ts';
import { isLaneWaiting, readOutboxState } from '../../storage/outbox.ts';
import { watchCommits } from '../../storage/tail.ts';
import { openEar, type Ear } from '../ear.ts';
import { heartbeatContent } from '../heartbeat.ts';
import { grantWords, readDeviceContent } from '../messages.ts';
import { openSpeaker, packItems, whole, type Device, type Self, type Speaker } from '../speaker.ts';
import {
  buildSpawn,
  needsPreparation,
  prepare,
  readyAtOnce,
  reportOf,
  settingsOf,
  type ExecutionOptions,
  type Ready,
  type Refused,
} from './execution.ts';
import { parseOrder, toResultWords } from './words.ts';
import { openWork, rowOf, type Work } from './work.ts';

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

/** Makes this home a node of a room until the signal; its sessions live on, and the next start takes them over. */
export async function runNode(options: NodeOptions): Promise<void> {
  await new NodeRunner(options).run();
}

/** Two flushes are at least so far apart. */
const flushGapMs = 100;
/** A change that is told to the coordinator may be followed at once by the next. */
const tellWorkAfterMs = 150;
/** A claim waits up to so long at random: who sees the grant meanwhile keeps quiet. */
const claimWithinMs = 100;
/** An offer that nobody granted. */
const offerForMs = 15_000;
const leaseLookMs = 2_000;
const writeAgainMs = 2_000;
const keepForMs = 14 * 24 * 3600_000;
const reader = 'node';

interface FollowedRun extends NodeRun {
  /** On the clock that never jumps. */
  heardTick: number;
}

interface Giveback extends GrantId, Refused {}

class NodeRunner {
  readonly #options: NodeOptions;
  readonly #speaker: Speaker;
  readonly #ear: Ear;
  readonly #works = new Map<SessionId, Work>();
  readonly #runs = new Map<RunId, FollowedRun>();
  readonly #end = Promise.withResolvers<void>();
  #host: HostConnection | null = null;
  #connecting: Promise<void> | null = null;
  readonly #followed = new Set<RunId>();
  #journal: { readonly run: RunId; readonly entry: JournalEntry }[] = [];
  /** What promises have given, to be taken in the next turn. */
  #arrivals: (() => void)[] = [];
  /** What is done once the turn is committed. */
  #afterwards: (() => void)[] = [];
  #claims: Work[] = [];
  #givebacks: Giveback[] = [];
  #turn: NodeJS.Immediate | null = null;
  #flushTimer: NodeJS.Timeout | null = null;
  #flushedAt = -Infinity;
  readonly #untold = new Map<RunId, number>();
  #tellTimer: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #told: Announced | null = null;
  #isOver = false;
  #words: NodeWords | null = null;

  constructor(options: NodeOptions) {
    const { db, self, say } = options;
    this.#options = options;
    this.#speaker = openSpeaker(db, self, say);
    this.#ear = openEar(db, self.identity.did, reader);
  }

  async run(): Promise<void> {
    const { db, home, room, signal } = this.#options;
    if (signal.aborted) return;
    followFleetRoom(db, reader, room);
    pruneNodeWork(db, Date.now() - keepForMs);
    this.#load();
    signal.addEventListener('abort', () => this.#end.resolve(), { once: true });
    using _ = watchCommits(db, home.database, () => {
      this.#wake();
      this.#lookForDrain();
    });
    const leases = setInterval(() => this.#endSilent(), leaseLookMs);
    if ([...this.#works.values()].some(({ state }) => state.kind === 'asked')) this.#connect();
    this.#beat();
    this.#wake();
    try {
      await this.#end.promise;
    } finally {
      this.#isOver = true;
      clearInterval(leases);
      for (const timer of [this.#flushTimer, this.#tellTimer, this.#heartbeat]) if (timer !== null) clearTimeout(timer);
      if (this.#turn !== null) clearImmediate(this.#turn);
      for (const work of this.#works.values()) work.letGo?.();
      this.#host?.[Symbol.dispose]();
    }
  }

  /** Looks at the machine once a turn at most. */
  #describe(): NodeWords {
    this.#words ??= this.#options.describe();
    return this.#words;
  }

  #load(): void {
    const { db } = this.#options;
    const tick = performance.now();
    for (const run of listNodeRuns(db)) this.#runs.set(run.run, { ...run, heardTick: tick });
    for (const row of listOpenWork(db)) {
      if (row.place !== null) this.#works.set(row.session, openWork({ ...row, place: row.place }, tick));
    }
  }

  #wake(): void {
    if (this.#isOver) return;
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      try {
        this.#runTurn();
      } catch (error) {
        if (isDiskTrouble(error)) return this.#beginAnew(error);
        this.#isOver = true;
        this.#end.reject(error);
      }
    });
  }

  /** Nothing of the turn was written: what is on disk counts, and is read again once the disk may have room. */
  #beginAnew(error: Error): void {
    this.#options.say(`this home cannot be written (${error.message}): tried again in a while`);
    this.#turn = setImmediate(() => {}); // no turns meanwhile
    setTimeout(() => {
      this.#turn = null;
      this.#works.clear();
      this.#runs.clear();
      this.#journal = [];
      this.#arrivals = [];
      this.#afterwards = [];
      this.#claims = [];
      this.#givebacks = [];
      this.#load();
      this.#host?.[Symbol.dispose](); // the next connection tells what became of what was asked for
      this.#wake();
    }, writeAgainMs).unref();
  }

  /** One turn: all that came in, what follows from it, and what is to be told, in one transaction; then it is done. */
  #runTurn(): void {
    const { db } = this.#options;
    this.#words = null;
    const turn = db.transaction(() => {
      this.#takeEvents();
      this.#takeMessages();
      for (const { run, entry } of this.#journal.splice(0)) this.#takeEntry(run, entry);
      for (const take of this.#arrivals.splice(0)) take();
      this.#startHeld();
      this.#flush();
    });
    turn.immediate();
    for (const act of this.#afterwards.splice(0)) act();
  }

  /** A promise's value is taken in a turn of its own; its failure is a bug. */
  #whenDone<T>(promise: Promise<T>, take: (value: T) => void): void {
    promise.then(
      (value) => {
        this.#arrivals.push(() => take(value));
        this.#wake();
      },
      (error: unknown) => {
        this.#isOver = true;
        this.#end.reject(error);
      },
    );
  }

  // What came in ----------------------------------------------------------------------------------------------------------

  #takeEvents(): void {
    const { db } = this.#options;
    const events = listFleetInbox(db, reader);
    for (const event of events) this.#takeEvent(event);
    const last = events.at(-1);
    if (last === undefined) return;
    writeFleetCursor(db, reader, { inbox: last.seq });
    if (events.length >= 500) this.#wake();
  }

  #takeEvent(event: InboxEvent): void {
    if (!coordinatorsSay.has(event.type)) return;
    // Whoever is not trusted may not raise a run's epoch either.
    const heard = this.#ear.hear(event, 'coordinator');
    if (!heard.ok) {
      if (event.type === 'cis.dag.task.released' && event.content['by'] === 'node') return;
      return this.#options.say(
        `${event.type} of ${event.sender} not taken (${heard.error.kind}): ${heard.error.message}`,
      );
    }
    const { did, userId, event: machine } = heard.value;
    switch (machine.type) {
      case 'cis.dag.run.created': {
        const { run_id, coordinator, epoch } = machine.content;
        const device = { userId, deviceId: coordinator.device_id };
        if (this.#noteCoordinator(run_id as RunId, event.room, did, device, epoch)) this.#beatTo(device);
        if (this.#hasWork(run_id as RunId)) this.#changed(run_id as RunId);
        return;
      }
      case 'cis.dag.task.assigned': {
        const { run_id, epoch_base, coordinator, assignments } = machine.content;
        const run = run_id as RunId;
        const device = { userId, deviceId: coordinator.device_id };
        if (!this.#noteCoordinator(run, event.room, did, device, splitEpoch(epoch_base).coordinator)) return;
        for (const one of assignments) {
          const grant = { run, task: one.task_id as TaskId, attempt: one.attempt, epoch: one.epoch };
          this.#noteGrant(grant);
          const place = placeOfOrder(one, grant);
          if (one.to === this.#speaker.did) this.#takeGrant(grant, place, did);
          else this.#takeOther(grant);
          if (one.to === '*') this.#takeOffer(grant, place, did);
        }
        return;
      }
      case 'cis.dag.task.granted': {
        const { run_id, epoch_base, grants } = machine.content;
        const run = run_id as RunId;
        if (!this.#heardCoordinator(run, did, splitEpoch(epoch_base).coordinator)) return;
        for (const one of grants) {
          const grant = { run, task: one.task_id as TaskId, attempt: one.attempt, epoch: one.epoch };
          this.#noteGrant(grant);
          const offered = this.#works.get(sessionId(run, grant.task, grant.attempt));
          if (one.to !== this.#speaker.did) this.#takeOther(grant);
          else if (offered !== undefined) this.#takeGrant(grant, offered.place, did);
        }
        return;
      }
      case 'cis.dag.task.released':
        if (machine.content.by !== 'coordinator') return;
        for (const one of machine.content.releases) {
          const run = one.run_id as RunId;
          if (!this.#heardCoordinator(run, did, splitEpoch(one.epoch).coordinator)) continue;
          const work = this.#works.get(sessionId(run, one.task_id as TaskId, one.attempt));
          if (work === undefined || one.epoch < work.grant.epoch) continue;
          if (one.cause === 'superseded') this.#void(work);
          else this.#stop(work, one.cause ?? 'user');
        }
        return;
      case 'cis.dag.run.completed':
      case 'cis.dag.run.failed':
      case 'cis.dag.run.aborted':
        return this.#endRun(machine.content.run_id as RunId, did);
      default:
        return;
    }
  }

  #takeMessages(): void {
    const { db } = this.#options;
    const messages = listDeviceInbox(db, reader, ['cis.dag.run.alive']);
    for (const message of messages) this.#takeAlive(message);
    const last = messages.at(-1);
    if (last !== undefined) writeFleetCursor(db, reader, { devices: last.seq });
  }

  #takeAlive(message: DeviceInboxMessage): void {
    const content = readDeviceContent('cis.dag.run.alive', message.content);
    const heard = content === null ? null : this.#ear.hearDevice(message, 'coordinator');
    if (content === null || heard?.ok !== true) return;
    this.#heardCoordinator(content.run_id as RunId, heard.value.did, content.epoch);
  }

  /** Notes who coordinates a run. False: somebody with a higher epoch does. */
  #noteCoordinator(run: RunId, room: string, did: Did, device: Device, epoch: number): boolean {
    const { db, say } = this.#options;
    const known = this.#runs.get(run);
    if (known !== undefined && beats(known, { epoch, did })) {
      say(
        `${run}: ${did} (epoch ${epoch}) is not its coordinator any more: ${known.coordinator.did} is (epoch ${known.epoch})`,
      );
      return false;
    }
    const next = {
      run,
      room,
      coordinator: { did, ...device },
      epoch,
      seen: known?.seen ?? 0,
      heardTick: performance.now(),
    };
    const isSame =
      known?.epoch === epoch && known.coordinator.did === did && known.coordinator.deviceId === device.deviceId;
    this.#runs.set(run, next);
    if (!isSame) writeNodeRun(db, next, Date.now());
    return true;
  }

  /** Notes that the coordinator of a run was heard. False: it is not that one. */
  #heardCoordinator(run: RunId, did: Did, epoch: number): boolean {
    const known = this.#runs.get(run);
    if (known === undefined || known.coordinator.did !== did || epoch > known.epoch) return false;
    known.heardTick = performance.now();
    return true;
  }

  #noteGrant({ run, epoch }: GrantId): void {
    const known = this.#runs.get(run);
    if (known === undefined || epoch <= known.seen) return;
    const next = { ...known, seen: epoch };
    this.#runs.set(run, next);
    writeNodeRun(this.#options.db, next, Date.now());
  }

  /** Work that is ours from now on. What we have of it already goes on, under the new epoch. */
  #takeGrant(grant: GrantId, place: OrderPlace, coordinator: Did): void {
    const { db } = this.#options;
    const session = sessionId(grant.run, grant.task, grant.attempt);
    const work = this.#works.get(session);
    if (work?.state.kind === 'told') this.#forget(work, work.state.report);
    else if (work !== undefined) {
      if (grant.epoch <= work.grant.epoch && work.state.kind !== 'offered') return;
      work.grant = grant;
      work.isVoid = false;
      if (work.state.kind === 'offered') return this.#admit(work, coordinator);
      return this.#save(work);
    }
    const before = readWork(db, session);
    if (before !== null && before.epoch >= grant.epoch) return;
    const fresh = openWork({ ...grant, session, state: { kind: 'held' }, place }, performance.now());
    this.#works.set(session, fresh);
    // It was done already, under an epoch that is void now: the same report, under this one.
    if (before?.state.kind === 'over' && before.state.report !== null)
      return this.#move(fresh, { kind: 'ended', report: before.state.report });
    this.#admit(fresh, coordinator);
  }

  /** Takes work in, unless something stands against it. */
  #admit(work: Work, coordinator: Did): void {
    const refused = this.#refusal(work, coordinator);
    if (refused === null) this.#move(work, { kind: 'held' });
    else this.#giveBack(work, refused);
  }

  #refusal({ order }: Work, coordinator: Did): Refused | null {
    const { judge } = this.#options;
    const { mood } = this.#describe();
    if (mood.draining) return { errorClass: 'infra', reason: 'it is draining' };
    if (mood.unable.length > 0) return { errorClass: 'infra', reason: mood.unable.join('; ') };
    if (order === null) return null; // judged when it is there
    const judged = attempt(() => judge(order, coordinator));
    return judged.ok ? null : judged.error;
  }

  #takeOffer(grant: GrantId, place: OrderPlace, coordinator: Did): void {
    const session = sessionId(grant.run, grant.task, grant.attempt);
    if (this.#works.has(session) || this.#freeSlots() <= 0 || readWork(this.#options.db, session) !== null) return;
    const work = openWork({ ...grant, session, state: { kind: 'offered' }, place }, performance.now());
    const { order } = work;
    if (order !== null && !this.#offersAgent(order)) return;
    if (this.#refusal(work, coordinator) !== null) return;
    this.#works.set(session, work);
    this.#move(work, { kind: 'offered' });
    setTimeout(() => {
      if (work.state.kind !== 'offered') return;
      this.#claims.push(work);
      this.#wake();
    }, Math.random() * claimWithinMs).unref();
  }

  #offersAgent(order: TaskOrder): boolean {
    const agent = agentOf(settingsOf(order, this.#options.room), order.task);
    return agent === null || this.#describe().facts.agents.some(({ name }) => name === agent);
  }

  /** Another node has it under a higher epoch: we do not. */
  #takeOther(grant: GrantId): void {
    const work = this.#works.get(sessionId(grant.run, grant.task, grant.attempt));
    if (work !== undefined && grant.epoch > work.grant.epoch) this.#void(work);
  }

  #void(work: Work): void {
    if (work.isVoid) return;
    work.isVoid = true;
    this.#options.say(`${work.session}: it went to another node, or its coordinator counts it as lost: stopped here`);
    if (work.state.kind !== 'asked') return this.#forget(work, null);
    this.#stop(work, 'superseded');
  }

  /** Only whoever gave the work may say that there is no more of it. */
  #endRun(run: RunId, did: Did): void {
    if (this.#runs.get(run)?.coordinator.did !== did) return;
    for (const work of this.#works.values())
      if (work.grant.run === run && (work.state.kind === 'offered' || work.state.kind === 'held'))
        this.#forget(work, null);
  }

  // Sessions --------------------------------------------------------------------------------------------------------------

  #freeSlots(): number {
    const { slots } = this.#describe().facts;
    const taken = [...this.#works.values()].filter(({ state }) => state.kind === 'asked' || state.kind === 'held');
    return slots - taken.length;
  }

  #startHeld(): void {
    const { slots } = this.#describe().facts;
    const works = [...this.#works.values()];
    let busy = works.filter(({ state, isBusy }) => state.kind === 'asked' || (state.kind === 'held' && isBusy)).length;
    for (const work of works) {
      if (busy >= slots) return;
      if (work.state.kind !== 'held' || work.isBusy) continue;
      busy += 1;
      this.#begin(work);
    }
  }

  #begin(work: Work): void {
    const { home } = this.#options;
    if (work.order !== null && !needsPreparation(work.order))
      return this.#ask(work, work.order, readyAtOnce(home, work.order, this.#givenDir(work.order, work.grant.run)));
    work.isBusy = true;
    this.#whenDone(this.#prepare(work), (ready) => {
      work.isBusy = false;
      if (work.state.kind !== 'held' || this.#works.get(work.session) !== work) return;
      if (!ready.ok) return this.#giveBack(work, ready.error);
      if (work.order !== null) this.#ask(work, work.order, ready.value);
    });
  }

  /** On the coordinator's own machine tasks run where they would without a room. */
  #givenDir({ dag }: TaskOrder, run: RunId): string | null {
    return this.#runs.get(run)?.coordinator.did === this.#speaker.did ? dag.workDir : null;
  }

  async #prepare(work: Work): Promise<Result<Ready, Refused>> {
    const { courier, judge } = this.#options;
    const coordinator = (this.#runs.get(work.grant.run)?.coordinator.did ?? '') as Did;
    if (work.order === null && work.place.kind === 'media') {
      const bytes = await courier.getLarge(work.place.media);
      if (!bytes.ok) return { ok: false, error: { errorClass: 'infra', reason: `its order: ${bytes.error.detail}` } };
      const order = parseOrder(Buffer.from(bytes.value).toString('utf8'), work.grant);
      if (order === null) return { ok: false, error: { errorClass: 'task', reason: 'its order is malformed' } };
      const judged = judge(order, coordinator);
      if (!judged.ok) return judged;
      work.order = order;
    }
    const { order } = work;
    if (order === null) return { ok: false, error: { errorClass: 'task', reason: 'its order is malformed' } };
    return prepare(this.#options, order, coordinator, this.#givenDir(order, work.grant.run));
  }

  #ask(work: Work, order: TaskOrder, ready: Ready): void {
    const built = attempt(() => {
      work.agents = this.#agentsOf(order);
      return ok(buildSpawn(this.#options, order, work.session, work.grant.epoch, ready, work.agents));
    });
    if (!built.ok) return this.#giveBack(work, built.error);
    const spawn = built.value;
    if (!spawn.ok) return this.#endUnstarted(work, spawn.error);
    this.#move(work, { kind: 'asked', startedAt: Date.now(), cwd: ready.cwd, seq: 0 });
    work.isUnsent = true;
    this.#afterwards.push(() => {
      this.#connect();
      void (this.#connecting ?? Promise.resolve()).then(async () => {
        work.isUnsent = false;
        this.#follow(work.grant.run);
        const reply = await this.#host?.request({ kind: 'spawn', spawn: spawn.value });
        if (reply === undefined || reply.ok) return;
        const { error } = reply;
        if (error.kind === 'session-exists' || error.kind === 'disconnected' || error.kind === 'stopping') return;
        const reason =
          error.kind === 'not-started' ? error.reason : error.kind === 'bad-request' ? error.detail : error.kind;
        this.#arrivals.push(() => {
          if (work.state.kind === 'asked') this.#endUnstarted(work, reason);
        });
        this.#wake();
      });
    });
  }

  #agentsOf(order: TaskOrder): Work['agents'] {
    const { home, tables, env, room } = this.#options;
    if (order.task.action.kind !== 'agent') return null;
    return openAgents({ home, settings: settingsOf(order, room), tables, env });
  }

  #endUnstarted(work: Work, reason: string): void {
    this.#endAs(work, { kind: 'not-started', reason }, { errorClass: 'task', reason });
  }

  /** Ends what has no session, or whose session never was. */
  #endAs(work: Work, end: SessionEnd, more: Partial<TaskReport> = {}): void {
    const output = { bytes: 0, cutFrom: null, source: 'none' } as const;
    this.#move(work, { kind: 'ended', report: { end, endedAt: Date.now(), output, files: [], ...more } });
  }

  #stop(work: Work, cause: KillCause): void {
    if (work.stop !== null) return;
    work.stop = cause;
    if (work.state.kind === 'held' || work.state.kind === 'offered')
      return this.#endAs(work, { kind: 'killed', by: cause, signal: 'SIGTERM' });
    if (work.state.kind === 'asked') this.#afterwards.push(() => this.#kill(work, cause));
  }

  #kill({ session }: Work, cause: KillCause): void {
    const { killGraceMs } = this.#options;
    void this.#host?.request({ kind: 'kill', session, signal: 'SIGTERM', graceMs: killGraceMs, cause });
  }

  // The host --------------------------------------------------------------------------------------------------------------

  #connect(): void {
    if (this.#host !== null || this.#connecting !== null) return;
    this.#connecting = this.#openHost().finally(() => (this.#connecting = null));
    this.#connecting.catch((error: unknown) => this.#end.reject(error));
  }

  async #openHost(): Promise<void> {
    const { home, connect, hostIdleMs, env, say } = this.#options;
    const connected = await connect({ home, what: 'a node', start: true, idleMs: hostIdleMs });
    if (this.#isOver) return connected.ok ? connected.value[Symbol.dispose]() : undefined;
    if (!connected.ok) {
      say(`the host cannot be reached (${connected.error.kind}): tried again`);
      setTimeout(() => this.#connect(), 1000).unref();
      return;
    }
    const host = connected.value;
    this.#host = host;
    this.#followed.clear();
    host.listen({
      journal: (run, entry) => {
        this.#journal.push({ run, entry });
        this.#wake();
      },
    });
    void host.request({ kind: 'environment', env: definedOnly(env) });
    void host.closed.then(() => this.#lostHost(host));
    await this.#reconcile(host);
  }

  #lostHost(host: HostConnection): void {
    if (this.#host !== host || this.#isOver) return;
    this.#host = null;
    this.#followed.clear();
    if ([...this.#works.values()].some(({ state }) => state.kind === 'asked')) this.#connect();
  }

  /** What became of sessions that were asked for before we were here, or before this host was. */
  async #reconcile(host: HostConnection): Promise<void> {
    // What waits for this connection to be asked for is not there yet, and will be.
    const asked = [...this.#works.values()].filter(({ state, isUnsent }) => state.kind === 'asked' && !isUnsent);
    if (asked.length === 0) return;
    const list = await host.request({ kind: 'list', run: null });
    if (!list.ok || list.value.kind !== 'sessions') return;
    const living = new Set(list.value.sessions.map(({ session }) => session));
    for (const work of asked) {
      const known = readJournal(journalPath(this.#options.home, work.grant.run), 0).filter(
        ({ session }) => session === work.session,
      );
      this.#arrivals.push(() => this.#settle(work, living.has(work.session), known));
      this.#follow(work.grant.run);
    }
    this.#wake();
  }

  #settle(work: Work, isLiving: boolean, known: readonly JournalEntry[]): void {
    if (work.state.kind !== 'asked') return;
    work.agents ??= work.order === null ? null : this.#agentsOf(work.order);
    if (isLiving) {
      if (work.stop !== null) this.#kill(work, work.stop);
      return;
    }
    if (known.some(({ event }) => event.kind === 'ended')) return; // told by the journal we follow
    if (known.length === 0) return this.#move(work, { kind: 'held' }); // it certainly did not start
    this.#endAs(work, { kind: 'lost' }, { errorClass: 'infra', reason: 'the host of the node died' });
  }

  #follow(run: RunId): void {
    if (this.#host === null || this.#followed.has(run)) return;
    this.#followed.add(run);
    void this.#host.request({ kind: 'follow', run, after: 0 });
  }

  #takeEntry(run: RunId, { seq, at, session, event }: JournalEntry): void {
    const work = this.#works.get(session);
    if (work === undefined || work.state.kind !== 'asked') return;
    if (event.kind === 'turn-done') return this.#takeTurnDone(work, event);
    if (event.kind === 'ended') return this.#takeEnd(work, event.end, at);
    if (event.kind === 'spawned') work.pid = event.pid;
    if (seq <= work.journalSeq) return;
    work.journalSeq = seq;
    switch (event.kind) {
      case 'spawned':
        return this.#changed(run);
      case 'blocked':
        this.#speaker.say(this.#options.room, 'question', 'cis.dag.session.blocked', {
          at,
          ...this.#me(),
          ...grantWords(work.grant),
          block_id: event.block.id,
          session_id: session,
          ...blockWords(event.block),
        });
        return this.#move(work, { ...work.state, seq });
      case 'unblocked':
        this.#speaker.say(this.#options.room, 'outcome', 'cis.dag.session.recovered', {
          at,
          did: this.#speaker.did,
          run_id: run,
          epoch: work.grant.epoch,
          block_id: event.block,
          by: event.source.by,
          via: event.source.via,
          ...(event.answer === null ? {} : { answer: JSON.stringify(event.answer) }),
        });
        return this.#move(work, { ...work.state, seq });
      default:
        return;
    }
  }

  /** An agent whose turn is done has finished its task: its program is closed, and what it said last is its output. */
  #takeTurnDone(work: Work, event: Extract<JournalEntry['event'], { kind: 'turn-done' }>): void {
    const { agents, order } = work;
    if (agents === null || order === null) return;
    const isFirst = work.said === undefined;
    work.said = event.message;
    if (event.thread !== undefined) agents.noteThread(order.task, event.thread);
    const steps = isFirst ? agents.closing(order.task) : null;
    if (steps === null) return;
    this.#afterwards.push(() => {
      const host = this.#host;
      if (host === null) return;
      const ended = Promise.withResolvers<void>();
      work.letGo = ended.resolve;
      void closeSession(host, work.session, steps, ended.promise).then(() => {
        if (work.letGo !== null && !this.#isOver) this.#kill(work, 'done');
      });
    });
  }

  #takeEnd(work: Work, end: SessionEnd, endedAt: number): void {
    const { state, order } = work;
    work.letGo?.();
    work.letGo = null;
    if (state.kind !== 'asked' || work.isBusy) return;
    if (work.isVoid || order === null) return this.#forget(work, null);
    const counted = countedEnd(work, end);
    const said =
      order.task.action.kind === 'agent'
        ? (work.agents?.message(order.task, order.attempt, work.said ?? null) ?? null)
        : null;
    work.isBusy = true;
    const { startedAt, cwd } = state;
    this.#whenDone(reportOf(this.#options, order, { end: counted, startedAt, endedAt, cwd }, said), (report) => {
      work.isBusy = false;
      if (work.isVoid) return this.#forget(work, null);
      this.#move(work, { kind: 'ended', report });
    });
  }

  // What is written and told ----------------------------------------------------------------------------------------------

  #move(work: Work, state: WorkState): void {
    work.state = state;
    this.#save(work);
  }

  #save(work: Work): void {
    writeWork(this.#options.db, rowOf(work), Date.now());
    this.#changed(work.grant.run);
  }

  #forget(work: Work, report: TaskReport | null): void {
    this.#move(work, { kind: 'over', report });
    this.#works.delete(work.session);
  }

  #giveBack(work: Work, refused: Refused): void {
    this.#options.say(`${work.session}: given back (${refused.errorClass}): ${refused.reason}`);
    this.#givebacks.push({ ...work.grant, ...refused });
    this.#forget(work, null);
  }

  #me(): { readonly node: string; readonly did: Did } {
    return { node: this.#speaker.node, did: this.#speaker.did };
  }

  /** Tells what is to be told, as much at once as there is; while the last of it waits to be sent, more gathers. */
  #flush(): void {
    const { db, room } = this.#options;
    this.#dropOffers();
    this.#closeTold();
    const ended = [...this.#works.values()].filter(({ state }) => state.kind === 'ended');
    if (ended.length + this.#claims.length + this.#givebacks.length === 0) return;
    const inMs = this.#flushedAt + flushGapMs - performance.now();
    if (inMs > 0) {
      this.#flushTimer ??= setTimeout(() => {
        this.#flushTimer = null;
        this.#wake();
      }, inMs);
      return;
    }
    if (isLaneWaiting(db, room, 'work')) return;
    this.#flushedAt = performance.now();
    this.#tellResults(ended);
    this.#tellReleases();
    this.#tellClaims();
  }

  #tellResults(ended: readonly Work[]): void {
    const { room } = this.#options;
    const items = ended.flatMap((work) => {
      const { state } = work;
      return state.kind === 'ended'
        ? [{ work, report: state.report, words: toResultWords(work.grant, state.report) }]
        : [];
    });
    for (const batch of packItems(items, ({ words }) => words)) {
      const results = batch.map(({ words }) => words);
      const row = this.#speaker.say(room, 'work', 'cis.dag.task.result', { at: Date.now(), ...this.#me(), results });
      for (const { work, report } of batch) this.#move(work, { kind: 'told', report, row });
    }
  }

  #tellReleases(): void {
    const { room } = this.#options;
    const items = this.#givebacks.splice(0).map((one) => ({
      ...grantWords(one),
      reason: one.reason.slice(0, 1000),
      error_class: one.errorClass,
    }));
    for (const releases of packItems(items, whole))
      this.#speaker.say(room, 'work', 'cis.dag.task.released', { at: Date.now(), by: 'node', ...this.#me(), releases });
  }

  #tellClaims(): void {
    const { room } = this.#options;
    const open = this.#claims.splice(0).filter(({ state }) => state.kind === 'offered');
    const { load } = this.#describe();
    const items = open.map(({ grant }) => ({
      ...grantWords(grant),
      slots_free: Math.max(0, this.#freeSlots()),
      load_centi: load.loadCenti,
    }));
    for (const claims of packItems(items, whole))
      this.#speaker.say(room, 'work', 'cis.dag.task.claimed', { at: Date.now(), ...this.#me(), claims });
  }

  /** What the room has is over here. */
  #closeTold(): void {
    for (const work of this.#works.values()) {
      if (work.state.kind !== 'told') continue;
      const { row, report } = work.state;
      const sent = row === null ? null : readOutboxState(this.#options.db, row);
      if (sent?.kind !== 'waiting') this.#forget(work, report);
    }
  }

  #dropOffers(): void {
    const since = performance.now() - offerForMs;
    for (const work of this.#works.values())
      if (work.state.kind === 'offered' && work.since < since) this.#forget(work, null);
  }

  /** Tells the coordinator soon what we have of its run, from device to device. */
  #changed(run: RunId): void {
    if (!this.#untold.has(run)) this.#untold.set(run, performance.now() + tellWorkAfterMs);
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = null;
      const now = performance.now();
      const due = [...this.#untold].filter(([, at]) => at <= now + 1).map(([one]) => one);
      for (const one of due) this.#untold.delete(one);
      const [next] = [...this.#untold.values()];
      for (const one of due) this.#tellWork(one);
      if (next !== undefined) this.#changed([...this.#untold.keys()][0] ?? run);
    }, tellWorkAfterMs);
  }

  #tellWork(run: RunId): void {
    const followed = this.#runs.get(run);
    if (followed === undefined || this.#isOver) return;
    const { coordinator, seen } = followed;
    const works = [...this.#works.values()].filter(({ grant, state }) => grant.run === run && state.kind !== 'offered');
    const work = works.map(({ grant, state, pid }) => ({
      task_id: grant.task,
      attempt: grant.attempt,
      epoch: grant.epoch,
      state: workWords[state.kind],
      ...(pid === null ? {} : { pid }),
      ...(state.kind === 'asked' ? { started_at: state.startedAt } : {}),
    }));
    const content = { at: Date.now(), ...this.#me(), run_id: run, seen, work };
    const only = `work ${run} ${coordinator.deviceId}`;
    const tell = this.#options.db.transaction(() =>
      this.#speaker.tell(coordinator, 'cis.node.work', content, { only, forMs: 60_000 }),
    );
    tell.immediate();
  }

  // Heartbeats ------------------------------------------------------------------------------------------------------------

  #beat(): void {
    if (this.#isOver) return;
    this.#words = null;
    const { db, room } = this.#options;
    const { facts, mood } = this.#describe();
    const beat = db.transaction(() => {
      if (isWorthTelling(this.#told, { facts, mood }))
        this.#speaker.say(room, 'machine', 'cis.node.heartbeat', this.#heartbeatWords());
      for (const device of this.#coordinators()) this.#beatTo(device);
    });
    beat.immediate();
    this.#told = { facts, mood };
    for (const run of this.#runs.keys()) if (this.#hasWork(run)) this.#tellWork(run);
    this.#heartbeat = setTimeout(() => this.#beat(), nextHeartbeatIn(Math.random()));
  }

  /** `cis node drain` is told at once; what else changes, with the next heartbeat. */
  #lookForDrain(): void {
    this.#words = null;
    const { draining } = this.#describe().mood;
    if (this.#isOver || draining === this.#told?.mood.draining) return;
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat);
    this.#beat();
  }

  #hasWork(run: RunId): boolean {
    return [...this.#works.values()].some(({ grant }) => grant.run === run);
  }

  #beatTo(device: Device): void {
    const only = `heartbeat ${device.userId} ${device.deviceId}`;
    this.#speaker.tell(device, 'cis.node.heartbeat', this.#heartbeatWords(), { only, forMs: 30_000 });
  }

  #heartbeatWords() {
    const { facts, load, mood } = this.#describe();
    const held = [...this.#works.values()].filter(({ state }) => state.kind !== 'offered');
    const leases = held.map(({ grant }) => grant);
    const slotsFree = Math.max(0, this.#freeSlots());
    return heartbeatContent({ facts, mood, leases, load: { ...load, slotsFree } }, Date.now());
  }

  /** Who was heard lately, or whose work we have. */
  #coordinators(): Device[] {
    const since = performance.now() - 10 * 60_000;
    const lately = [...this.#runs.values()].filter(({ run, heardTick }) => heardTick > since || this.#hasWork(run));
    const devices = lately.map(
      ({ coordinator: { userId, deviceId } }) => [`${userId} ${deviceId}`, { userId, deviceId }] as const,
    );
    return [...new Map(devices).values()];
  }

  /** Whoever does not hear its coordinator cannot know whether the work is still its own: what may be run again is ended. */
  #endSilent(): void {
    const { leaseMs, say } = this.#options;
    const now = performance.now();
    for (const work of this.#works.values()) {
      const heardTick = this.#runs.get(work.grant.run)?.heardTick ?? now;
      if (now - heardTick < leaseMs || work.state.kind !== 'asked' || work.stop !== null) continue;
      if (work.order?.task.idempotent !== true) continue;
      say(`${work.session}: its coordinator was not heard for ${Math.round(leaseMs / 1000)} s: stopped`);
      this.#stop(work, 'superseded');
    }
    this.#wake();
  }
}

/** An order that is not as orders are, or a machine that has no room for its files, is no reason to fall. */
function attempt<T>(make: () => Result<T, Refused>): Result<T, Refused> {
  try {
    return make();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isMachine = error instanceof Error && 'code' in error;
    return err({ errorClass: isMachine ? 'infra' : 'task', reason });
  }
}

/** What is said by coordinators; the rest of the room is not for nodes. */
const coordinatorsSay: ReadonlySet<string> = new Set([
  'cis.dag.run.created',
  'cis.dag.run.completed',
  'cis.dag.run.failed',
  'cis.dag.run.aborted',
  'cis.dag.task.assigned',
  'cis.dag.task.granted',
  'cis.dag.task.released',
]);

const workWords = {
  offered: 'held',
  held: 'held',
  asked: 'running',
  ended: 'ended',
  told: 'ended',
  over: 'ended',
} as const satisfies Record<WorkState['kind'], string>;

/** Of two coordinators the one with the higher epoch; with the same one, who took a run over at the same time, the higher key. */
function beats(known: FollowedRun, other: { readonly epoch: number; readonly did: string }): boolean {
  if (known.epoch !== other.epoch) return known.epoch > other.epoch;
  return known.coordinator.did > other.did;
}

/** A program that was closed when its turn was done has done its task, whatever it exits with. */
function countedEnd({ agents, order, said }: Work, end: SessionEnd): SessionEnd {
  const isClosed = said !== undefined && order !== null && (agents?.closing(order.task) ?? null) !== null;
  if (!isClosed || (end.kind !== 'exited' && end.kind !== 'signalled')) return end;
  return { kind: 'killed', by: 'done', signal: end.kind === 'signalled' ? end.signal : 'SIGTERM' };
}

type Assignment = MachineContent<'cis.dag.task.assigned'>['assignments'][number];

function placeOfOrder({ order, order_media }: Assignment, grant: GrantId): OrderPlace {
  if (order_media !== undefined) return { kind: 'media', media: order_media };
  const parsed = parseOrder(order ?? '', grant);
  if (parsed !== null) return { kind: 'here', order: parsed };
  return { kind: 'media', media: { mxc: '', sha256: '', bytes: 0 } }; // fails when it is fetched, and says so
}

function blockWords(block: Extract<JournalEntry['event'], { kind: 'blocked' }>['block']) {
  const { kind, question, choices, selected, fingerprint, command, until, since, rule, input } = block;
  return {
    kind,
    question: question.slice(0, 4000),
    choices: choices
      .slice(0, 50)
      .map(({ label, key }) => ({ label: label.slice(0, 300), ...(key === undefined ? {} : { key }) })),
    selected,
    fingerprint,
    since,
    rule,
    ...(command === undefined ? {} : { command: command.slice(0, 4000) }),
    ...(until === undefined ? {} : { until }),
    ...(input === undefined ? {} : { input }),
  };
}

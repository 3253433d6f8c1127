import { parseSessionId, sessionId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { KillCause } from '../../domain/session.ts';
import type { Task } from '../../domain/dag.ts';
import { isDiskTrouble } from '../../executor/disk-trouble.ts';
import { noOutput } from '../../executor/output.ts';
import type { Leavings, Survey, Workplace, WorkplaceConnection, WorkplaceListeners } from '../../executor/workplace.ts';
import type { Workspaces } from '../../executor/workspaces.ts';
import type { JournalEntry } from '../../host/protocol.ts';
import { readBridgeRun } from '../../storage/bridge.ts';
import { followFleetRoom, readFleetLink } from '../../storage/fleet.ts';
import { listEntries, listLeases, readReport } from '../../storage/fleet-leases.ts';
import { watchCommits } from '../../storage/tail.ts';
import { openAnnouncer, type Announcer } from './announce.ts';
import { Desk, type FleetOptions } from './desk.ts';
import { Intake } from './intake.ts';
import { leaseOf, reportOf } from './lease.ts';
import { Placer } from './placer.ts';
import { Watch } from './watch.ts';

const lookEveryMs = 500;

/** Opens the nodes of a room as the workplace of a run. */
export function openFleet(options: FleetOptions): Workplace {
  return new Fleet(options);
}

export function readerOf(run: RunId): string {
  return `run:${run}`;
}

class Fleet implements Workplace, WorkplaceConnection {
  readonly #desk: Desk;
  readonly #intake: Intake;
  readonly #placer: Placer;
  readonly #watch: Watch;
  readonly #announcer: Announcer;
  readonly #reader: string;
  readonly #closed = Promise.withResolvers<void>();
  #listeners: WorkplaceListeners | null = null;
  #commits: Disposable | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  #turn: NodeJS.Immediate | null = null;
  #problem: string | null = null;

  constructor(options: FleetOptions) {
    this.#reader = readerOf(options.settings.run);
    this.#desk = new Desk(options, () => this.#wake());
    this.#intake = new Intake(this.#desk, this.#reader, (by) => this.#giveWay(by));
    this.#placer = new Placer(this.#desk);
    this.#watch = new Watch(this.#desk, this.#placer);
    this.#announcer = openAnnouncer({ ...options, speaker: this.#desk.speaker, reader: this.#reader });
  }

  get workspaces(): Workspaces {
    return this.#desk.options.workspaces;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  connect(listeners: WorkplaceListeners, after: number): Promise<Result<WorkplaceConnection, never>> {
    const { db, settings, home } = this.#desk.options;
    this.#listeners = listeners;
    for (const row of listLeases(db, settings.run))
      if (row.state.kind !== 'over') this.#desk.leases.set(row.session, leaseOf(row));
    for (const entry of listEntries(db, settings.run, after)) listeners.entry(entry as JournalEntry);
    for (const lease of this.#desk.leases.values()) {
      if (lease.state.kind === 'queued' || lease.state.kind === 'offered') this.#desk.makeOrder(lease);
      if (lease.state.kind === 'fetching') this.#intake.fetch(lease, lease.state.report);
    }
    this.#commits = watchCommits(db, home.database, () => {
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
    const { db, settings } = this.#desk.options;
    return Promise.resolve({
      entries: listEntries(db, settings.run, 0) as JournalEntry[],
      living: new Set(this.#desk.leases.keys()),
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
    if (this.#desk.leases.has(session)) return;
    const { run } = this.#desk.options.settings;
    const row = { run, task, attempt, session, epoch: 0, state: { kind: 'queued' }, refusals: {} } as const;
    const lease = leaseOf(row);
    this.#desk.leases.set(session, lease);
    this.#desk.arrivals.push(() => this.#desk.save(lease));
    this.#desk.makeOrder(lease);
  }

  kill(session: SessionId, cause: KillCause): void {
    this.#desk.arrivals.push(() => {
      const lease = this.#desk.leases.get(session);
      if (lease === undefined) return;
      switch (lease.state.kind) {
        case 'queued':
        case 'offered':
          return this.#desk.end(lease, reportOf({ kind: 'killed', by: cause, signal: 'SIGTERM' }), null);
        case 'given':
          return this.#desk.release(this.#desk.grantOf(lease), cause, cause);
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
    const { home, settings, db } = this.#desk.options;
    const report = readReport(db, settings.run, sessionId(settings.run, task.id, attempt));
    const result = report?.work;
    if (result === undefined) return err('its node did not tell what it changed');
    const courier = this.#desk.openCourier();
    if (!courier.ok) return courier;
    const { unpackResult } = await import('../travel/unpack-result.ts');
    const taken = await unpackResult({ home, run: settings.run, task: task.id, result, courier: courier.value });
    if (!taken.ok) return err(taken.error.detail);
    return ok({ commit: result.commit, files: 0, workspace: taken.value });
  }

  leavings(task: Task, attempt: number): Leavings {
    const { db, settings } = this.#desk.options;
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
    this.#commits?.[Symbol.dispose]();
    this.#placer[Symbol.dispose]();
    for (const timer of [this.#ticker, this.#lookTimer]) if (timer !== null) clearTimeout(timer);
    if (this.#turn !== null) clearImmediate(this.#turn);
    // The last word of the run; the bridge sends it after we are gone.
    if (this.#desk.place !== null) this.#announcer.look(this.#desk.place);
  }

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
    const { db } = this.#desk.options;
    if (!this.#isPlaced()) return;
    const turn = db.transaction(() => {
      this.#intake.takeEvents();
      if (this.#listeners === null) return;
      if (this.#desk.introduced === null && this.#desk.place !== null)
        this.#desk.introduced = this.#announcer.introduce(this.#desk.place);
      this.#intake.takeMessages();
      for (const take of this.#desk.arrivals.splice(0)) take();
      this.#watch.look();
      this.#placer.flush();
    });
    turn.immediate();
    this.#deliver();
    this.#look();
  }

  /** What the turn brought for the driver, once it is on disk. */
  #deliver(): void {
    const listeners = this.#listeners;
    if (listeners === null) return;
    for (const note of this.#desk.notes.splice(0)) listeners.note(note);
    for (const session of this.#desk.found.splice(0)) listeners.found(session);
    for (const entry of this.#desk.entries.splice(0)) listeners.entry(entry);
  }

  #look(): void {
    if (this.#desk.place === null || this.#lookTimer !== null) return;
    const waitMs = this.#announcer.look(this.#desk.place);
    if (waitMs === null) return;
    this.#lookTimer = setTimeout(() => {
      this.#lookTimer = null;
      this.#look();
    }, waitMs);
  }

  /** The bridge asks the homeserver where the room is; until it knows nothing can be said. */
  #isPlaced(): boolean {
    if (this.#desk.place !== null) return true;
    const { db, settings, say } = this.#desk.options;
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
    followFleetRoom(db, this.#reader, row.place.machineRoom);
    // What others said while we were not there comes first: the run may be theirs by now.
    if (readFleetLink(db) === null) return false;
    this.#desk.place = row.place;
    return true;
  }

  /** The run is somebody else's by now. */
  #giveWay(by: string): void {
    const listeners = this.#listeners;
    this.#listeners = null;
    listeners?.superseded(by);
  }
}

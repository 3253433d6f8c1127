import type { Home } from '../../config/home.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { HeldLease } from '../../domain/fleet/facts.ts';
import type { GrantId, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import type { SessionId, TaskId } from '../../domain/ids.ts';
import type { NodeEvent } from '../../domain/event.ts';
import type { RunModel, TaskNode } from '../../domain/plan-model.ts';
import type { RoomPlace } from '../../domain/room.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { KillCause } from '../../domain/session.ts';
import type { Task } from '../../domain/dag.ts';
import { openContext, type Context } from '../../executor/context.ts';
import type { Workspaces } from '../../executor/workspaces.ts';
import type { JournalEntry, JournalEvent } from '../../host/protocol.ts';
import { canonicalJson } from '../../matrix/content.ts';
import { appendEntry, writeLease } from '../../storage/fleet-leases.ts';
import type { Db } from '../../storage/open.ts';
import { readOutboxState } from '../../storage/outbox.ts';
import { readWorkspace } from '../../worktree/record.ts';
import { openSpeaker, type Self, type Speaker } from '../speaker.ts';
import type { Courier } from '../travel/courier.ts';
import { openNodes, type Nodes } from './nodes.ts';
import { buildOrder } from './order.ts';
import { reportOf, type Lease } from './lease.ts';

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

/** What the parts of a coordinator have in common: the attempts it gives away, and what a turn brings for the driver and for the room. */
export class Desk {
  readonly options: FleetOptions;
  readonly speaker: Speaker;
  readonly nodes: Nodes;
  readonly context: Context;
  /** Attempts that are not over. */
  readonly leases = new Map<SessionId, Lease>();
  /** What is to be told to nodes that have what they should not. */
  readonly releases: { readonly grant: GrantId; readonly cause: KillCause; readonly reason: string }[] = [];
  /** What promises have given, to be taken in the next turn. */
  readonly arrivals: (() => void)[] = [];
  /** For the driver, once the turn is on disk. */
  readonly entries: JournalEntry[] = [];
  readonly found: SessionId[] = [];
  readonly notes: NodeEvent[] = [];
  place: RoomPlace | null = null;
  /** The row of the event that introduced us. */
  introduced: number | null = null;
  /** How long attempts of the run took lately; long ones count at once. */
  usualMs: number | null = null;
  /** Asks for a turn. */
  readonly wake: () => void;
  #courier: Courier | null = null;

  constructor(options: FleetOptions, wake: () => void) {
    const { db, self, settings, say } = options;
    this.options = options;
    this.wake = wake;
    this.speaker = openSpeaker(db, self, say);
    this.nodes = openNodes(db, self.identity.did, settings.run);
    this.context = openContext({ ...options, pending: () => null });
  }

  /** Where machine events go. */
  get room(): string {
    return this.place === null ? '' : (this.place.machineRoom ?? this.place.room);
  }

  openCourier(): Result<Courier, string> {
    if (this.#courier !== null) return ok(this.#courier);
    const opened = this.options.courier(this.options.isEncrypted(this.room));
    if (opened.ok) this.#courier = opened.value;
    return opened;
  }

  whenDone<T>(promise: Promise<T>, take: (value: T) => void): void {
    promise.then(
      (value) => {
        this.arrivals.push(() => take(value));
        this.wake();
      },
      (error: unknown) => {
        setImmediate(() => {
          throw error; // a bug
        });
      },
    );
  }

  again(take: () => void): void {
    this.arrivals.push(take);
    this.wake();
  }

  makeOrder(lease: Lease): void {
    this.whenDone(this.orderFor(lease), (made) => {
      if (this.leases.get(lease.session) !== lease || lease.state.kind === 'over') return;
      if (made.ok) lease.order = { order: made.value, text: canonicalJson(made.value) };
      else this.end(lease, { ...reportOf({ kind: 'not-started', reason: made.error }), errorClass: 'policy' }, null);
    });
  }

  async orderFor({ task: id, attempt }: Lease): Promise<Result<TaskOrder, string>> {
    const { db, home, model } = this.options;
    const { node, rollback } = this.nodeOf(id);
    if (node === undefined) return err(`there is no task ${id}`);
    const { task } = node;
    const { settings } = this.options;
    const facts = {
      db,
      settings,
      context: this.context,
      redact: this.options.redact,
      courier: () => this.openCourier(),
    };
    if (task.workspace !== 'worktree') return buildOrder(facts, task, attempt, rollback, null);
    const workspace = readWorkspace(home.worktrees, model.run, task.id);
    if (workspace === null) return err('its worktree is gone');
    const courier = this.openCourier();
    if (!courier.ok) return courier;
    const { packWorkspace } = await import('../travel/pack-workspace.ts');
    const source = await packWorkspace({ home, workspace, courier: courier.value });
    if (!source.ok) return err(`its files cannot be sent: ${source.error.detail}`);
    return buildOrder(facts, withoutDir(task), attempt, rollback, source.value);
  }

  nodeOf(id: TaskId): { readonly node: TaskNode | undefined; readonly rollback: number | null } {
    const { byId } = this.options.model;
    const node = byId.get(id);
    if (node !== undefined) return { node, rollback: null };
    const [, of = '', index = ''] = /^(.*)\.rollback-(\d+)$/.exec(id) ?? [];
    return { node: byId.get(of as TaskId), rollback: Number(index) };
  }

  /** Whether an event was sent so long ago; what still waits to be sent was not heard by anybody. */
  isPast(row: number | null, ms: number, now: number): boolean {
    const sent = row === null ? null : readOutboxState(this.options.db, row);
    return sent?.kind === 'sent' ? now - sent.sentAt > ms : sent?.kind === 'parked';
  }

  heldBy(did: Did): HeldLease[] {
    return [...this.leases.values()].flatMap((lease) =>
      lease.state.kind === 'given' && lease.state.did === did ? [this.grantOf(lease)] : [],
    );
  }

  save(lease: Lease): void {
    const { db, settings } = this.options;
    const { task, attempt, session, epoch, state, refusals } = lease;
    writeLease(db, { run: settings.run, task, attempt, session, epoch, state, refusals });
  }

  grantOf({ task, attempt, epoch }: Lease): GrantId {
    return { run: this.options.settings.run, task, attempt, epoch };
  }

  append(session: SessionId, event: JournalEvent, at: number, report?: TaskReport): void {
    const { db, settings } = this.options;
    const entry = { at, session, event };
    const seq = appendEntry(db, settings.run, report === undefined ? entry : { ...entry, report });
    this.entries.push({ seq, ...entry });
  }

  end(lease: Lease, report: TaskReport, did: Did | null): void {
    lease.state = { kind: 'over', did };
    this.save(lease);
    this.leases.delete(lease.session);
    this.append(lease.session, { kind: 'ended', end: report.end }, report.endedAt, report);
  }

  requeue(lease: Lease, reason: string): void {
    lease.state = { kind: 'queued' };
    lease.missingSince = null;
    lease.isRevoked = false;
    lease.claims.clear();
    this.save(lease);
    if (lease.order === null) this.makeOrder(lease);
    this.options.say(`${lease.session}: to be given anew: ${reason}`);
  }

  release(grant: GrantId, cause: KillCause, reason: string): void {
    this.releases.push({ grant, cause, reason });
  }
}

/** A task with a worktree starts in it, wherever that is. */
function withoutDir(task: Task): Task {
  const { workDir: _, ...rest } = task;
  return rest;
}

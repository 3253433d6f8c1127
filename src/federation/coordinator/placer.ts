import type { Demand } from '../../domain/fleet/demand.ts';
import type { Did } from '../../domain/fleet/did.ts';
import { composeEpoch } from '../../domain/fleet/epoch.ts';
import { place, type Candidate, type Placing } from '../../domain/fleet/place.ts';
import { fairTake } from '../../domain/fleet/share.ts';
import { countLeases } from '../../storage/fleet-leases.ts';
import { readDevice } from '../../storage/device.ts';
import { isLaneWaiting } from '../../storage/outbox.ts';
import { grantWords } from '../messages.ts';
import { packItems, whole } from '../speaker.ts';
import { demandFor } from './demand.ts';
import type { Desk } from './desk.ts';
import { reportOf, wordsOf, type Lease } from './lease.ts';

const flushGapMs = 100;
/** Nodes that were there before us answer within this time. */
const discoverForMs = 2_000;
const offerAgainMs = 30_000;
const leaseMs = 120_000;
/** What of an event an order may take; larger ones go through the media store. */
const orderBytes = 30_000;
/** How many times its slots a node may have while attempts are shorter than what it takes to say a word about them. */
const slotsAhead = 3;
const quickMs = 500;
const quickLimitedMs = 5_000;

/** Gives attempts to nodes, and says so. */
export class Placer {
  readonly #desk: Desk;
  #flushTimer: NodeJS.Timeout | null = null;
  #flushedAt = -Infinity;
  #grants = 0;
  #granted: { readonly lease: Lease; readonly of: number; readonly to: Did }[] = [];

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  [Symbol.dispose](): void {
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
  }

  /** Gives away what can be given, and says so: as much at once as there is, while the last of it is on its way more gathers. */
  flush(): void {
    const { db } = this.#desk.options;
    const queued = [...this.#desk.leases.values()].filter(
      ({ state, order }) => state.kind === 'queued' && order !== null,
    );
    if (queued.length + this.#desk.releases.length + this.#granted.length === 0) return;
    const inMs = this.#flushedAt + flushGapMs - performance.now();
    if (inMs > 0) {
      this.#flushTimer ??= setTimeout(() => {
        this.#flushTimer = null;
        this.#desk.wake();
      }, inMs);
      return;
    }
    if (isLaneWaiting(db, this.#desk.room, 'work')) return;
    const given = this.#placeAll(queued);
    if (given.length + this.#desk.releases.length + this.#granted.length === 0) return;
    this.#flushedAt = performance.now();
    this.#sayReleases();
    this.#sayGrants();
    this.#sayAssigned(given);
  }

  #placeAll(queued: readonly Lease[]): { readonly lease: Lease; readonly to: Did | '*' }[] {
    if (queued.length === 0) return [];
    const now = Date.now();
    const candidates = this.#desk.nodes.candidates(
      (did) => this.#desk.heldBy(did),
      now,
      this.#isQuick() ? slotsAhead : 1,
    );
    const byPriority = queued.toSorted((a, b) => this.#priorityOf(b) - this.#priorityOf(a));
    let take = this.#fairShare(candidates, queued.length);
    const given: { lease: Lease; to: Did | '*' }[] = [];
    for (const lease of byPriority) {
      if (take <= 0) break;
      const localDid = this.#desk.speaker.did;
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
    const { db } = this.#desk.options;
    return (
      this.#desk.usualMs !== null && this.#desk.usualMs < (readDevice(db)?.limit == null ? quickMs : quickLimitedMs)
    );
  }

  #priorityOf(lease: Lease): number {
    return this.#desk.nodeOf(lease.task).node?.task.priority ?? 0;
  }

  /** Runs share the slots of the nodes that are there; without any, everything may be offered. */
  #fairShare(candidates: readonly Candidate[], waiting: number): number {
    const { db, settings } = this.#desk.options;
    const there = candidates.filter(({ trusted }) => trusted);
    const free = there.reduce((sum, one) => sum + one.free, 0);
    const slots = there.reduce((sum, { node }) => sum + node.facts.slots, 0);
    const shares = countLeases(db);
    if (free === 0 || shares.length <= 1) return Infinity;
    const own = shares.find(({ run }) => run === settings.run) ?? { run: settings.run, held: 0, waiting };
    return fairTake(settings.run, [...shares.filter(({ run }) => run !== settings.run), own], slots, free);
  }

  #demandOf(lease: Lease): Demand {
    const { db, settings } = this.#desk.options;
    const { node, rollback } = this.#desk.nodeOf(lease.task);
    if (node === undefined) throw new Error(`no task ${lease.task}`);
    const refusals = new Map(Object.entries(lease.refusals) as [Did, string][]);
    const demand = demandFor(db, settings, node.task, { rollback: rollback !== null, refusals });
    return lease.pinned === null ? demand : { ...demand, pinned: demand.pinned ?? lease.pinned };
  }

  #give(lease: Lease, did: Did, insteadOf: string | null, now: number): void {
    lease.epoch = this.#nextEpoch();
    lease.state = { kind: 'given', did, at: now, row: null, heldAt: null, startedAt: null };
    lease.told = '';
    this.#desk.nodes.judge(did, { kind: 'given' });
    const node = this.#desk.nodes.nameOf(did);
    const reason = insteadOf === null ? {} : { reason: insteadOf };
    this.#desk.notes.push({ kind: 'node-given', session: lease.session, node, did, epoch: lease.epoch, ...reason });
  }

  #nextEpoch(): number {
    this.#grants += 1;
    return composeEpoch({ coordinator: this.#desk.options.epoch, grant: this.#grants });
  }

  /** Whether an attempt that no known node may have is offered to all; one that all refused fails. */
  #offers(lease: Lease, placing: Exclude<Placing, { kind: 'placed' }>): boolean {
    const tick = performance.now();
    if (placing.kind === 'wait' || !this.#desk.isPast(this.#desk.introduced, discoverForMs, Date.now())) return false;
    const refused = Object.values(lease.refusals);
    if (refused.length > 0) {
      const said = Object.entries(lease.refusals).map(
        ([did, reason]) => `${this.#desk.nodes.nameOf(did as Did)}: ${reason}`,
      );
      const reason = `no node takes it (${said.join('; ')})`;
      this.#desk.end(lease, { ...reportOf({ kind: 'not-started', reason }), errorClass: 'policy', reason }, null);
      return false;
    }
    if (lease.told !== placing.reason) {
      lease.told = placing.reason;
      this.#desk.notes.push({ kind: 'node-missing', session: lease.session, reason: placing.reason });
    }
    return tick >= lease.offerAfter;
  }

  #sayAssigned(given: readonly { readonly lease: Lease; readonly to: Did | '*' }[]): void {
    const { settings, epoch } = this.#desk.options;
    const { userId, deviceId, did } = this.#desk.speaker;
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
      const row = this.#desk.speaker.say(this.#desk.room, 'work', 'cis.dag.task.assigned', {
        at: Date.now(),
        ...base,
        assignments,
      });
      for (const { lease } of batch) this.#noteRow(lease, row);
    }
  }

  #noteRow(lease: Lease, row: number | null): void {
    if (lease.state.kind === 'given' || lease.state.kind === 'offered') lease.state = { ...lease.state, row };
    this.#desk.save(lease);
  }

  /** An order that is larger than an event goes through the media store first. */
  #sendLarge(lease: Lease, text: string, to: Did | '*'): void {
    const { epoch } = lease;
    this.#desk.save(lease);
    const courier = this.#desk.openCourier();
    const put = courier.ok ? courier.value.putLarge(Buffer.from(text), `${lease.task}.json`) : null;
    if (put === null) return this.#desk.requeue(lease, courier.ok ? '' : courier.error);
    this.#desk.whenDone(put, (sent) => {
      if (lease.epoch !== epoch || (lease.state.kind !== 'given' && lease.state.kind !== 'offered')) return;
      if (!sent.ok) {
        const reason = `its order cannot be sent: ${sent.error.detail}`;
        return this.#desk.end(
          lease,
          { ...reportOf({ kind: 'not-started', reason }), errorClass: 'infra', reason },
          null,
        );
      }
      const { settings } = this.#desk.options;
      const { userId, deviceId, did } = this.#desk.speaker;
      const row = this.#desk.speaker.say(this.#desk.room, 'work', 'cis.dag.task.assigned', {
        at: Date.now(),
        run_id: settings.run,
        epoch_base: composeEpoch({ coordinator: this.#desk.options.epoch, grant: 1 }),
        coordinator: { user_id: userId, device_id: deviceId, did },
        assignments: [{ ...wordsOf(lease), to, order_media: { ...sent.value } }],
      });
      this.#noteRow(lease, row);
    });
  }

  /** Of those who would take it, the one that fits best. */
  grantClaim(lease: Lease): void {
    const now = Date.now();
    const all = this.#desk.nodes.candidates((did) => this.#desk.heldBy(did), now);
    const candidates = all.filter(({ node }) => lease.claims.has(node.facts.did));
    const placing = place({ demand: this.#demandOf(lease), candidates, localDid: this.#desk.speaker.did, now });
    lease.claims.clear();
    if (placing.kind !== 'placed') return this.withdraw(lease);
    const of = lease.epoch;
    this.#give(lease, placing.did, placing.insteadOf, now);
    this.#desk.save(lease);
    this.#granted.push({ lease, of, to: placing.did });
  }

  #sayGrants(): void {
    const { settings, epoch } = this.#desk.options;
    const items = this.#granted
      .splice(0)
      .map(({ lease, of, to }) => ({ lease, words: { ...wordsOf(lease), of, to, lease_ms: leaseMs } }));
    for (const batch of packItems(items, ({ words }) => words)) {
      const row = this.#desk.speaker.say(this.#desk.room, 'work', 'cis.dag.task.granted', {
        at: Date.now(),
        run_id: settings.run,
        epoch_base: composeEpoch({ coordinator: epoch, grant: 1 }),
        grants: batch.map(({ words }) => words),
      });
      for (const { lease } of batch) this.#noteRow(lease, row);
    }
  }

  /** Nobody took what was offered to all. */
  withdraw(lease: Lease): void {
    lease.offerAfter = performance.now() + offerAgainMs;
    lease.state = { kind: 'queued' };
    lease.claims.clear();
    this.#desk.save(lease);
  }

  #sayReleases(): void {
    const items = this.#desk.releases.splice(0).map(({ grant, cause, reason }) => ({
      ...grantWords(grant),
      reason,
      ...(cause === 'host-stop' ? {} : { cause }),
    }));
    const did = this.#desk.speaker.did;
    for (const releases of packItems(items, whole))
      this.#desk.speaker.say(this.#desk.room, 'work', 'cis.dag.task.released', {
        at: Date.now(),
        by: 'coordinator',
        did,
        releases,
      });
  }
}

function takeSlot(candidates: Candidate[], did: Did): void {
  const index = candidates.findIndex(({ node }) => node.facts.did === did);
  const one = candidates[index];
  if (one !== undefined) candidates[index] = { ...one, free: one.free - 1 };
}

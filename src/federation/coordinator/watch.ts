import type { Did } from '../../domain/fleet/did.ts';
import type { LeaseState } from '../../storage/fleet-leases.ts';
import type { Desk } from './desk.ts';
import type { Lease } from './lease.ts';
import type { Placer } from './placer.ts';

/** A node that did not say within this time that it has what it was given. */
const claimForMs = 10_000;
/** So often the same node is asked for what it may have without our knowing. */
const mostTries = 3;
/** A node that has something, and free slots, and does not begin. */
const startForMs = 60_000;
/** What a node does not name is missing only after a while: what it says comes by two ways. */
const missingForMs = 10_000;
const aliveEveryMs = 15_000;

/** Looks for nodes that are silent, and for what did not happen in time. */
export class Watch {
  readonly #desk: Desk;
  readonly #placer: Placer;
  readonly #lostNodes = new Set<Did>();
  #aliveAt = -Infinity;

  constructor(desk: Desk, placer: Placer) {
    this.#desk = desk;
    this.#placer = placer;
  }

  /** Looks for nodes that are silent, and for what did not happen in time. */
  look(): void {
    const now = Date.now();
    const tick = performance.now();
    for (const lease of this.#desk.leases.values()) {
      const { state } = lease;
      if (state.kind === 'offered' && lease.claims.size > 0 && tick >= lease.claimsDue) this.#placer.grantClaim(lease);
      else if (state.kind === 'offered' && this.#desk.isPast(state.row, claimForMs, now)) this.#placer.withdraw(lease);
      else if (state.kind === 'given') this.#watchGiven(lease, state, now, tick);
    }
    if (tick - this.#aliveAt < aliveEveryMs) return;
    this.#aliveAt = tick;
    this.#sayAlive();
  }

  #watchGiven(lease: Lease, state: Extract<LeaseState, { kind: 'given' }>, now: number, tick: number): void {
    const { did } = state;
    const isIdempotent = this.#desk.nodeOf(lease.task).node?.task.idempotent === true;
    const node = this.#desk.nodes.nameOf(did);
    if (this.#desk.nodes.isSilent(did, now)) {
      if (!this.#lostNodes.has(did)) {
        this.#lostNodes.add(did);
        this.#desk.notes.push({ kind: 'node-lost', node, did, reason: 'not heard for 45 s' });
        this.#desk.nodes.judge(did, { kind: 'failure', reason: 'not heard' });
      }
      if (state.startedAt === null && isIdempotent) return this.#desk.requeue(lease, `${node} is not heard`);
      return this.#lose(lease, did, `${node} is not heard`);
    }
    if (lease.missingSince !== null && tick - lease.missingSince > missingForMs) {
      // It has read our word and does not have it: it never began, or what it had is gone.
      if (state.startedAt === null) return this.#desk.requeue(lease, `${node} does not have it`);
      return this.#lose(lease, did, `${node} does not have it any more`);
    }
    this.#lostNodes.delete(did);
    if (state.startedAt !== null) return;
    if (state.heldAt === null && this.#desk.isPast(state.row, claimForMs, now)) {
      this.#desk.nodes.judge(did, { kind: 'failure', reason: 'it did not take what it was given' });
      // It may have it all the same: what must not run twice goes to the same node again, which knows it by its name.
      lease.tries += 1;
      lease.pinned = isIdempotent || lease.tries >= mostTries ? null : did;
      return this.#desk.requeue(lease, `${node} did not take it`);
    }
    const free = this.#desk.nodes.find(did)?.heartbeat?.load.slotsFree ?? 0;
    if (state.heldAt !== null && now - state.heldAt > startForMs && free > 0 && !lease.isRevoked) {
      lease.isRevoked = true;
      lease.refusals = { ...lease.refusals, [did]: 'it did not begin it within 60 s' };
      this.#desk.nodes.judge(did, { kind: 'failure', reason: 'it did not begin what it had' });
      this.#desk.release(this.#desk.grantOf(lease), 'superseded', 'not begun within 60 s');
    }
  }

  /** For the run it is lost; should the node come back before anything else was decided, it is not. */
  #lose(lease: Lease, did: Did, reason: string): void {
    lease.state = { kind: 'lost', did };
    lease.missingSince = null;
    this.#desk.save(lease);
    this.#desk.options.say(`${lease.session}: lost: ${reason}`);
    this.#desk.append(lease.session, { kind: 'ended', end: { kind: 'lost' } }, Date.now());
  }

  #sayAlive(): void {
    const { settings, epoch } = this.#desk.options;
    const { did, userId, deviceId } = this.#desk.speaker;
    const content = {
      at: Date.now(),
      run_id: settings.run,
      did,
      epoch,
      coordinator: { user_id: userId, device_id: deviceId, did },
    };
    const now = Date.now();
    for (const node of this.#desk.nodes.all()) {
      if (node.deviceId === null || this.#desk.nodes.isSilent(node.did, now - 10 * 60_000)) continue;
      const to = { userId: node.userId, deviceId: node.deviceId };
      this.#desk.speaker.tell(to, 'cis.dag.run.alive', content, {
        only: `alive ${settings.run} ${node.did}`,
        forMs: 30_000,
      });
    }
  }
}

import type { Did } from '../../domain/fleet/did.ts';
import { splitEpoch } from '../../domain/fleet/epoch.ts';
import type { GrantId, TaskOrder } from '../../domain/fleet/order.ts';
import { sessionId, type RunId, type TaskId } from '../../domain/ids.ts';
import { agentOf } from '../../domain/run.ts';
import type { MachineContent } from '../../matrix/events/index.ts';
import {
  listDeviceInbox,
  listFleetInbox,
  writeFleetCursor,
  type DeviceInboxMessage,
  type InboxEvent,
} from '../../storage/fleet.ts';
import { readWork, writeNodeRun, type OrderPlace } from '../../storage/node-work.ts';
import { openEar, type Ear } from '../ear.ts';
import { readDeviceContent } from '../messages.ts';
import type { Device } from '../speaker.ts';
import { settingsOf, type Refused } from './execution.ts';
import { parseOrder } from './words.ts';
import { openWork, type Work } from './work.ts';
import type { Bench, FollowedRun } from './bench.ts';
import { attempt } from './attempt.ts';
import type { Sessions } from './sessions.ts';
import type { Teller } from './teller.ts';

/** Under which this node reads what the bridge keeps. */
export const reader = 'node';
/** A claim waits up to so long at random: who sees the grant meanwhile keeps quiet. */
const claimWithinMs = 100;

/** Takes what coordinators say, and judges it: what is ours becomes work. */
export class Hearing {
  readonly #bench: Bench;
  readonly #sessions: Sessions;
  readonly #teller: Teller;
  readonly #ear: Ear;

  constructor(bench: Bench, sessions: Sessions, teller: Teller) {
    this.#bench = bench;
    this.#sessions = sessions;
    this.#teller = teller;
    this.#ear = openEar(bench.options.db, bench.speaker.did, reader);
  }

  takeEvents(): void {
    const { db } = this.#bench.options;
    const events = listFleetInbox(db, reader);
    for (const event of events) this.#takeEvent(event);
    const last = events.at(-1);
    if (last === undefined) return;
    writeFleetCursor(db, reader, { inbox: last.seq });
    if (events.length >= 500) this.#bench.wake();
  }

  #takeEvent(event: InboxEvent): void {
    if (!coordinatorsSay.has(event.type)) return;
    // Whoever is not trusted may not raise a run's epoch either.
    const heard = this.#ear.hear(event, 'coordinator');
    if (!heard.ok) {
      if (event.type === 'cis.dag.task.released' && event.content['by'] === 'node') return;
      return this.#bench.options.say(
        `${event.type} of ${event.sender} not taken (${heard.error.kind}): ${heard.error.message}`,
      );
    }
    const { did, userId, event: machine } = heard.value;
    switch (machine.type) {
      case 'cis.dag.run.created': {
        const { run_id, coordinator, epoch } = machine.content;
        const device = { userId, deviceId: coordinator.device_id };
        if (this.#noteCoordinator(run_id as RunId, event.room, did, device, epoch)) this.#teller.beatTo(device);
        if (this.#bench.hasWork(run_id as RunId)) this.#teller.changed(run_id as RunId);
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
          if (one.to === this.#bench.speaker.did) this.#takeGrant(grant, place, did);
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
          const offered = this.#bench.works.get(sessionId(run, grant.task, grant.attempt));
          if (one.to !== this.#bench.speaker.did) this.#takeOther(grant);
          else if (offered !== undefined) this.#takeGrant(grant, offered.place, did);
        }
        return;
      }
      case 'cis.dag.task.released':
        if (machine.content.by !== 'coordinator') return;
        for (const one of machine.content.releases) {
          const run = one.run_id as RunId;
          if (!this.#heardCoordinator(run, did, splitEpoch(one.epoch).coordinator)) continue;
          const work = this.#bench.works.get(sessionId(run, one.task_id as TaskId, one.attempt));
          if (work === undefined || one.epoch < work.grant.epoch) continue;
          if (one.cause === 'superseded') this.#void(work);
          else this.#sessions.stop(work, one.cause ?? 'user');
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

  takeMessages(): void {
    const { db } = this.#bench.options;
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
    const { db, say } = this.#bench.options;
    const known = this.#bench.runs.get(run);
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
    this.#bench.runs.set(run, next);
    if (!isSame) writeNodeRun(db, next, Date.now());
    return true;
  }

  /** Notes that the coordinator of a run was heard. False: it is not that one. */
  #heardCoordinator(run: RunId, did: Did, epoch: number): boolean {
    const known = this.#bench.runs.get(run);
    if (known === undefined || known.coordinator.did !== did || epoch > known.epoch) return false;
    known.heardTick = performance.now();
    return true;
  }

  #noteGrant({ run, epoch }: GrantId): void {
    const known = this.#bench.runs.get(run);
    if (known === undefined || epoch <= known.seen) return;
    const next = { ...known, seen: epoch };
    this.#bench.runs.set(run, next);
    writeNodeRun(this.#bench.options.db, next, Date.now());
  }

  /** Work that is ours from now on. What we have of it already goes on, under the new epoch. */
  #takeGrant(grant: GrantId, place: OrderPlace, coordinator: Did): void {
    const { db } = this.#bench.options;
    const session = sessionId(grant.run, grant.task, grant.attempt);
    const work = this.#bench.works.get(session);
    if (work?.state.kind === 'told') this.#bench.forget(work, work.state.report);
    else if (work !== undefined) {
      if (grant.epoch <= work.grant.epoch && work.state.kind !== 'offered') return;
      work.grant = grant;
      work.isVoid = false;
      if (work.state.kind === 'offered') return this.#admit(work, coordinator);
      return this.#bench.save(work);
    }
    const before = readWork(db, session);
    if (before !== null && before.epoch >= grant.epoch) return;
    const fresh = openWork({ ...grant, session, state: { kind: 'held' }, place }, performance.now());
    this.#bench.works.set(session, fresh);
    // It was done already, under an epoch that is void now: the same report, under this one.
    if (before?.state.kind === 'over' && before.state.report !== null)
      return this.#bench.move(fresh, { kind: 'ended', report: before.state.report });
    this.#admit(fresh, coordinator);
  }

  /** Takes work in, unless something stands against it. */
  #admit(work: Work, coordinator: Did): void {
    const refused = this.#refusal(work, coordinator);
    if (refused === null) this.#bench.move(work, { kind: 'held' });
    else this.#bench.giveBack(work, refused);
  }

  #refusal({ order }: Work, coordinator: Did): Refused | null {
    const { judge } = this.#bench.options;
    const { mood } = this.#bench.describe();
    if (mood.draining) return { errorClass: 'infra', reason: 'it is draining' };
    if (mood.unable.length > 0) return { errorClass: 'infra', reason: mood.unable.join('; ') };
    if (order === null) return null; // judged when it is there
    const judged = attempt(() => judge(order, coordinator));
    return judged.ok ? null : judged.error;
  }

  #takeOffer(grant: GrantId, place: OrderPlace, coordinator: Did): void {
    const session = sessionId(grant.run, grant.task, grant.attempt);
    if (
      this.#bench.works.has(session) ||
      this.#bench.freeSlots() <= 0 ||
      readWork(this.#bench.options.db, session) !== null
    )
      return;
    const work = openWork({ ...grant, session, state: { kind: 'offered' }, place }, performance.now());
    const { order } = work;
    if (order !== null && !this.#offersAgent(order)) return;
    if (this.#refusal(work, coordinator) !== null) return;
    this.#bench.works.set(session, work);
    this.#bench.move(work, { kind: 'offered' });
    setTimeout(() => {
      if (work.state.kind !== 'offered') return;
      this.#bench.claims.push(work);
      this.#bench.wake();
    }, Math.random() * claimWithinMs).unref();
  }

  #offersAgent(order: TaskOrder): boolean {
    const agent = agentOf(settingsOf(order, this.#bench.options.room), order.task);
    return agent === null || this.#bench.describe().facts.agents.some(({ name }) => name === agent);
  }

  /** Another node has it under a higher epoch: we do not. */
  #takeOther(grant: GrantId): void {
    const work = this.#bench.works.get(sessionId(grant.run, grant.task, grant.attempt));
    if (work !== undefined && grant.epoch > work.grant.epoch) this.#void(work);
  }

  #void(work: Work): void {
    if (work.isVoid) return;
    work.isVoid = true;
    this.#bench.options.say(
      `${work.session}: it went to another node, or its coordinator counts it as lost: stopped here`,
    );
    if (work.state.kind !== 'asked') return this.#bench.forget(work, null);
    this.#sessions.stop(work, 'superseded');
  }

  /** Only whoever gave the work may say that there is no more of it. */
  #endRun(run: RunId, did: Did): void {
    if (this.#bench.runs.get(run)?.coordinator.did !== did) return;
    for (const work of this.#bench.works.values())
      if (work.grant.run === run && (work.state.kind === 'offered' || work.state.kind === 'held'))
        this.#bench.forget(work, null);
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

/** Of two coordinators the one with the higher epoch; with the same one, who took a run over at the same time, the higher key. */
function beats(known: FollowedRun, other: { readonly epoch: number; readonly did: string }): boolean {
  if (known.epoch !== other.epoch) return known.epoch > other.epoch;
  return known.coordinator.did > other.did;
}

type Assignment = MachineContent<'cis.dag.task.assigned'>['assignments'][number];

function placeOfOrder({ order, order_media }: Assignment, grant: GrantId): OrderPlace {
  if (order_media !== undefined) return { kind: 'media', media: order_media };
  const parsed = parseOrder(order ?? '', grant);
  if (parsed !== null) return { kind: 'here', order: parsed };
  return { kind: 'media', media: { mxc: '', sha256: '', bytes: 0 } }; // fails when it is fetched, and says so
}

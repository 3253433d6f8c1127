import { grantWords } from '../messages.ts';
import { isWorthTelling, nextHeartbeatIn, type Announced } from '../../domain/fleet/liveness.ts';
import type { RunId } from '../../domain/ids.ts';
import type { WorkState } from '../../storage/node-work.ts';
import { isLaneWaiting, readOutboxState } from '../../storage/outbox.ts';
import { heartbeatContent } from '../heartbeat.ts';
import { packItems, whole, type Device } from '../speaker.ts';
import { toResultWords } from './words.ts';
import type { Work } from './work.ts';
import type { Bench } from './bench.ts';

/** Two flushes are at least so far apart. */
const flushGapMs = 100;
/** A change that is told to the coordinator may be followed at once by the next. */
const tellWorkAfterMs = 150;
/** An offer that nobody granted. */
const offerForMs = 15_000;

/** Tells the room what became of work, and coordinators what this node has and how it does. */
export class Teller {
  readonly #bench: Bench;
  #flushTimer: NodeJS.Timeout | null = null;
  #flushedAt = -Infinity;
  readonly #untold = new Map<RunId, number>();
  #tellTimer: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #told: Announced | null = null;

  constructor(bench: Bench) {
    this.#bench = bench;
    bench.changed = (run) => this.changed(run);
  }

  [Symbol.dispose](): void {
    for (const timer of [this.#flushTimer, this.#tellTimer, this.#heartbeat]) if (timer !== null) clearTimeout(timer);
  }

  /** Tells what is to be told, as much at once as there is; while the last of it waits to be sent, more gathers. */
  flush(): void {
    const { db, room } = this.#bench.options;
    this.#dropOffers();
    this.#closeTold();
    const ended = [...this.#bench.works.values()].filter(({ state }) => state.kind === 'ended');
    if (ended.length + this.#bench.claims.length + this.#bench.givebacks.length === 0) return;
    const inMs = this.#flushedAt + flushGapMs - performance.now();
    if (inMs > 0) {
      this.#flushTimer ??= setTimeout(() => {
        this.#flushTimer = null;
        this.#bench.wake();
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
    const { room } = this.#bench.options;
    const items = ended.flatMap((work) => {
      const { state } = work;
      return state.kind === 'ended'
        ? [{ work, report: state.report, words: toResultWords(work.grant, state.report) }]
        : [];
    });
    for (const batch of packItems(items, ({ words }) => words)) {
      const results = batch.map(({ words }) => words);
      const row = this.#bench.speaker.say(room, 'work', 'cis.dag.task.result', {
        at: Date.now(),
        ...this.#bench.me(),
        results,
      });
      for (const { work, report } of batch) this.#bench.move(work, { kind: 'told', report, row });
    }
  }

  #tellReleases(): void {
    const { room } = this.#bench.options;
    const items = this.#bench.givebacks.splice(0).map((one) => ({
      ...grantWords(one),
      reason: one.reason.slice(0, 1000),
      error_class: one.errorClass,
    }));
    for (const releases of packItems(items, whole))
      this.#bench.speaker.say(room, 'work', 'cis.dag.task.released', {
        at: Date.now(),
        by: 'node',
        ...this.#bench.me(),
        releases,
      });
  }

  #tellClaims(): void {
    const { room } = this.#bench.options;
    const open = this.#bench.claims.splice(0).filter(({ state }) => state.kind === 'offered');
    const { load } = this.#bench.describe();
    const items = open.map(({ grant }) => ({
      ...grantWords(grant),
      slots_free: Math.max(0, this.#bench.freeSlots()),
      load_centi: load.loadCenti,
    }));
    for (const claims of packItems(items, whole))
      this.#bench.speaker.say(room, 'work', 'cis.dag.task.claimed', { at: Date.now(), ...this.#bench.me(), claims });
  }

  /** What the room has is over here. */
  #closeTold(): void {
    for (const work of this.#bench.works.values()) {
      if (work.state.kind !== 'told') continue;
      const { row, report } = work.state;
      const sent = row === null ? null : readOutboxState(this.#bench.options.db, row);
      if (sent?.kind !== 'waiting') this.#bench.forget(work, report);
    }
  }

  #dropOffers(): void {
    const since = performance.now() - offerForMs;
    for (const work of this.#bench.works.values())
      if (work.state.kind === 'offered' && work.since < since) this.#bench.forget(work, null);
  }

  /** Tells the coordinator soon what we have of its run, from device to device. */
  changed(run: RunId): void {
    if (!this.#untold.has(run)) this.#untold.set(run, performance.now() + tellWorkAfterMs);
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = null;
      const now = performance.now();
      const due = [...this.#untold].filter(([, at]) => at <= now + 1).map(([one]) => one);
      for (const one of due) this.#untold.delete(one);
      const [next] = [...this.#untold.values()];
      for (const one of due) this.#tellWork(one);
      if (next !== undefined) this.changed([...this.#untold.keys()][0] ?? run);
    }, tellWorkAfterMs);
  }

  #tellWork(run: RunId): void {
    const followed = this.#bench.runs.get(run);
    if (followed === undefined || this.#bench.isOver) return;
    const { coordinator, seen } = followed;
    const works = [...this.#bench.works.values()].filter(
      ({ grant, state }) => grant.run === run && state.kind !== 'offered',
    );
    const work = works.map(({ grant, state, pid }) => ({
      task_id: grant.task,
      attempt: grant.attempt,
      epoch: grant.epoch,
      state: workWords[state.kind],
      ...(pid === null ? {} : { pid }),
      ...(state.kind === 'asked' ? { started_at: state.startedAt } : {}),
    }));
    const content = { at: Date.now(), ...this.#bench.me(), run_id: run, seen, work };
    const only = `work ${run} ${coordinator.deviceId}`;
    const tell = this.#bench.options.db.transaction(() =>
      this.#bench.speaker.tell(coordinator, 'cis.node.work', content, { only, forMs: 60_000 }),
    );
    tell.immediate();
  }

  beat(): void {
    if (this.#bench.isOver) return;
    this.#bench.lookAgain();
    const { db, room } = this.#bench.options;
    const { facts, mood } = this.#bench.describe();
    const beat = db.transaction(() => {
      if (isWorthTelling(this.#told, { facts, mood }))
        this.#bench.speaker.say(room, 'machine', 'cis.node.heartbeat', this.#heartbeatWords());
      for (const device of this.#coordinators()) this.beatTo(device);
    });
    beat.immediate();
    this.#told = { facts, mood };
    for (const run of this.#bench.runs.keys()) if (this.#bench.hasWork(run)) this.#tellWork(run);
    this.#heartbeat = setTimeout(() => this.beat(), nextHeartbeatIn(Math.random()));
  }

  /** `cis node drain` is told at once; what else changes, with the next heartbeat. */
  lookForDrain(): void {
    this.#bench.lookAgain();
    const { draining } = this.#bench.describe().mood;
    if (this.#bench.isOver || draining === this.#told?.mood.draining) return;
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat);
    this.beat();
  }

  beatTo(device: Device): void {
    const only = `heartbeat ${device.userId} ${device.deviceId}`;
    this.#bench.speaker.tell(device, 'cis.node.heartbeat', this.#heartbeatWords(), { only, forMs: 30_000 });
  }

  #heartbeatWords() {
    const { facts, load, mood } = this.#bench.describe();
    const held = [...this.#bench.works.values()].filter(({ state }) => state.kind !== 'offered');
    const leases = held.map(({ grant }) => grant);
    const slotsFree = Math.max(0, this.#bench.freeSlots());
    return heartbeatContent({ facts, mood, leases, load: { ...load, slotsFree } }, Date.now());
  }

  /** Who was heard lately, or whose work we have. */
  #coordinators(): Device[] {
    const since = performance.now() - 10 * 60_000;
    const lately = [...this.#bench.runs.values()].filter(
      ({ run, heardTick }) => heardTick > since || this.#bench.hasWork(run),
    );
    const devices = lately.map(
      ({ coordinator: { userId, deviceId } }) => [`${userId} ${deviceId}`, { userId, deviceId }] as const,
    );
    return [...new Map(devices).values()];
  }
}

const workWords = {
  offered: 'held',
  held: 'held',
  asked: 'running',
  ended: 'ended',
  told: 'ended',
  over: 'ended',
} as const satisfies Record<WorkState['kind'], string>;

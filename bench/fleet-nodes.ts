import { readFileSync } from 'node:fs';
import type { GrantId } from '../src/domain/fleet/order.ts';
import type { Heartbeat } from '../src/domain/fleet/facts.ts';
import { nextHeartbeatIn } from '../src/domain/fleet/liveness.ts';
import type { RunId, TaskId } from '../src/domain/ids.ts';
import { heartbeatContent } from '../src/federation/heartbeat.ts';
import { openIdentity, type Identity } from '../src/federation/identity.ts';
import { toResultWords } from '../src/federation/runner/words.ts';
import { deviceLane, signContent } from '../src/federation/sign.ts';
import { packItems, type Device } from '../src/federation/speaker.ts';
import {
  readMachineEvent,
  writeMachineEvent,
  type MachineContent,
  type MachineEvent,
  type MachineType,
} from '../src/matrix/events/index.ts';
import { isObject, openHttp, textOf, type Http, type JsonObject } from '../src/matrix/http.ts';
import type { Account } from '../src/matrix/secrets.ts';
import { ask, memberOf, pause } from './rooms.ts';

/*
 * Many nodes in one process, without a home, a bridge or an SDK: they speak the signed events over plain HTTP, and make the results up.
 * Whom they listen to is judged by nobody here: what is measured is the coordinator.
 */

export interface SimulatedFleet {
  readonly room: string;
  readonly slots: number;
  /** An attempt takes up to so long, at random. */
  readonly mostMs: number;
  readonly nodes: readonly { readonly name: string; readonly dir: string; readonly account: Account }[];
}

/** As a node's, see `federation/runner/teller.ts`. */
const flushGapMs = 100;
const tellWorkAfterMs = 150;

interface Work {
  readonly grant: GrantId;
  readonly mostMs: number;
  state: 'held' | 'running' | 'ended';
  startedAt: number;
  endedAt: number;
}

class SimulatedNode {
  readonly #fleet: SimulatedFleet;
  readonly #name: string;
  readonly #account: Account;
  readonly #identity: Identity;
  readonly #http: Http;
  readonly #works = new Map<string, Work>();
  readonly #seqs = new Map<string, number>();
  #txn = 0;
  #seen = 0;
  #coordinator: Device | null = null;
  #run: string | null = null;
  #isFlushing = false;
  #tellTimer: NodeJS.Timeout | null = null;

  constructor(fleet: SimulatedFleet, { name, dir, account }: SimulatedFleet['nodes'][number]) {
    this.#fleet = fleet;
    this.#name = name;
    this.#account = account;
    this.#identity = openIdentity({ dir });
    this.#http = openHttp(account.homeserver, account.accessToken);
  }

  get http(): Http {
    return this.#http;
  }

  async join(): Promise<void> {
    const path = `/_matrix/client/v3/join/${encodeURIComponent(this.#fleet.room)}`;
    await ask(this.#http, { method: 'POST', path, body: {} });
    await this.#say('cis.node.heartbeat', this.#heartbeat());
    this.#beatLater();
  }

  /** An event of the coordinator. */
  hear(sender: string, event: MachineEvent): void {
    switch (event.type) {
      case 'cis.dag.run.created': {
        this.#coordinator = { userId: sender, deviceId: event.content.coordinator.device_id };
        this.#run = event.content.run_id;
        this.#seen = 0;
        return this.#spawn(this.#beat());
      }
      case 'cis.dag.task.assigned':
        this.#coordinator ??= { userId: sender, deviceId: event.content.coordinator.device_id };
        this.#run = event.content.run_id;
        for (const one of event.content.assignments) {
          this.#seen = Math.max(this.#seen, one.epoch);
          if (one.to !== this.#identity.did) continue;
          const { run_id: run } = event.content;
          const grant = { run: run as RunId, task: one.task_id as TaskId, attempt: one.attempt, epoch: one.epoch };
          const state = { state: 'held', startedAt: 0, endedAt: 0 } as const;
          this.#works.set(`${one.task_id}#${one.attempt}`, { grant, mostMs: this.#fleet.mostMs, ...state });
        }
        this.#start();
        return;
      default:
    }
  }

  #start(): void {
    const all = [...this.#works.values()];
    let free = this.#fleet.slots - all.filter(({ state }) => state === 'running').length;
    for (const work of all) {
      if (work.state !== 'held' || free <= 0) continue;
      free -= 1;
      work.state = 'running';
      work.startedAt = Date.now();
      setTimeout(() => this.#end(work), Math.random() * work.mostMs);
    }
    if (all.length > 0) this.#changed();
  }

  #end(work: Work): void {
    work.state = 'ended';
    work.endedAt = Date.now();
    this.#start();
    this.#spawn(this.#flush());
  }

  /** One event at a time, with all that gathered meanwhile. */
  async #flush(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    for (;;) {
      const ended = [...this.#works].filter(([, { state }]) => state === 'ended');
      if (ended.length === 0) break;
      const items = ended.map(([key, { grant, startedAt, endedAt }]) => {
        const output = { bytes: 0, cutFrom: null, source: 'none' } as const;
        const report = { end: { kind: 'exited', code: 0 } as const, startedAt, endedAt, output, files: [] };
        return { key, words: toResultWords(grant, report) };
      });
      for (const batch of packItems(items, ({ words }) => words)) {
        const results = batch.map(({ words }) => words);
        await this.#say('cis.dag.task.result', { at: Date.now(), ...this.#me(), results });
        for (const { key } of batch) this.#works.delete(key);
      }
      await pause(flushGapMs);
    }
    this.#isFlushing = false;
  }

  #changed(): void {
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = null;
      this.#spawn(this.#tellWork());
    }, tellWorkAfterMs);
  }

  async #tellWork(): Promise<void> {
    if (this.#run === null) return;
    const work = [...this.#works.values()].map(({ grant, state, startedAt }) => ({
      task_id: grant.task,
      attempt: grant.attempt,
      epoch: grant.epoch,
      state,
      ...(state === 'running' ? { started_at: startedAt } : {}),
    }));
    await this.#tell('cis.node.work', { at: Date.now(), ...this.#me(), run_id: this.#run, seen: this.#seen, work });
  }

  #beatLater(): void {
    setTimeout(() => {
      this.#spawn(this.#beat());
      this.#beatLater();
    }, nextHeartbeatIn(Math.random()));
  }

  async #beat(): Promise<void> {
    await this.#tell('cis.node.heartbeat', this.#heartbeat());
  }

  #heartbeat() {
    const { slots } = this.#fleet;
    const { userId, deviceId } = this.#account;
    const works = [...this.#works.values()];
    const running = works.filter(({ state }) => state === 'running').length;
    const heartbeat: Heartbeat = {
      facts: {
        node: this.#name,
        did: this.#identity.did,
        userId,
        deviceId,
        sealKey: this.#identity.seal.publicKey,
        version: 'simulated',
        machine: { os: 'linux', arch: 'x64', cores: slots, memoryMb: 16_000, gpus: [] },
        agents: [],
        models: [],
        labels: { os: 'linux', arch: 'x64' },
        features: [],
        tier: 1,
        slots,
      },
      load: { slotsFree: slots - running, loadCenti: 10, memoryFreeMb: 8000, diskFreeMb: 100_000 },
      mood: { unable: [], draining: false },
      leases: works.map(({ grant }) => grant),
    };
    return heartbeatContent(heartbeat, Date.now());
  }

  #me() {
    return { node: this.#name, did: this.#identity.did };
  }

  async #say<Type extends MachineType>(type: Type, content: Omit<MachineContent<Type>, 'v'>): Promise<void> {
    const { room } = this.#fleet;
    const written = writeMachineEvent(type, content);
    if (!written.ok) throw new Error(written.error);
    const body = this.#signed(type, room, written.value);
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/${type}/${this.#nextTxn()}`;
    await ask(this.#http, { method: 'PUT', path, body });
  }

  async #tell(type: string, content: JsonObject): Promise<void> {
    if (this.#coordinator === null) return;
    const { userId, deviceId } = this.#coordinator;
    const messages = { [userId]: { [deviceId]: this.#signed(type, deviceLane, content) } };
    const path = `/_matrix/client/v3/sendToDevice/${type}/${this.#nextTxn()}`;
    await ask(this.#http, { method: 'PUT', path, body: { messages } });
  }

  #signed(type: string, room: string, content: JsonObject): JsonObject {
    const seq = (this.#seqs.get(room) ?? 0) + 1;
    this.#seqs.set(room, seq);
    const signed = signContent(this.#identity, { type, room, userId: this.#account.userId, seq, content });
    if (!signed.ok) throw new Error(signed.error);
    return signed.value;
  }

  #nextTxn(): string {
    this.#txn += 1;
    return `sim${process.pid}.${this.#txn}`;
  }

  /** A node that cannot speak makes the whole measurement worthless. */
  #spawn(work: Promise<void>): void {
    void work.catch((error: unknown) => {
      process.stderr.write(`${this.#name}: ${String(error)}\n`);
      process.exit(1);
    });
  }
}

/** What a coordinator says; one sync of one account is enough for all, as all are in the room. */
const heard = ['cis.dag.run.created', 'cis.dag.task.assigned'];

async function main(): Promise<void> {
  const fleet = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as SimulatedFleet;
  const nodes = fleet.nodes.map((node) => new SimulatedNode(fleet, node));
  for (const node of nodes) await node.join();
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  const room = { rooms: [fleet.room], timeline: { types: heard, limit: 100 } };
  const filter = JSON.stringify({ room, presence: { not_types: ['*'] } });
  let since: string | undefined;
  for (;;) {
    const query = { filter, since, timeout: since === undefined ? 0 : 20_000 };
    const answer = await ask(first.http, { method: 'GET', path: '/_matrix/client/v3/sync', query });
    const timeline = memberOf(memberOf(memberOf(memberOf(answer, 'rooms'), 'join'), fleet.room), 'timeline');
    const isFirst = since === undefined;
    since = textOf(answer['next_batch'], '');
    if (isFirst) {
      process.stdout.write('ready\n');
      continue;
    }
    if (timeline['limited'] === true) throw new Error('more came than one sync holds');
    const events = Array.isArray(timeline['events']) ? timeline['events'].filter(isObject) : [];
    for (const event of events) {
      const read = readMachineEvent(textOf(event['type'], ''), memberOf(event, 'content'));
      if (!read.ok) throw new Error(read.error);
      for (const node of nodes) node.hear(textOf(event['sender'], ''), read.value.event);
    }
  }
}

await main();

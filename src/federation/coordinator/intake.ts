import type { Did } from '../../domain/fleet/did.ts';
import type { TaskReport } from '../../domain/fleet/order.ts';
import { sessionId, type BlockId, type SessionId, type TaskId } from '../../domain/ids.ts';
import type { Answer, Block } from '../../domain/block.ts';
import { readMachineEvent, type MachineContent } from '../../matrix/events/index.ts';
import {
  listDeviceInbox,
  listFleetInbox,
  writeFleetCursor,
  type DeviceInboxMessage,
  type InboxEvent,
} from '../../storage/fleet.ts';
import { readLease } from '../../storage/fleet-leases.ts';
import { noteTakenOver } from '../../storage/taken-over.ts';
import { openEar, type Ear, type Heard } from '../ear.ts';
import { readHeartbeat } from '../heartbeat.ts';
import { readDeviceContent } from '../messages.ts';
import { readResultWords } from '../runner/words.ts';
import type { Nodes } from './nodes.ts';
import type { Desk } from './desk.ts';
import { isHolder, isWith, type Lease } from './lease.ts';

/** Claims are gathered for so long after the first. */
const claimWindowMs = 250;

/** Takes what nodes and other coordinators say, and judges it: what counts becomes entries of the journal or notes of the log. */
export class Intake {
  readonly #desk: Desk;
  readonly #ear: Ear;
  readonly #reader: string;
  readonly #onRival: (by: string) => void;
  readonly #toldOff = new Set<string>();

  /** `onRival`: the run is somebody else's by now. */
  constructor(desk: Desk, reader: string, onRival: (by: string) => void) {
    this.#desk = desk;
    this.#reader = reader;
    this.#onRival = onRival;
    this.#ear = openEar(desk.options.db, desk.speaker.did, reader);
  }

  takeEvents(): void {
    const { db } = this.#desk.options;
    const events = listFleetInbox(db, this.#reader);
    for (const event of events) this.#takeEvent(event);
    const last = events.at(-1);
    if (last === undefined) return;
    writeFleetCursor(db, this.#reader, { inbox: last.seq });
    if (events.length >= 500) this.#desk.wake();
  }

  #takeEvent(event: InboxEvent): void {
    const { say } = this.#desk.options;
    if (event.type === 'cis.dag.run.created') return this.#takeRival(event);
    if (!nodesSay.has(event.type) || event.content['by'] === 'coordinator' || !this.#concerns(event)) return;
    const heard = this.#ear.hear(event, 'worker');
    if (!heard.ok)
      return this.#noteRejected(event, heard.error.message, () =>
        say(`${event.type} of ${event.sender} not taken (${heard.error.kind}): ${heard.error.message}`),
      );
    this.#desk.nodes.heard(heard.value.did);
    this.#takeHeard(heard.value, event.room);
  }

  /** A room has many runs: what is of others is not even verified. */
  #concerns({ content }: InboxEvent): boolean {
    const { run } = this.#desk.options.settings;
    if ('run_id' in content) return content['run_id'] === run;
    const items = content['results'] ?? content['claims'] ?? content['releases'];
    if (!Array.isArray(items)) return true;
    return items.some(
      (one: unknown) => typeof one === 'object' && one !== null && 'run_id' in one && one.run_id === run,
    );
  }

  /** What is said of an attempt of ours, and is not taken, stands in the log. */
  #noteRejected({ content }: InboxEvent, reason: string, otherwise: () => void): void {
    const { run } = this.#desk.options.settings;
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
      this.#desk.notes.push({
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
    const { run } = this.#desk.options.settings;
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
    const { settings, epoch, say } = this.#desk.options;
    if (event.content['run_id'] !== settings.run) return;
    const heard = this.#ear.hear(event, 'coordinator');
    if (!heard.ok || heard.value.did === this.#desk.speaker.did || heard.value.event.type !== 'cis.dag.run.created') {
      if (!heard.ok && heard.error.kind !== 'replayed')
        say(`a coordinator of ${settings.run} not believed (${heard.error.kind}): ${heard.error.message}`);
      return;
    }
    const theirs = heard.value.event.content.epoch;
    const isTie = theirs === epoch && this.#desk.introduced !== null && heard.value.did < this.#desk.speaker.did;
    if (theirs < epoch || isTie) return;
    noteTakenOver(this.#desk.options.db, settings.run, `${heard.value.userId}, epoch ${theirs}`);
    this.#onRival(`${heard.value.userId} (${heard.value.did}, epoch ${theirs}; ours is ${epoch})`);
  }

  #takeBeat(did: Did, heartbeat: Parameters<Nodes['beat']>[0], room: string | null): void {
    const isNew = this.#desk.nodes.beat(heartbeat, room);
    if (isNew) this.#desk.notes.push({ kind: 'node-seen', node: heartbeat.facts.node, did });
  }

  takeMessages(): void {
    const { db } = this.#desk.options;
    const messages = listDeviceInbox(db, this.#reader, ['cis.node.heartbeat', 'cis.node.work']);
    for (const message of messages) this.#takeMessage(message);
    const last = messages.at(-1);
    if (last !== undefined) writeFleetCursor(db, this.#reader, { devices: last.seq });
  }

  #takeMessage(message: DeviceInboxMessage): void {
    const { settings } = this.#desk.options;
    if (message.type === 'cis.node.work' && message.content['run_id'] !== settings.run) return;
    const heard = this.#ear.hearDevice(message, 'worker');
    if (!heard.ok) return;
    const { did } = heard.value;
    this.#desk.nodes.heard(did);
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
      const session = sessionId(this.#desk.options.settings.run, one.task_id as TaskId, one.attempt);
      const lease = this.#desk.leases.get(session);
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
    for (const lease of this.#desk.leases.values()) {
      if (lease.state.kind !== 'given' || lease.state.did !== did || named.has(lease.session)) continue;
      if (seen >= lease.epoch) lease.missingSince ??= performance.now();
      if (lease.isRevoked) this.#desk.requeue(lease, `${this.#desk.nodes.nameOf(did)} did not begin it`);
    }
  }

  #noteRunning(lease: Lease, pid: number, startedAt: number): void {
    if (lease.state.kind !== 'given' || lease.state.startedAt !== null) return;
    lease.state = { ...lease.state, heldAt: lease.state.heldAt ?? startedAt, startedAt };
    this.#desk.save(lease);
    this.#desk.append(lease.session, { kind: 'spawned', pid, pidStart: '', epoch: lease.epoch }, startedAt);
  }

  /** The node of an attempt that was taken for lost is there again, and nobody decided meanwhile. */
  #revive(lease: Lease, did: Did): void {
    lease.state = { kind: 'given', did, at: Date.now(), row: null, heldAt: Date.now(), startedAt: null };
    this.#desk.save(lease);
    this.#desk.found.push(lease.session);
  }

  /** Whether an attempt that was taken for lost may still count: nobody has decided about it, or the driver does not know yet. */
  #chanceOf(lease: Lease): 'open' | 'unknown' | 'gone' {
    const { node } = this.#desk.nodeOf(lease.task);
    const state = node?.state;
    const isCurrent = state !== undefined && 'attempt' in state && state.attempt === lease.attempt;
    if (isCurrent && state.kind === 'undecided' && state.failure === undefined) return 'open';
    if (
      isCurrent &&
      (state.kind === 'lost' || state.kind === 'starting' || state.kind === 'running' || state.kind === 'blocked')
    )
      return 'unknown';
    lease.state = { kind: 'over', did: null };
    this.#desk.save(lease);
    this.#desk.leases.delete(lease.session);
    return 'gone';
  }

  /** What is with another by now, or over, ends on the node that still has it. */
  #tellOff(did: Did, session: SessionId, said: { task_id: string; attempt: number; epoch: number }): void {
    const { db, settings } = this.#desk.options;
    const key = `${did} ${session} ${said.epoch}`;
    if (this.#toldOff.has(key)) return;
    const current = readLease(db, session);
    // What it said before we heard of the end, or of a grant that we have yet to write.
    if (current === null || said.epoch > current.epoch || (current.epoch === said.epoch && isHolder(current, did)))
      return;
    this.#toldOff.add(key);
    const reason = `its epoch is ${said.epoch}, and the attempt is ${current.epoch === said.epoch ? 'over' : `at ${current.epoch}`}`;
    this.#desk.notes.push({
      kind: 'node-ignored',
      session,
      node: this.#desk.nodes.nameOf(did),
      did,
      epoch: said.epoch,
      reason,
    });
    const grant = { run: settings.run, task: said.task_id as TaskId, attempt: said.attempt, epoch: said.epoch };
    this.#desk.release(grant, 'superseded', reason);
  }

  #takeClaim(did: Did, claim: MachineContent<'cis.dag.task.claimed'>['claims'][number]): void {
    const lease = this.#desk.leases.get(
      sessionId(this.#desk.options.settings.run, claim.task_id as TaskId, claim.attempt),
    );
    if (lease?.state.kind !== 'offered' || lease.epoch !== claim.epoch) return;
    if (lease.claims.size === 0) lease.claimsDue = performance.now() + claimWindowMs;
    lease.claims.add(did);
  }

  #takeGivenBack(did: Did, release: MachineContent<'cis.dag.task.released'>['releases'][number]): void {
    const lease = this.#desk.leases.get(
      sessionId(this.#desk.options.settings.run, release.task_id as TaskId, release.attempt),
    );
    if (lease?.state.kind !== 'given' || lease.state.did !== did || lease.epoch !== release.epoch) return;
    const node = this.#desk.nodes.nameOf(did);
    const kind = release.error_class ?? 'infra';
    const reason = `${kind}: ${release.reason}`;
    this.#desk.notes.push({ kind: 'node-refused', session: lease.session, node, did, epoch: release.epoch, reason });
    this.#desk.nodes.judge(did, kind === 'infra' ? { kind: 'failure', reason: release.reason } : { kind: 'returned' });
    lease.refusals = { ...lease.refusals, [did]: reason };
    this.#desk.requeue(lease, reason);
  }

  #takeResult(did: Did, words: MachineContent<'cis.dag.task.result'>['results'][number]): void {
    const { run } = this.#desk.options.settings;
    const session = sessionId(run, words.task_id as TaskId, words.attempt);
    const lease = this.#desk.leases.get(session);
    const report = readResultWords(words);
    const kept = lease === undefined ? readLease(this.#desk.options.db, session) : null;
    if (kept?.epoch === words.epoch && isHolder(kept, did)) return; // it was taken before
    const why = this.#whyNot(lease, did, words.epoch, report);
    if (lease === undefined || report === null || why !== null) {
      const node = this.#desk.nodes.nameOf(did);
      const reason = `a result that is not taken: ${why ?? 'it is malformed'}`;
      this.#desk.notes.push({ kind: 'node-ignored', session, node, did, epoch: words.epoch, reason });
      return;
    }
    if (lease.state.kind === 'lost') {
      const chance = this.#chanceOf(lease);
      // The driver takes the loss first: then there is something to decide.
      if (chance === 'unknown') return void setTimeout(() => this.#desk.again(() => this.#takeResult(did, words)), 50);
      if (chance === 'gone') return this.#takeResult(did, words);
      this.#revive(lease, did);
    }
    if (report.startedAt !== undefined) this.#noteRunning(lease, 0, report.startedAt);
    const isNodes = report.errorClass === 'infra' && report.end.kind !== 'lost';
    this.#desk.nodes.judge(did, isNodes ? { kind: 'failure', reason: report.reason ?? 'infra' } : { kind: 'success' });
    this.#noteDuration(report);
    if (report.output.media === undefined) return this.#desk.end(lease, report, did);
    lease.state = { kind: 'fetching', did, report };
    this.#desk.save(lease);
    this.fetch(lease, report);
  }

  #noteDuration({ startedAt, endedAt }: TaskReport): void {
    if (startedAt === undefined) return;
    const took = Math.max(0, endedAt - startedAt);
    this.#desk.usualMs = this.#desk.usualMs === null ? took : Math.max(took, this.#desk.usualMs * 0.8 + took * 0.2);
  }

  #whyNot(lease: Lease | undefined, did: Did, epoch: number, report: TaskReport | null): string | null {
    if (lease === undefined) return 'the attempt is over, or was never given';
    if (epoch !== lease.epoch) return `its epoch is ${epoch}, the attempt's is ${lease.epoch}`;
    if (!isWith(lease, did)) return `the attempt is not with this node`;
    if (lease.state.kind === 'fetching') return 'a result was taken already';
    return report === null ? 'it is malformed' : null;
  }

  /** Downloads the text of an output before anything is decided by it. */
  fetch(lease: Lease, report: TaskReport): void {
    const { media } = report.output;
    if (media === undefined) return;
    const courier = this.#desk.openCourier();
    if (!courier.ok) {
      this.#desk.options.say(courier.error);
      return;
    }
    this.#desk.whenDone(courier.value.getLarge(media), (got) => {
      if (lease.state.kind !== 'fetching') return;
      const { did } = lease.state;
      if (got.ok) {
        const text = Buffer.from(got.value).toString('utf8');
        return this.#desk.end(lease, { ...report, output: { ...report.output, text } }, did);
      }
      const reason = `its output cannot be downloaded: ${got.error.detail}`;
      this.#desk.end(lease, { ...report, end: { kind: 'not-started', reason }, errorClass: 'infra', reason }, did);
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
    this.#desk.append(lease.session, { kind: 'blocked', block }, content.at);
  }

  #takeRecovered(did: Did, content: MachineContent<'cis.dag.session.recovered'>): void {
    const { block_id, by, via, answer, at } = content;
    const session = block_id.slice(0, block_id.lastIndexOf('!')) as SessionId;
    const lease = this.#desk.leases.get(session);
    if (lease === undefined || !isWith(lease, did)) return;
    const source = { by, via };
    this.#desk.append(
      session,
      { kind: 'unblocked', block: block_id as BlockId, answer: parseAnswer(answer), source },
      at,
    );
  }

  #current(
    did: Did,
    said: { readonly task_id: string; readonly attempt: number; readonly epoch?: number | undefined },
  ): Lease | null {
    const lease = this.#desk.leases.get(
      sessionId(this.#desk.options.settings.run, said.task_id as TaskId, said.attempt),
    );
    if (lease?.state.kind !== 'given' || lease.state.did !== did || lease.epoch !== said.epoch) return null;
    return lease;
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

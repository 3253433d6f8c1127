import { grantWords } from '../messages.ts';
import type { HostConnection } from '../../host/port.ts';
import type { JournalEntry } from '../../host/protocol.ts';
import { journalPath } from '../../config/home.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { TaskOrder } from '../../domain/fleet/order.ts';
import type { RunId } from '../../domain/ids.ts';
import { ok, type Result } from '../../domain/result.ts';
import type { KillCause, SessionEnd } from '../../domain/session.ts';
import { openAgents } from '../../executor/agents.ts';
import { closeSession } from '../../executor/close-session.ts';
import { definedOnly } from '../../executor/local-workplace.ts';
import { readJournal } from '../../host/journal.ts';
import {
  buildSpawn,
  needsPreparation,
  prepare,
  readyAtOnce,
  reportOf,
  settingsOf,
  type Ready,
  type Refused,
} from './execution.ts';
import { parseOrder } from './words.ts';
import type { Work } from './work.ts';
import type { Bench } from './bench.ts';
import { attempt } from './attempt.ts';

/** Runs what this node has in the host of its home, and takes over what runs there already. */
export class Sessions {
  readonly #bench: Bench;
  #host: HostConnection | null = null;
  #connecting: Promise<void> | null = null;
  readonly #followed = new Set<RunId>();
  #journal: { readonly run: RunId; readonly entry: JournalEntry }[] = [];

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  /** Takes over what was asked for before we were here. */
  open(): void {
    if ([...this.#bench.works.values()].some(({ state }) => state.kind === 'asked')) this.#connect();
  }

  /** What the host told since the last turn. */
  takeJournal(): void {
    for (const { run, entry } of this.#journal.splice(0)) this.#takeEntry(run, entry);
  }

  /** Connects anew, and learns again what became of everything. */
  reopen(): void {
    this.#journal = [];
    this.#host?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const work of this.#bench.works.values()) work.letGo?.();
    this.#host?.[Symbol.dispose]();
  }

  startHeld(): void {
    const { slots } = this.#bench.describe().facts;
    const works = [...this.#bench.works.values()];
    let busy = works.filter(({ state, isBusy }) => state.kind === 'asked' || (state.kind === 'held' && isBusy)).length;
    for (const work of works) {
      if (busy >= slots) return;
      if (work.state.kind !== 'held' || work.isBusy) continue;
      busy += 1;
      this.#begin(work);
    }
  }

  #begin(work: Work): void {
    const { home } = this.#bench.options;
    if (work.order !== null && !needsPreparation(work.order))
      return this.#ask(work, work.order, readyAtOnce(home, work.order, this.#givenDir(work.order, work.grant.run)));
    work.isBusy = true;
    this.#bench.whenDone(this.#prepare(work), (ready) => {
      work.isBusy = false;
      if (work.state.kind !== 'held' || this.#bench.works.get(work.session) !== work) return;
      if (!ready.ok) return this.#bench.giveBack(work, ready.error);
      if (work.order !== null) this.#ask(work, work.order, ready.value);
    });
  }

  /** On the coordinator's own machine tasks run where they would without a room. */
  #givenDir({ dag }: TaskOrder, run: RunId): string | null {
    return this.#bench.runs.get(run)?.coordinator.did === this.#bench.speaker.did ? dag.workDir : null;
  }

  async #prepare(work: Work): Promise<Result<Ready, Refused>> {
    const { courier, judge } = this.#bench.options;
    const coordinator = (this.#bench.runs.get(work.grant.run)?.coordinator.did ?? '') as Did;
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
    return prepare(this.#bench.options, order, coordinator, this.#givenDir(order, work.grant.run));
  }

  #ask(work: Work, order: TaskOrder, ready: Ready): void {
    const built = attempt(() => {
      work.agents = this.#agentsOf(order);
      return ok(buildSpawn(this.#bench.options, order, work.session, work.grant.epoch, ready, work.agents));
    });
    if (!built.ok) return this.#bench.giveBack(work, built.error);
    const spawn = built.value;
    if (!spawn.ok) return this.#endUnstarted(work, spawn.error);
    this.#bench.move(work, { kind: 'asked', startedAt: Date.now(), cwd: ready.cwd, seq: 0 });
    work.isUnsent = true;
    this.#bench.afterwards.push(() => {
      this.#connect();
      void (this.#connecting ?? Promise.resolve()).then(async () => {
        work.isUnsent = false;
        this.#follow(work.grant.run);
        const reply = await this.#host?.request({ kind: 'spawn', spawn: spawn.value });
        if (reply === undefined) return;
        if (reply.ok) {
          if (work.stop !== null) this.#kill(work, work.stop); // told to end before its host knew it
          return;
        }
        const { error } = reply;
        if (error.kind === 'session-exists' || error.kind === 'disconnected' || error.kind === 'stopping') return;
        const reason =
          error.kind === 'not-started' ? error.reason : error.kind === 'bad-request' ? error.detail : error.kind;
        this.#bench.arrivals.push(() => {
          if (work.state.kind === 'asked') this.#endUnstarted(work, reason);
        });
        this.#bench.wake();
      });
    });
  }

  #agentsOf(order: TaskOrder): Work['agents'] {
    const { home, tables, env, room } = this.#bench.options;
    if (order.task.action.kind !== 'agent') return null;
    return openAgents({ home, settings: settingsOf(order, room), tables, env });
  }

  #endUnstarted(work: Work, reason: string): void {
    this.#bench.endAs(work, { kind: 'not-started', reason }, { errorClass: 'task', reason });
  }

  stop(work: Work, cause: KillCause): void {
    if (work.stop !== null) return;
    work.stop = cause;
    if (work.state.kind === 'held' || work.state.kind === 'offered')
      return this.#bench.endAs(work, { kind: 'killed', by: cause, signal: 'SIGTERM' });
    if (work.state.kind === 'asked') this.#bench.afterwards.push(() => this.#kill(work, cause));
  }

  #kill({ session }: Work, cause: KillCause): void {
    const { killGraceMs } = this.#bench.options;
    void this.#host?.request({ kind: 'kill', session, signal: 'SIGTERM', graceMs: killGraceMs, cause });
  }

  #connect(): void {
    if (this.#host !== null || this.#connecting !== null) return;
    this.#connecting = this.#openHost().finally(() => (this.#connecting = null));
    this.#connecting.catch((error: unknown) => this.#bench.fail(error));
  }

  async #openHost(): Promise<void> {
    const { home, connect, hostIdleMs, env, say } = this.#bench.options;
    const connected = await connect({ home, what: 'a node', start: true, idleMs: hostIdleMs });
    if (this.#bench.isOver) return connected.ok ? connected.value[Symbol.dispose]() : undefined;
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
        this.#bench.wake();
      },
    });
    void host.request({ kind: 'environment', env: definedOnly(env) });
    void host.closed.then(() => this.#lostHost(host));
    await this.#reconcile(host);
  }

  #lostHost(host: HostConnection): void {
    if (this.#host !== host || this.#bench.isOver) return;
    this.#host = null;
    this.#followed.clear();
    if ([...this.#bench.works.values()].some(({ state }) => state.kind === 'asked')) this.#connect();
  }

  /** What became of sessions that were asked for before we were here, or before this host was. */
  async #reconcile(host: HostConnection): Promise<void> {
    // What waits for this connection to be asked for is not there yet, and will be.
    const asked = [...this.#bench.works.values()].filter(({ state, isUnsent }) => state.kind === 'asked' && !isUnsent);
    if (asked.length === 0) return;
    const list = await host.request({ kind: 'list', run: null });
    if (!list.ok || list.value.kind !== 'sessions') return;
    const living = new Set(list.value.sessions.map(({ session }) => session));
    for (const work of asked) {
      const known = readJournal(journalPath(this.#bench.options.home, work.grant.run), 0).filter(
        ({ session }) => session === work.session,
      );
      this.#bench.arrivals.push(() => this.#settle(work, living.has(work.session), known));
      this.#follow(work.grant.run);
    }
    this.#bench.wake();
  }

  #settle(work: Work, isLiving: boolean, known: readonly JournalEntry[]): void {
    if (work.state.kind !== 'asked') return;
    work.agents ??= work.order === null ? null : this.#agentsOf(work.order);
    if (isLiving) {
      if (work.stop !== null) this.#kill(work, work.stop);
      return;
    }
    if (known.some(({ event }) => event.kind === 'ended')) return; // told by the journal we follow
    if (known.length === 0) {
      // It certainly did not start.
      if (work.stop !== null) return this.#bench.endAs(work, { kind: 'killed', by: work.stop, signal: 'SIGTERM' });
      return this.#bench.move(work, { kind: 'held' });
    }
    this.#bench.endAs(work, { kind: 'lost' }, { errorClass: 'infra', reason: 'the host of the node died' });
  }

  #follow(run: RunId): void {
    if (this.#host === null || this.#followed.has(run)) return;
    this.#followed.add(run);
    void this.#host.request({ kind: 'follow', run, after: 0 });
  }

  #takeEntry(run: RunId, { seq, at, session, event }: JournalEntry): void {
    const work = this.#bench.works.get(session);
    if (work === undefined || work.state.kind !== 'asked') return;
    if (event.kind === 'turn-done') return this.#takeTurnDone(work, event);
    if (event.kind === 'ended') return this.#takeEnd(work, event.end, at);
    if (event.kind === 'spawned') work.pid = event.pid;
    if (seq <= work.journalSeq) return;
    work.journalSeq = seq;
    switch (event.kind) {
      case 'spawned':
        return this.#bench.changed(run);
      case 'blocked':
        this.#bench.speaker.say(this.#bench.options.room, 'question', 'cis.dag.session.blocked', {
          at,
          ...this.#bench.me(),
          ...grantWords(work.grant),
          block_id: event.block.id,
          session_id: session,
          ...blockWords(event.block),
        });
        return this.#bench.move(work, { ...work.state, seq });
      case 'unblocked':
        this.#bench.speaker.say(this.#bench.options.room, 'outcome', 'cis.dag.session.recovered', {
          at,
          did: this.#bench.speaker.did,
          run_id: run,
          epoch: work.grant.epoch,
          block_id: event.block,
          by: event.source.by,
          via: event.source.via,
          ...(event.answer === null ? {} : { answer: JSON.stringify(event.answer) }),
        });
        return this.#bench.move(work, { ...work.state, seq });
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
    this.#bench.afterwards.push(() => {
      const host = this.#host;
      if (host === null) return;
      const ended = Promise.withResolvers<void>();
      work.letGo = ended.resolve;
      void closeSession(host, work.session, steps, ended.promise).then(() => {
        if (work.letGo !== null && !this.#bench.isOver) this.#kill(work, 'done');
      });
    });
  }

  #takeEnd(work: Work, end: SessionEnd, endedAt: number): void {
    const { state, order } = work;
    work.letGo?.();
    work.letGo = null;
    if (state.kind !== 'asked' || work.isBusy) return;
    if (work.isVoid || order === null) return this.#bench.forget(work, null);
    const counted = countedEnd(work, end);
    const said =
      order.task.action.kind === 'agent'
        ? (work.agents?.message(order.task, order.attempt, work.said ?? null) ?? null)
        : null;
    work.isBusy = true;
    const { startedAt, cwd } = state;
    this.#bench.whenDone(
      reportOf(this.#bench.options, order, { end: counted, startedAt, endedAt, cwd }, said),
      (report) => {
        work.isBusy = false;
        if (work.isVoid) return this.#bench.forget(work, null);
        this.#bench.move(work, { kind: 'ended', report });
      },
    );
  }

  /** Whoever does not hear its coordinator cannot know whether the work is still its own: what may be run again is ended. */
  endSilent(): void {
    const { leaseMs, say } = this.#bench.options;
    const now = performance.now();
    for (const work of this.#bench.works.values()) {
      const heardTick = this.#bench.runs.get(work.grant.run)?.heardTick ?? now;
      if (now - heardTick < leaseMs || work.state.kind !== 'asked' || work.stop !== null) continue;
      if (work.order?.task.idempotent !== true) continue;
      say(`${work.session}: its coordinator was not heard for ${Math.round(leaseMs / 1000)} s: stopped`);
      this.stop(work, 'superseded');
    }
    this.#bench.wake();
  }
}

/** A program that was closed when its turn was done has done its task, whatever it exits with. */
function countedEnd({ agents, order, said }: Work, end: SessionEnd): SessionEnd {
  const isClosed = said !== undefined && order !== null && (agents?.closing(order.task) ?? null) !== null;
  if (!isClosed || (end.kind !== 'exited' && end.kind !== 'signalled')) return end;
  return { kind: 'killed', by: 'done', signal: end.kind === 'signalled' ? end.signal : 'SIGTERM' };
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

import { constants as os } from 'node:os';
import { isAbsolute } from 'node:path';
import { journalPath, type Home } from '../config/home.ts';
import { hookSocketVariable, hookTokenVariable } from '../domain/hook.ts';
import { parseRunId, parseSessionId, type BlockId, type RunId, type SessionId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { unreachable } from '../domain/unreachable.ts';
import { Attachment } from './attachment.ts';
import { openJournal, readJournal, type Journal } from './journal.ts';
import { collectGarbage } from './garbage.ts';
import type { Peer } from './peer.ts';
import type { AttachRequest, HostError, ReplyValue, RequestBody, SpawnRequest } from './protocol.ts';
import { Session, type SessionWatcher } from './session.ts';
import { planSpawn } from './spawn-plan.ts';
import type { Spawner } from './spawner.ts';
import { Watching } from './watching.ts';

export type Reply = Result<ReplyValue, HostError>;

export interface HostOptions {
  readonly home: Home;
  readonly version: string;
  /** Where hooks of sessions find this host. */
  readonly socket: string;
  readonly spawner: Spawner;
  /** Called when the last session or connection went, and when the host was told to stop. */
  readonly onQuiet: () => void;
  readonly onStop: () => void;
}

/** A flood gives way to a person who typed so recently: neither the flooding program nor its output is worth a late echo. */
const typingMs = 1_000;
/** A screen without output for so long is folded away. */
const restAfterMs = 3_000;
/** Of more screens than this, those quiet for less time are folded: what many took at once, malloc does not give back. */
const crowd = 32;
const crowdedRestAfterMs = 300;
/** Folding takes about a millisecond a screen. */
const restAtOnce = 4;
const betweenRestsMs = 10;
/** So many screens folded and sessions ended leave garbage worth a collection: V8 does none while nothing happens. */
const collectAfter = 32;
/** A journal that could not be written is tried again; until then nobody is told. */
const journalRetryMs = 1_000;
const stopGraceMs = 5_000;
const done: Reply = ok({ kind: 'done' });
/** Clears a terminal of whatever size and mode it has: main buffer, no region, no colours, cursor at home. */
const clearTerminal = '\u001b[?1049l\u001b[!p\u001b[?6l\u001b[r\u001b(B\u001b[m\u001b[H\u001b[2J';

/** The sessions of one home, their journals, and what clients may ask of them. */
export class Host {
  readonly startedAt = Date.now();
  readonly peers = new Set<Peer>();
  readonly #options: HostOptions;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #journals = new Map<RunId, Journal>();
  readonly #touched = new Set<Session>();
  readonly #restless = new Set<Session>();
  /** What waits for the journal: replies and ends. */
  #announcements: (() => void)[] = [];
  #turn: NodeJS.Immediate | null = null;
  #retry: NodeJS.Timeout | null = null;
  #restTimer: NodeJS.Timeout | null = null;
  #restInMs = Infinity;
  #attachments = 0;
  #typedAt = 0;
  #garbage = 0;
  #isStopping = false;
  /** Who waits for a start. */
  readonly #starting = new Map<Session, (value: Reply) => void>();
  /** Sessions by the tokens of their hooks. */
  readonly #hooked = new Map<string, Session>();
  readonly #watching = new Watching({
    look: (session) => this.#look(session),
    journal: (session, event) => this.#watcher.journal(session, event),
  });
  readonly #watcher: SessionWatcher = {
    touched: (session) => {
      this.#touched.add(session);
      this.#settleSoon();
    },
    journal: (session, event) => {
      this.#journals.get(session.run)?.append(session.id, event);
      this.#settleSoon();
    },
    started: (session, failure) => this.#started(session, failure),
    ending: (session) => this.#watching.ending(session),
    ended: (session) => {
      this.#started(session, null); // its start was lost with its end
      this.#announcements.push(() => this.#forget(session));
      this.#settleSoon();
    },
  };

  constructor(options: HostOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#sessions.size === 0 && this.peers.size === 0 && this.#announcements.length === 0;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Answers one request of a peer by `reply`; an answer that rests on the journal waits until that is on disk. */
  handle(peer: Peer, body: RequestBody, reply: (value: Reply) => void): void {
    switch (body.kind) {
      case 'hello':
        peer.who = body.what;
        return reply(
          ok({ kind: 'hello', version: this.#options.version, pid: process.pid, startedAt: this.startedAt }),
        );
      case 'environment':
        peer.env = body.env;
        return reply(done);
      case 'spawn':
        return this.#spawn(peer, body.spawn, reply);
      case 'list':
        return reply(ok({ kind: 'sessions', sessions: this.#list(body.run) }));
      case 'follow':
        this.#follow(peer, body.run, body.after);
        return reply(done);
      case 'poke':
        for (const other of this.peers) if (other.follows.has(body.run)) other.send({ kind: 'poke', run: body.run });
        return reply(done);
      case 'attach':
        return reply(this.#attach(peer, body.attach));
      case 'detach':
        this.#detach(peer, body.attachment);
        return reply(done);
      case 'resize':
        return reply(this.#resize(peer, body.attachment, body.cols, body.rows));
      case 'repaint':
        peer.attachments.get(body.attachment)?.attachment.repaint();
        return reply(done);
      case 'write':
        return reply(this.#write(body.session, body.base64));
      case 'screen':
        return reply(
          this.#withSession(body.session, (session) => ok({ kind: 'screen', screen: this.#look(session).text() })),
        );
      case 'kill':
        return this.#kill(body, reply);
      case 'answer':
        return this.#answer(body, reply);
      case 'why':
        return this.#why(body.session, reply);
      case 'hook':
        return this.#hook(body, reply);
      case 'status':
        return reply(ok({ kind: 'status', status: this.#status() }));
      case 'stop':
        return this.#stop(body.force, reply);
      default:
        return unreachable(body);
    }
  }

  /** Terminal bytes of an attached client. Only the writer's count; without one, whoever types first becomes it. */
  type(peer: Peer, attachment: number, bytes: Uint8Array): void {
    const held = peer.attachments.get(attachment);
    if (held === undefined || held.attachment.isReadonly) return;
    if (!held.attachment.isWriter && held.session.writer !== null) return;
    held.attachment.isWriter = true;
    held.session.type(bytes, peer.who);
    this.#typedAt = Date.now();
  }

  /** Forgets a client that is gone. */
  drop(peer: Peer): void {
    for (const number of peer.attachments.keys()) this.#detach(peer, number);
    this.peers.delete(peer);
    if (this.isIdle) this.#options.onQuiet();
  }

  /** Ends every session politely, then firmly; resolves when all ends are on disk. */
  async stopSessions(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.stop('SIGTERM', stopGraceMs, 'host-stop')));
  }

  #spawn(peer: Peer, spawn: SpawnRequest, reply: (value: Reply) => void): void {
    const refused = this.#refuseSpawn(spawn);
    if (refused !== null) return reply(err(refused));
    const plan = planSpawn(withHookSocket(spawn, this.#options.socket), peer.env);
    if (!plan.ok) return reply(err({ kind: 'not-started', reason: plan.error }));
    try {
      const session = new Session(spawn, plan.value, this.#options.spawner, this.#watcher);
      this.#sessions.set(session.id, session);
      this.#starting.set(session, reply);
      this.#watching.add(session);
      if (spawn.agent?.hookToken !== undefined) this.#hooked.set(spawn.agent.hookToken, session);
    } catch (error) {
      reply(err({ kind: 'not-started', reason: messageOf(error) }));
    }
  }

  #started(session: Session, failure: string | null): void {
    const reply = this.#starting.get(session);
    if (reply === undefined) return;
    this.#starting.delete(session);
    this.#announcements.push(() => {
      if (failure !== null) this.#forget(session);
      reply(
        failure === null ? ok({ kind: 'spawned', pid: session.pid }) : err({ kind: 'not-started', reason: failure }),
      );
    });
    this.#settleSoon();
  }

  #refuseSpawn(spawn: SpawnRequest): HostError | null {
    if (this.#isStopping) return { kind: 'stopping' };
    const malformed = checkSpawn(spawn);
    if (malformed !== null) return { kind: 'bad-request', detail: malformed };
    try {
      const journal = this.#journalOf(spawn.run);
      if (spawn.epoch < journal.epoch) {
        return { kind: 'old-epoch', run: spawn.run, epoch: spawn.epoch, seen: journal.epoch };
      }
      if (journal.endOf(spawn.session) !== undefined || this.#sessions.has(spawn.session))
        return { kind: 'session-exists', session: spawn.session };
      if (this.#retry !== null)
        return { kind: 'not-started', reason: 'the journal cannot be written: is the disk full?' };
      journal.claim(spawn.epoch);
      return null;
    } catch (error) {
      return { kind: 'not-started', reason: `the journal cannot be written: ${messageOf(error)}` };
    }
  }

  #journalOf(run: RunId): Journal {
    const known = this.#journals.get(run);
    if (known !== undefined) return known;
    const journal = openJournal(journalPath(this.#options.home, run));
    this.#journals.set(run, journal);
    return journal;
  }

  #list(run: RunId | null) {
    const sessions = [...this.#sessions.values()].filter((session) => run === null || session.run === run);
    return sessions.map((session) => session.describe());
  }

  #follow(peer: Peer, run: RunId, after: number): void {
    this.#settle();
    for (const entry of readJournal(journalPath(this.#options.home, run), after)) {
      peer.send({ kind: 'journal', run, entry });
    }
    peer.follows.add(run);
  }

  #attach(peer: Peer, request: AttachRequest): Reply {
    return this.#withSession(request.session, (session) => {
      const writer = session.writer;
      if (writer !== null && request.force && !request.readonly) this.#takeOver(session, writer, peer);
      const attachment = new Attachment({
        number: (this.#attachments += 1),
        who: peer.who,
        isReadonly: request.readonly,
        line: peer,
        repaint: () => clearTerminal + this.#look(session).repaint(),
      });
      attachment.isWriter = !request.readonly && session.writer === null;
      if (attachment.isWriter) session.expectTyping();
      if (attachment.isWriter && isSize(request)) session.resize(request.cols, request.rows);
      const repaint = clearTerminal + this.#look(session).repaint();
      session.attachments.add(attachment);
      peer.attachments.set(attachment.number, { attachment, session });
      return ok({ kind: 'attached', attachment: attachment.number, writer: attachment.isWriter, repaint });
    });
  }

  #takeOver(session: Session, writer: Attachment, by: Peer): void {
    session.attachments.delete(writer);
    for (const peer of this.peers) peer.attachments.delete(writer.number);
    writer.end({ kind: 'taken-over', by: by.who });
  }

  #detach(peer: Peer, number: number): void {
    const held = peer.attachments.get(number);
    if (held === undefined) return;
    peer.attachments.delete(number);
    held.session.attachments.delete(held.attachment);
    held.attachment.end({ kind: 'detached' });
  }

  #resize(peer: Peer, number: number, cols: number, rows: number): Reply {
    const held = peer.attachments.get(number);
    if (held !== undefined && held.attachment.isWriter && isSize({ cols, rows })) held.session.resize(cols, rows);
    return done;
  }

  #write(id: SessionId, base64: string): Reply {
    return this.#withSession(id, (session) => {
      if (session.write(Buffer.from(base64, 'base64'))) return done;
      return err({ kind: 'bad-request', detail: `${id} does not read its input: too much waits for it already` });
    });
  }

  #kill(body: Extract<RequestBody, { kind: 'kill' }>, reply: (value: Reply) => void): void {
    const signal = Object.hasOwn(os.signals, body.signal) ? (body.signal as NodeJS.Signals) : null;
    if (signal === null) return reply(err({ kind: 'bad-request', detail: `there is no signal ${body.signal}` }));
    const session = this.#sessions.get(body.session);
    if (session === undefined || !session.isAlive) return reply(this.#withSession(body.session, () => done));
    if (body.graceMs !== null) return void session.stop(signal, body.graceMs, body.cause).then(() => reply(done));
    session.signal(signal, body.cause);
    reply(done);
  }

  #stop(force: boolean, reply: (value: Reply) => void): void {
    const alive = [...this.#sessions.keys()];
    if (alive.length > 0 && !force) return reply(err({ kind: 'sessions-alive', sessions: alive }));
    void this.stopSessions().then(() => {
      reply(done);
      this.#options.onStop();
    });
  }

  /** The answer is given in turns of its own; what it did is on disk before it is told. */
  #answer(body: Extract<RequestBody, { kind: 'answer' }>, reply: (value: Reply) => void): void {
    const { block } = body;
    const session = this.#sessions.get(block.slice(0, block.lastIndexOf('!')) as SessionId);
    if (session === undefined || !session.isAlive) return reply(err(this.#whyNoAnswer(block)));
    const later = (value: Reply): void => {
      this.#announcements.push(() => reply(value));
      this.#settleSoon();
    };
    void this.#watching
      .of(session)
      .then((watch) => watch.answer(session, body))
      .then(
        (answered) => later(answered.ok ? done : answered),
        (error: unknown) => later(err({ kind: 'bad-request', detail: messageOf(error) })),
      );
  }

  /** The session of a question has ended: somebody had answered it, or nobody can any more. */
  #whyNoAnswer(block: BlockId): HostError {
    const id = block.slice(0, block.lastIndexOf('!')) as SessionId;
    const parts = parseSessionId(id);
    const entries = parts.ok ? readJournal(journalPath(this.#options.home, parts.value.run), 0) : [];
    const answered = entries.findLast(({ event }) => event.kind === 'unblocked' && event.block === block)?.event;
    if (answered?.kind === 'unblocked' && answered.answer !== null)
      return { kind: 'already-answered', block, source: answered.source };
    const end = this.#endOnDisk(id);
    return end === null ? { kind: 'block-gone', block } : { kind: 'session-ended', session: id, end };
  }

  #why(id: SessionId, reply: (value: Reply) => void): void {
    const session = this.#sessions.get(id);
    if (session === undefined || !session.isAlive) return reply(this.#withSession(id, () => done));
    void this.#watching.of(session).then((watch) => {
      const why = watch.why(session);
      reply(why === null ? err({ kind: 'unknown-session', session: id }) : ok({ kind: 'why', why }));
    });
  }

  #hook({ token, report }: Extract<RequestBody, { kind: 'hook' }>, reply: (value: Reply) => void): void {
    const session = this.#hooked.get(token);
    if (session === undefined) return reply(err({ kind: 'bad-request', detail: 'no session has this token' }));
    void this.#watching.of(session).then((watch) => {
      watch.hook(session, report);
      this.#announcements.push(() => reply(done));
      this.#settleSoon();
    });
  }

  #status() {
    const { version } = this.#options;
    const { rss } = process.memoryUsage();
    return { version, pid: process.pid, startedAt: this.startedAt, sessions: this.#sessions.size, rssBytes: rss };
  }

  #withSession(id: SessionId, use: (session: Session) => Reply): Reply {
    const session = this.#sessions.get(id);
    if (session?.isAlive === true) return use(session);
    const end = session?.state.kind === 'ended' ? session.state.end : this.#endOnDisk(id);
    return err(end === null ? { kind: 'unknown-session', session: id } : { kind: 'session-ended', session: id, end });
  }

  #endOnDisk(id: SessionId) {
    const parts = parseSessionId(id);
    if (!parts.ok) return null;
    const entries = readJournal(journalPath(this.#options.home, parts.value.run), 0);
    const last = entries.findLast((entry) => entry.session === id && entry.event.kind === 'ended');
    return last?.event.kind === 'ended' ? last.event.end : null;
  }

  /** The screen of a session that somebody wants to see; it is folded away again when the output was quiet for a while. */
  #look(session: Session) {
    this.#restless.add(session);
    this.#restSoon();
    return session.screen;
  }

  #settleSoon(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      this.#settle();
    });
  }

  /** The end of a turn of the event loop: all that happened in it is written at once, then told. */
  #settle(): void {
    const touched = [...this.#touched];
    this.#touched.clear();
    const isTyped = Date.now() - this.#typedAt < typingMs;
    for (const session of touched) {
      if (session.isAlive && session.settle()) this.#watcher.touched(session);
      if (session.lastOutputAt !== null) this.#watching.changed(session);
      if (session.screen.isHeavy) this.#look(session);
      if (isTyped) session.giveWay();
    }
    if (this.#retry === null) this.#commit();
  }

  #commit(): void {
    for (const [run, journal] of this.#journals) {
      if (!journal.pending) continue;
      try {
        const entries = journal.flush();
        for (const peer of this.peers) {
          if (peer.follows.has(run)) for (const entry of entries) peer.send({ kind: 'journal', run, entry });
        }
      } catch (error) {
        return this.#retryCommit(error);
      }
    }
    const announcements = this.#announcements;
    this.#announcements = [];
    for (const announce of announcements) announce();
    if (announcements.length > 0) this.#closeJournals();
    if (this.isIdle) this.#options.onQuiet();
  }

  #retryCommit(error: unknown): void {
    if (this.#retry === null) console.error(`cis host: the journal cannot be written: ${messageOf(error)}`);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#commit();
    }, journalRetryMs);
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.id);
    this.#restless.delete(session);
    session.screen.close();
    this.#garbage += 1;
    if (this.#garbage >= collectAfter) this.#restSoon();
    this.#watching.forget(session);
    if (session.agent?.hookToken !== undefined) this.#hooked.delete(session.agent.hookToken);
    for (const peer of this.peers) {
      for (const [number, held] of peer.attachments) if (held.session === session) peer.attachments.delete(number);
    }
    if (session.state.kind === 'ended') session.announceEnd(session.state.end);
  }

  /** A journal whose run has no session here is closed; what was learnt from it is read again when it is needed. */
  #closeJournals(): void {
    if (this.#journals.size < 64 && this.#sessions.size > 0) return;
    const used = new Set([...this.#sessions.values()].map((session) => session.run));
    for (const peer of this.peers) for (const run of peer.follows) used.add(run);
    for (const [run, journal] of this.#journals) {
      if (used.has(run) || journal.pending) continue;
      journal[Symbol.dispose]();
      this.#journals.delete(run);
    }
  }

  #restAfterMs(): number {
    return this.#restless.size > crowd ? crowdedRestAfterMs : restAfterMs;
  }

  #restSoon(afterMs = this.#restAfterMs()): void {
    if (afterMs >= this.#restInMs) return;
    if (this.#restTimer !== null) clearTimeout(this.#restTimer);
    this.#restInMs = afterMs;
    this.#restTimer = setTimeout(() => {
      this.#restInMs = Infinity;
      this.#rest();
    }, afterMs);
    this.#restTimer.unref();
  }

  /** Folds a few of the screens that are quiet, so that nobody waits; the others follow. */
  #rest(): void {
    const quietSince = Date.now() - this.#restAfterMs();
    const due = [...this.#restless].filter((session) => (session.lastOutputAt ?? 0) <= quietSince);
    for (const session of due.slice(0, restAtOnce)) {
      session.screen.rest();
      this.#restless.delete(session);
      this.#garbage += 1;
    }
    if (this.#garbage >= collectAfter) {
      collectGarbage();
      this.#garbage = 0;
    }
    if (this.#restless.size > 0) this.#restSoon(due.length > restAtOnce ? betweenRestsMs : this.#restAfterMs());
  }
}

function checkSpawn(spawn: SpawnRequest): string | null {
  const session = parseSessionId(spawn.session);
  if (!session.ok) return session.error;
  if (!parseRunId(spawn.run).ok || session.value.run !== spawn.run)
    return `${spawn.session} is no session of ${spawn.run}`;
  if (!isAbsolute(spawn.cwd) || !isAbsolute(spawn.recording.path)) return 'cwd and recording path must be absolute';
  return null;
}

function withHookSocket(spawn: SpawnRequest, socket: string): SpawnRequest {
  const token = spawn.agent?.hookToken;
  if (token === undefined) return spawn;
  return { ...spawn, env: { ...spawn.env, [hookSocketVariable]: socket, [hookTokenVariable]: token } };
}

function isSize(size: { readonly cols: number; readonly rows: number }): boolean {
  const fits = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 2_000;
  return fits(size.cols) && fits(size.rows);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import type { Block } from '../domain/block.ts';
import type { AnswerRule } from '../domain/dag.ts';
import type { RunId, SessionId } from '../domain/ids.ts';
import { sessionTransitions, type KillCause, type SessionEnd, type SessionState } from '../domain/session.ts';
import type { Attachment } from './attachment.ts';
import { signalPid, signalSession } from './processes.ts';
import type { HostedSession, JournalEvent, SpawnedAgent, SpawnRequest } from './protocol.ts';
import { openPlainLines } from './plain-lines.ts';
import { openPty, type Pty } from './pty.ts';
import { openRecording, type Recording } from './recording.ts';
import { Screen } from './screen.ts';
import type { ProcessEnd } from './spawn-order.ts';
import type { SpawnPlan } from './spawn-plan.ts';
import type { Spawner } from './spawner.ts';

/** What a session tells its host. */
export interface SessionWatcher {
  /** Something has to be settled at the end of this turn of the event loop. */
  readonly touched: (session: Session) => void;
  readonly journal: (session: Session, event: JournalEvent) => void;
  /** The `spawned` entry is on its way into the journal; with a reason: it never began. */
  readonly started: (session: Session, failure: string | null) => void;
  /** The session is about to end. */
  readonly ending: (session: Session) => void;
  /** The `ended` entry is on its way into the journal. */
  readonly ended: (session: Session) => void;
}

/** Questions of a program to its terminal: status and cursor (`n`), kind (`c`), modes (`$p`), keyboard (`u`), version (`q`). */
// oxlint-disable-next-line no-control-regex
const queryPattern = /\u001b(?:\[[?>=]?[0-9;]*(?:n|c|\$p|u|q)|P\+q)/;

const maxQueryBytes = 16;
/** Who writes so much in one turn of the event loop would go on without end. */
const floodBytes = 8 * 1024;
const giveWayMs = 2;

/** One PTY process with its recording, its screen and whoever looks at it. */
export class Session {
  readonly id: SessionId;
  readonly run: RunId;
  readonly title: string;
  readonly startedAt = Date.now();
  readonly attachments = new Set<Attachment>();
  /** 0 until it has started. */
  pid = 0;
  readonly agent: SpawnedAgent | undefined;
  readonly answers: readonly AnswerRule[];
  readonly waitsForLimits: boolean;
  lastOutputAt: number | null = null;
  /** When, and by whom, something was typed from an attached terminal; 0: never. */
  typedAt = 0;
  typedBy = '';
  cols: number;
  rows: number;
  #state: SessionState = { kind: 'spawning' };
  readonly #pty: Pty;
  readonly #recording: Recording;
  readonly #watcher: SessionWatcher;
  readonly #screen: Screen;
  /** What came in this turn of the event loop, and how much of it those who look have got. */
  #turn: Buffer[] = [];
  #sentBytes = 0;
  #queryTail = '';
  readonly #isPlain = openPlainLines();
  #isFlooding = false;
  #givesWay = false;
  #isPaused = false;
  #killed: { readonly by: KillCause; readonly signal: NodeJS.Signals; readonly isFinal: boolean } | null = null;
  #killTimer: NodeJS.Timeout | null = null;
  #waiters: (() => void)[] = [];
  /** What is to be done to the process as soon as there is one. */
  #orders: (() => void)[] = [];
  /** What was typed while an answer is being given; null: nothing is held back. */
  #held: Uint8Array[] | null = null;

  constructor(spawn: SpawnRequest, plan: SpawnPlan, spawner: Spawner, watcher: SessionWatcher) {
    const { session, run, cols, rows, recording } = spawn;
    this.id = session;
    this.run = run;
    this.title = recording.title;
    this.agent = spawn.agent;
    this.answers = spawn.answers ?? [];
    this.waitsForLimits = spawn.waitsForLimits === true;
    this.cols = cols;
    this.rows = rows;
    this.#watcher = watcher;
    this.#screen = new Screen(cols, rows);
    this.#pty = openPty({
      ...plan,
      spawner,
      args: spawn.args,
      cwd: spawn.cwd,
      umask: spawn.umask,
      cols,
      rows,
      onStarted: (pid, pidStart) => this.#onStarted(pid, pidStart, spawn.epoch),
      onData: (bytes) => this.#onData(bytes),
      onEnd: (end) => this.#onEnd(end),
    });
    this.#recording = openRecording({
      path: recording.path,
      maxBytes: recording.maxBytes,
      header: castHeader(spawn, plan, this.startedAt),
      onFailed: (reason) => watcher.journal(this, { kind: 'recording-failed', reason }),
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** As it is after every byte so far. */
  get screen(): Screen {
    this.#settleOutput();
    return this.#screen;
  }

  get isAlive(): boolean {
    return this.#state.kind !== 'ended';
  }

  /** Alive, and nobody has asked it to end. */
  get isRunning(): boolean {
    return this.#state.kind === 'running' || this.#state.kind === 'blocked';
  }

  get writer(): Attachment | null {
    for (const attachment of this.attachments) if (attachment.isWriter) return attachment;
    return null;
  }

  describe(): HostedSession {
    const { id, run, startedAt, lastOutputAt, title, cols, rows } = this;
    const attachments = [...this.attachments].map(({ who, isWriter }) => ({ who, writer: isWriter }));
    return { session: id, run, state: this.#state, startedAt, lastOutputAt, title, cols, rows, attachments };
  }

  write(bytes: Uint8Array): boolean {
    return this.isAlive && this.#pty.write(bytes);
  }

  expectTyping(): void {
    if (this.isAlive) this.#pty.expectTyping();
  }

  /** Keys of a person at an attached terminal, told apart from what programs write. */
  type(bytes: Uint8Array, who: string): void {
    this.typedAt = Date.now();
    this.typedBy = who;
    if (this.#held === null) this.write(bytes);
    else this.#held.push(bytes);
  }

  /** Keeps what is typed out of an answer that is being given; it comes after it. */
  holdTyping(isHeld: boolean): void {
    if (isHeld) {
      this.#held ??= [];
      return;
    }
    const held = this.#held ?? [];
    this.#held = null;
    for (const bytes of held) this.write(bytes);
  }

  /** Notes in the session's state what it waits for; null: it goes on. */
  block(block: Block | null): void {
    if (!this.isRunning) return;
    this.#move(block === null ? { kind: 'running', pid: this.pid } : { kind: 'blocked', pid: this.pid, block });
  }

  /** Puts a mark into the recording's index. */
  mark(text: string): void {
    this.#settleOutput();
    this.#recording.mark(text);
  }

  resize(cols: number, rows: number): void {
    if (!this.isAlive || (cols === this.cols && rows === this.rows)) return;
    this.#settleOutput();
    this.cols = cols;
    this.rows = rows;
    this.#pty.resize(cols, rows);
    this.#recording.resize(cols, rows);
    this.#screen.resize(cols, rows);
    this.#watcher.touched(this); // what was seen of the screen is laid out anew
  }

  /** Sends one signal to all processes of the session and leaves the rest to them. */
  signal(signal: NodeJS.Signals, by: KillCause): void {
    if (this.#state.kind === 'spawning') return void this.#orders.push(() => this.signal(signal, by));
    this.#killed ??= { by, signal, isFinal: false };
    this.#signalAll(signal);
  }

  /** Ends the session: politely, and with SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(signal: NodeJS.Signals, graceMs: number, by: KillCause): Promise<void> {
    if (this.#state.kind === 'ended') return Promise.resolve();
    if (this.#state.kind === 'spawning')
      return new Promise((resolve) => this.#orders.push(() => void this.stop(signal, graceMs, by).then(resolve)));
    if (this.#killed?.isFinal !== true) this.#killed = { by, signal, isFinal: true };
    this.#signalAll(signal);
    if (signal !== 'SIGHUP' && signal !== 'SIGKILL') this.#signalAll('SIGHUP'); // interactive shells ignore SIGTERM
    this.#signalAll('SIGCONT');
    const killAt = Date.now() + graceMs;
    if (this.#state.kind !== 'stopping' || killAt < this.#state.killAt) this.#killAt(killAt, graceMs);
    return new Promise((resolve) => void this.#waiters.push(resolve));
  }

  /** Writes what this turn brought into the recording and to whoever looks; true when more has to be done in the next one. */
  settle(): boolean {
    this.#settleOutput();
    this.#recording.flush();
    this.#throttle(this.#screen.catchUp());
    return this.#isPaused;
  }

  /** Called when the end is on disk: now it may be told. */
  announceEnd(end: SessionEnd): void {
    for (const attachment of this.attachments) attachment.end({ kind: 'session-ended', end });
    this.attachments.clear();
    for (const resolve of this.#waiters) resolve();
    this.#waiters = [];
  }

  #move(next: SessionState): void {
    const allowed: readonly SessionState['kind'][] = sessionTransitions[this.#state.kind];
    if (next.kind !== this.#state.kind && !allowed.includes(next.kind)) {
      throw new Error(`session ${this.id} cannot go from ${this.#state.kind} to ${next.kind}`);
    }
    this.#state = next;
  }

  #onStarted(pid: number, pidStart: string, epoch: number): void {
    this.pid = pid;
    this.#move({ kind: 'running', pid });
    this.#watcher.journal(this, { kind: 'spawned', pid, pidStart, epoch });
    this.#watcher.started(this, null);
    this.#doOrders();
  }

  #doOrders(): void {
    const orders = this.#orders;
    this.#orders = [];
    for (const order of orders) order();
  }

  #onData(bytes: Buffer): void {
    if (!this.isAlive) return;
    this.#turn.push(bytes);
    if (this.#sentBytes === 0) {
      this.#sentBytes = bytes.length; // the echo of a keystroke does not wait for the end of the turn
      for (const attachment of this.attachments) attachment.send(bytes);
    }
    this.lastOutputAt = Date.now();
    this.#watcher.touched(this);
  }

  #settleOutput(): void {
    const [first, ...more] = this.#turn;
    if (first === undefined) return;
    const bytes = more.length === 0 ? first : Buffer.concat([first, ...more]);
    this.#isFlooding = bytes.length >= floodBytes;
    const rest = bytes.subarray(this.#sentBytes);
    this.#turn = [];
    this.#sentBytes = 0;
    if (rest.length > 0) for (const attachment of this.attachments) attachment.send(rest);
    this.#recording.write(bytes);
    const isPlain = this.#isPlain(bytes);
    this.#screen.add(bytes, isPlain);
    this.#answerQueries(bytes, isPlain);
  }

  /** With nobody at the keyboard, the screen answers for the terminal that is not there: programs wait for it. */
  #answerQueries(bytes: Buffer, isPlain: boolean): void {
    const text = this.#queryTail + bytes.toString('latin1', isPlain ? Math.max(0, bytes.length - maxQueryBytes) : 0);
    const tail = text.lastIndexOf('\u001b');
    this.#queryTail = tail >= text.length - maxQueryBytes && tail !== -1 ? text.slice(tail) : '';
    if (isPlain || !queryPattern.test(text)) return;
    this.#queryTail = '';
    if (this.writer === null) this.#screen.answerQueries((reply) => void this.write(Buffer.from(reply, 'latin1')));
  }

  /** Reads no more for a moment if it floods: somebody types in another session. */
  giveWay(): void {
    if (!this.#isFlooding || this.#givesWay) return;
    this.#givesWay = true;
    this.#pty.pause();
    setTimeout(() => {
      this.#givesWay = false;
      if (!this.#isPaused) this.#pty.resume();
    }, giveWayMs);
  }

  #throttle(isBehind: boolean): void {
    if (isBehind === this.#isPaused) return;
    this.#isPaused = isBehind;
    if (isBehind) this.#pty.pause();
    else if (!this.#givesWay) this.#pty.resume();
  }

  #signalAll(signal: NodeJS.Signals): void {
    if (signalSession(this.pid, signal) === 0 && this.isAlive) signalPid(this.pid, signal);
  }

  #killAt(killAt: number, graceMs: number): void {
    this.#move({ kind: 'stopping', pid: this.pid, killAt });
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.#signalAll('SIGKILL'), graceMs);
  }

  #onEnd(ended: ProcessEnd): void {
    if (ended.kind === 'not-started') return this.#refuse(ended);
    this.#settleOutput();
    const droppedBytes = this.#recording.close();
    if (droppedBytes > 0) this.#watcher.journal(this, { kind: 'recording-truncated', droppedBytes });
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    // what outlives the leader of a session that was stopped, and whoever nobody can wait for any more
    if (this.pid !== 0 && (this.#killed?.isFinal === true || ended.kind === 'lost')) this.#signalAll('SIGKILL');
    const end = this.#endOf(ended);
    this.#watcher.ending(this);
    this.#move({ kind: 'ended', end });
    this.#watcher.journal(this, { kind: 'ended', end });
    this.#watcher.ended(this);
    this.#doOrders();
  }

  /** It never began, so the journal says nothing of it. */
  #refuse(ended: Extract<ProcessEnd, { kind: 'not-started' }>): void {
    this.#recording.close();
    this.#move({ kind: 'ended', end: ended });
    this.#watcher.started(this, ended.reason);
    this.#doOrders();
  }

  #endOf(ended: ProcessEnd): SessionEnd {
    const killed = this.#killed;
    if (killed === null) return ended;
    if (ended.kind === 'signalled' && (killed.isFinal || ended.signal === killed.signal)) {
      return { kind: 'killed', by: killed.by, signal: ended.signal };
    }
    return killed.isFinal ? { kind: 'killed', by: killed.by, signal: killed.signal } : ended;
  }
}

function castHeader(spawn: SpawnRequest, plan: SpawnPlan, startedAt: number) {
  const env: Record<string, string> = {};
  for (const name of ['TERM', 'SHELL']) {
    const value = plan.env[name];
    if (value !== undefined) env[name] = value;
  }
  const { cols, rows, recording } = spawn;
  const timestamp = Math.floor(startedAt / 1000);
  return { version: 2, width: cols, height: rows, timestamp, title: recording.title, env } as const;
}

import type { Answer, AnswerSource, Block } from '../domain/block.ts';
import type { AnswerRule } from '../domain/dag.ts';
import type { HookReport } from '../domain/hook.ts';
import { blockId, type BlockId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { judgeScreen, openRuleBook, type BlockedJudgement, type RuleBook } from '../monitor/judge.ts';
import { readKernelWitness, readModes, type KernelWitness } from '../monitor/kernel.ts';
import type { ScreenInput } from '../monitor/look.ts';
import { openMonitor, type Monitor } from '../monitor/open-monitor.ts';
import { parseRules } from '../monitor/parse-rules.ts';
import { readLook } from '../monitor/render.ts';
import { agentNames } from '../monitor/coding-agents.ts';
import type { HookWitness, Verdict } from '../monitor/verdict.ts';
import { witnessOf } from './hook-witness.ts';
import { callAt, graceMs, planLimit } from './limit-wait.ts';
import { playAnswer, type AnswerPorts, type PlayError, type Seen } from './play-answer.ts';
import type { HostError, JournalEvent, VerdictNote, Why } from './protocol.ts';
import type { Screen } from './screen.ts';
import type { Session } from './session.ts';
import { coreOf } from './xterm-core.ts';

export interface WatchPorts {
  /** The screen of a session, kept unfolded for a while. */
  readonly look: (session: Session) => Screen;
  readonly journal: (session: Session, event: JournalEvent) => void;
}

export interface GivenAnswer {
  readonly block: BlockId;
  readonly fingerprint: string;
  readonly answer: Answer;
  readonly source: AnswerSource;
}

interface Watched {
  readonly session: Session;
  /** What is asked now, as it stands in the journal. */
  block: Block | null;
  /** The monitor's number of the episode that `block` or the last one is. */
  episode: number;
  blocks: number;
  /** How earlier blocks ended; null: not by an answer. */
  readonly ended: Map<BlockId, AnswerSource | null>;
  readonly history: VerdictNote[];
  readonly uses: Map<string, number>;
  hook: HookWitness | null;
  report: Extract<HookReport, { kind: 'turn-done' }> | null;
  turnDone: boolean;
  /** The answer that was confirmed and is not seen to be taken yet. */
  confirmed: GivenAnswer | null;
  /** Ends the waiting for a limit. */
  stopWaiting: () => void;
  /** Answers are given one after the other. */
  turn: Promise<unknown>;
}

/** A person who typed so recently is in the middle of it. */
const typingMs = 3_000;
/** An agent's screen that has not moved for so long takes keys. */
const restMs = 300;
const historyLength = 20;
const whyRows = 24;
/** A hook that says that the turn is done while the screen still asks is believed only if the screen stops asking. */
const doubtMs = 1_500;
const hidden: Answer = { kind: 'text', text: '(hidden)' };
const neverAutomatic = new Set<Block['kind']>(['trust', 'login', 'password']);

/** Watches sessions: what the monitor finds becomes blocks, entries of the journal and marks in the recording; answers are given here. */
export class Watch {
  readonly #ports: WatchPorts;
  readonly #sessions = new Map<Session, Watched>();
  readonly #monitor: Monitor<Session>;
  /** Books of users' rules, by how they are written. */
  readonly #books = new Map<string, RuleBook>();

  constructor(ports: WatchPorts) {
    this.#ports = ports;
    this.#monitor = openMonitor<Session>({
      clock: wallClock,
      readScreen: (session) => this.#read(session),
      rulesOf: (session) => this.#rulesOf(session),
      readKernel: (session) => readWitness(session.pid),
      onVerdict: (session, verdict, before) => this.#onVerdict(session, verdict, before),
      onTurnOver: (session, rule) => this.#onTurnOver(session, rule),
    });
  }

  add(session: Session): void {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, {
      session,
      block: null,
      episode: 0,
      blocks: 0,
      ended: new Map(),
      history: [],
      uses: new Map(),
      hook: null,
      report: null,
      turnDone: false,
      confirmed: null,
      stopWaiting: () => {},
      turn: Promise.resolve(),
    });
    this.#monitor.add(session);
    this.#monitor.changed(session); // it may have asked before anybody looked
  }

  changed(session: Session): void {
    this.#monitor.changed(session);
  }

  /** The session is about to end: an answer that was just confirmed is what ended it. */
  ending(session: Session): void {
    const watched = this.#sessions.get(session);
    if (watched !== undefined && watched.confirmed !== null) this.#end(watched);
  }

  forget(session: Session): void {
    this.#monitor.exited(session);
    this.#sessions.get(session)?.stopWaiting();
    this.#sessions.delete(session);
  }

  /** What an agent's hook says of its session. */
  hook(session: Session, report: HookReport): void {
    const watched = this.#sessions.get(session);
    if (watched === undefined) return;
    if (report.kind === 'turn-done') watched.report = report;
    if (report.kind === 'working') watched.turnDone = false;
    const witness = witnessOf(report, Date.now());
    if (witness === null) return this.#monitor.heard(session);
    watched.hook = witness;
    const wasAsking = watched.block !== null;
    this.#monitor.hook(session, witness);
    if (witness.state !== 'done') return;
    if (wasAsking)
      setTimeout(
        () => this.#monitor.verdict(session)?.kind === 'done' && this.#finishTurn(watched, witness.rule),
        doubtMs,
      );
    else this.#finishTurn(watched, witness.rule);
  }

  /** Gives an answer to a question: the first that is accepted wins, and nothing is pressed that was not seen. */
  answer(session: Session, given: GivenAnswer): Promise<Result<void, HostError>> {
    const watched = this.#sessions.get(session);
    if (watched === undefined) return Promise.resolve(err({ kind: 'block-gone', block: given.block }));
    const played = watched.turn.then(() => this.#answer(watched, given));
    watched.turn = played.catch(() => undefined);
    return played;
  }

  why(session: Session): Why | null {
    const watched = this.#sessions.get(session);
    const verdict = this.#monitor.verdict(session);
    if (watched === undefined || verdict === null) return null;
    const input = this.#read(session);
    const judged = judgeScreen(input, Date.now(), this.#rulesOf(session));
    const text = input.lines.filter((line) => line.trim() !== '');
    const kernel = readKernelWitness(session.pid);
    const { hook, block, history } = watched;
    return {
      verdict: noteOf(verdict),
      block,
      judged: { state: judged.state, rule: judged.rule, evidence: judged.evidence },
      screen: text.slice(-whyRows),
      kernel: { foreground: kernel.foreground, program: kernel.program },
      hook: hook === null ? null : { state: hook.state, rule: hook.rule, at: hook.at },
      lastOutputAt: session.lastOutputAt,
      history: [...history],
    };
  }

  #read(session: Session): ScreenInput {
    const terminal = this.#ports.look(session).view();
    const agent = session.agent?.screen ?? foregroundAgent(session.pid);
    const look = readLook(terminal, coreOf(terminal)._inputHandler._windowTitle);
    return { ...look, cols: session.cols, rows: session.rows, ...(agent === null ? {} : { agent }) };
  }

  /** Rules with mistakes in them were refused before the run; here they count for nothing. */
  #rulesOf({ agent }: Session): RuleBook {
    const key = agent?.rules === undefined ? '' : JSON.stringify([agent.screen, agent.rules]);
    const known = this.#books.get(key);
    if (known !== undefined) return known;
    const own = agent?.rules === undefined ? null : parseRules(agent.screen, agent.rules);
    const book = openRuleBook(own?.ok === true ? own.value : []);
    this.#books.set(key, book);
    return book;
  }

  #onVerdict(session: Session, verdict: Verdict, before: Verdict): void {
    const watched = this.#sessions.get(session);
    // What a program paints while it is ended means nothing; the block that it was in says why it is ended.
    if (watched === undefined || verdict.kind === 'ended' || !session.isRunning) return;
    const note = noteOf(verdict);
    watched.history.push(note);
    if (watched.history.length > historyLength) watched.history.shift();
    session.mark(`cis: ${note.kind} (${note.rule})`);
    if (before.kind === 'blocked' && (verdict.kind !== 'blocked' || verdict.episode !== watched.episode)) {
      this.#end(watched);
    }
    if (verdict.kind === 'blocked') this.#open(watched, verdict);
  }

  /** A hook that never spoke, or not of this: the screen is second. */
  #onTurnOver(session: Session, rule: string): void {
    const watched = this.#sessions.get(session);
    if (watched === undefined || !session.isRunning || session.agent === undefined) return;
    session.mark(`cis: the turn is over (${rule})`);
    this.#finishTurn(watched, rule);
  }

  #open(watched: Watched, verdict: Extract<Verdict, { kind: 'blocked' }>): void {
    const { session } = watched;
    const isNew = verdict.episode !== watched.episode;
    if (!isNew && watched.block === null) return; // answered; the monitor will see it go
    if (isNew) watched.blocks += 1;
    watched.episode = verdict.episode;
    watched.turnDone = false;
    const asked = blockOf(blockId(session.id, watched.blocks), verdict.asked, verdict.since, () =>
      this.#lastRow(session),
    );
    const waits = session.waitsForLimits && asked.kind === 'rate-limit' && asked.until !== undefined;
    const block: Block = waits ? { ...asked, waits } : asked;
    this.#show(watched, block);
    if (waits) this.#waitForLimit(watched, block);
    else if (verdict.seen) this.#answerByRule(watched, block);
  }

  #show(watched: Watched, block: Block): void {
    watched.block = block;
    watched.session.block(block);
    this.#ports.journal(watched.session, { kind: 'blocked', block });
  }

  /** Nobody is asked: when the limit has ended the program goes on, by itself or told so. What cannot be told so is asked after all. */
  #waitForLimit(watched: Watched, block: Block): void {
    watched.stopWaiting();
    const plan = planLimit(block, watched.session.agent?.goOn ?? null);
    const source = { by: 'on_rate_limit', via: 'rule' } as const;
    const act = async (): Promise<void> => {
      if (watched.block?.id !== block.id) return;
      const { fingerprint } = block;
      const given = plan === null ? null : { block: block.id, fingerprint, answer: plan.answer, source };
      const taken = given !== null && (await this.answer(watched.session, given)).ok;
      const { waits: _, ...asked } = block;
      if (!taken && watched.block?.id === block.id) this.#show(watched, asked);
    };
    if (plan?.when === 'now') return void act();
    watched.stopWaiting = callAt(wallClock, (block.until ?? 0) + graceMs, () => void act());
  }

  #lastRow(session: Session): string {
    return (
      this.#read(session)
        .lines.findLast((line) => line.trim() !== '')
        ?.trim() ?? ''
    );
  }

  /** The question is gone: by the answer that was confirmed, else by itself. */
  #end(watched: Watched): void {
    const { confirmed, block } = watched;
    if (block === null) return;
    if (confirmed === null) return this.#close(watched, null, endedBy(watched));
    this.#close(watched, isSecret(block) ? hidden : confirmed.answer, confirmed.source);
  }

  #close(watched: Watched, answer: Answer | null, source: AnswerSource): void {
    const { block, session } = watched;
    if (block === null) return;
    watched.stopWaiting();
    watched.block = null;
    watched.ended.set(block.id, answer === null ? null : source);
    session.block(null);
    this.#ports.journal(session, { kind: 'unblocked', block: block.id, answer, source });
  }

  #finishTurn(watched: Watched, rule: string): void {
    if (watched.turnDone) return;
    watched.turnDone = true;
    const { message = null, thread = null } = watched.report ?? {};
    const event = { kind: 'turn-done', message, rule } as const;
    this.#ports.journal(watched.session, thread === null ? event : { ...event, thread });
  }

  async #answer(watched: Watched, given: GivenAnswer): Promise<Result<void, HostError>> {
    const { session } = watched;
    const { block, episode } = watched;
    if (block === null || block.id !== given.block) {
      const source = watched.ended.get(given.block) ?? null;
      return err(
        source === null
          ? { kind: 'block-gone', block: given.block }
          : { kind: 'already-answered', block: given.block, source },
      );
    }
    if (block.fingerprint !== given.fingerprint) return err({ kind: 'block-gone', block: given.block });
    if (given.source.via !== 'rule' && Date.now() - session.typedAt < typingMs)
      return err({ kind: 'person-typing', session: session.id });
    const startedAt = Date.now();
    session.holdTyping(true);
    try {
      const answering = session.agent?.answering ?? { axis: 'vertical', digits: false };
      const ports = this.#answerPorts(watched, block, startedAt, () => void (watched.confirmed = given));
      const played = await playAnswer(ports, given.fingerprint, given.answer, answering);
      if (!played.ok) return err(errorOf(played.error, given.block, session));
      watched.confirmed = given;
      if (watched.block?.id === block.id) this.#end(watched); // else the monitor saw it go before we did
      const verdict = this.#monitor.verdict(session);
      const isStill = verdict?.kind === 'blocked' && verdict.episode === episode;
      if (isStill || verdict?.kind !== 'blocked') this.#monitor.answered(session, isNo(given.answer, block));
      return ok(undefined);
    } finally {
      watched.confirmed = null;
      session.holdTyping(false);
    }
  }

  #answerPorts({ session }: Watched, block: Block, startedAt: number, confirms: () => void): AnswerPorts {
    return {
      look: () => this.#see(session, block),
      write: (text) => void session.write(Buffer.from(text)),
      confirms,
      pause: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
      now: Date.now,
      isDisturbed: () => session.typedAt > startedAt,
      restMs: session.agent === undefined ? 0 : restMs,
      reader: async () => {
        const witness = await readWitness(session.pid);
        if (witness === null || witness.foreground === 'unknown') return null;
        // An agent's own threads wait for its terminal in ways that the kernel shows as plain sleep.
        const sleeps = witness.foreground === 'sleeping' && session.agent !== undefined;
        const isDrained = witness.foreground === 'reading' || witness.foreground === 'polling';
        return { waits: sleeps || isDrained, isDrained, echo: witness.echo };
      },
    };
  }

  /** A question that only the kernel told of has no words on the screen: it is there as long as the program reads. */
  #see(session: Session, block: Block): Seen {
    const input = this.#read(session);
    const { cursor = { row: 0, col: 0 }, lines } = input;
    if (!session.isRunning) return { asked: null, lines, cursor };
    const judged = judgeScreen(input, Date.now(), this.#rulesOf(session));
    if (judged.state === 'blocked') return { asked: judged, lines, cursor };
    if (judged.state === 'idle' && block.input === 'line' && block.kind === 'question' && session.agent !== undefined)
      return { asked: block, lines, cursor };
    if (!block.rule.startsWith('kernel')) return { asked: null, lines, cursor };
    const reads = readKernelWitness(session.pid).foreground === 'reading';
    return { asked: reads ? block : null, lines, cursor };
  }

  #answerByRule(watched: Watched, block: Block): void {
    const { session } = watched;
    if (neverAutomatic.has(block.kind)) return;
    for (const rule of session.answers) {
      const uses = watched.uses.get(rule.name) ?? 0;
      const answer = uses < rule.maxTimes && isFor(rule, block, session) ? answerOf(rule, block) : null;
      if (answer === null) continue;
      watched.uses.set(rule.name, uses + 1);
      const source = { by: rule.name, via: 'rule' } as const;
      void this.answer(session, { block: block.id, fingerprint: block.fingerprint, answer, source });
      return;
    }
  }
}

function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}

const wallClock = { now: Date.now, after };

/** The modes of the terminal cost a process: they are asked for only where somebody may be waited for. */
async function readWitness(pid: number): Promise<KernelWitness | null> {
  const witness = readKernelWitness(pid);
  if (witness.foreground === 'sleeping' || witness.foreground === 'running') return witness;
  const modes = await readModes(pid);
  return modes === null ? witness : { ...witness, ...modes };
}

/** An agent that a plain command started: its rules are known by its name. */
function foregroundAgent(pid: number): string | null {
  const { program } = readKernelWitness(pid);
  return program !== null && agentNames.has(program) ? program : null;
}

function noteOf(verdict: Verdict): VerdictNote {
  const rule = verdict.kind === 'ended' ? 'exit' : verdict.kind === 'blocked' ? verdict.asked.rule : verdict.rule;
  return { at: verdict.since, kind: verdict.kind, rule };
}

function blockOf(id: BlockId, asked: BlockedJudgement, since: number, lastRow: () => string): Block {
  const { kind, choices, selected, command, until, fingerprint, rule, input } = asked;
  return {
    id,
    kind,
    question: asked.question === '' ? lastRow() : asked.question,
    choices,
    selected,
    ...(command === undefined ? {} : { command }),
    ...(until === undefined ? {} : { until }),
    since,
    fingerprint,
    rule,
    ...(input === undefined ? {} : { input }),
  };
}

/** A question that goes without an answer of ours: somebody typed into the session, or the program went on by itself. */
function endedBy({ session, block }: Watched): AnswerSource {
  const typed = block !== null && session.typedAt > block.since;
  return typed ? { by: session.typedBy, via: 'terminal' } : { by: 'the program itself', via: 'screen' };
}

function isSecret(block: Block): boolean {
  return block.kind === 'password' || block.kind === 'login';
}

function isFor(rule: AnswerRule, block: Block, session: Session): boolean {
  if (rule.agent !== undefined && rule.agent !== session.agent?.name) return false;
  if (rule.kind !== undefined && rule.kind !== block.kind) return false;
  try {
    const pattern = new RegExp(rule.match, 'u');
    return pattern.test(block.question) || (block.command !== undefined && pattern.test(block.command));
  } catch {
    return false;
  }
}

const NO = /^(?:no|reject|deny|decline|cancel|don't|do not|abort|never|skip|stop|esc)\b|^n$/iu;

/** Whether an answer refuses what was asked for; null: keys may mean anything. */
function isNo(answer: Answer, block: Block): boolean | null {
  if (answer.kind === 'choose') return NO.test(block.choices[answer.index]?.label ?? '');
  if (answer.kind === 'text') return NO.test(answer.text.trim());
  return answer.keys === '\u001b' ? true : null;
}

/** The choice of exactly that label; for a question without choices, the text. */
function answerOf(rule: AnswerRule, block: Block): Answer | null {
  if (block.choices.length === 0) return { kind: 'text', text: rule.choose };
  const wanted = rule.choose.toLowerCase();
  const index = block.choices.findIndex((choice) => choice.label.toLowerCase() === wanted);
  return index === -1 ? null : { kind: 'choose', index };
}

function errorOf(error: PlayError, block: BlockId, session: Session): HostError {
  switch (error.kind) {
    case 'gone':
      return { kind: 'block-gone', block };
    case 'disturbed':
      return { kind: 'person-typing', session: session.id };
    case 'not-taken':
      return { kind: 'answer-not-taken', block, detail: error.detail };
  }
}

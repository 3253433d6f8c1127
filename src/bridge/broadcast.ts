import type { Answer } from '../domain/block.ts';
import type { CisEvent, LoggedEvent } from '../domain/event.ts';
import type { RunId } from '../domain/ids.ts';
import type { PictureFold, RunPicture } from '../domain/picture.ts';
import { isRunOver } from './over.ts';
import type { Lane, RateLimit, RoomPlace } from '../domain/room.ts';
import type { RunSettings } from '../domain/run.ts';
import {
  closeQuestion,
  insertQuestion,
  isRoundWaiting,
  listOpenQuestions,
  readBridgeRun,
  writeProgress,
  type BridgeRun,
  type QuestionRow,
} from '../storage/bridge.ts';
import { readDevice } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { putIntoOutbox } from '../storage/outbox.ts';
import { openPictureOf } from '../storage/read-picture.ts';
import { readEvents, readLease, readOutput, readRunSettings } from '../storage/read.ts';
import { readAnswersOf } from '../storage/request.ts';
import { renderCard, titleOf } from './card.ts';
import { renderDetails } from './details.ts';
import { foldMachine } from './machine.ts';
import { edit, inThread, notice, plainMessage, reaction, text } from './message.ts';
import {
  questionsOf,
  renderOutcome,
  renderQuestion,
  sayOutcome,
  seedsFor,
  type Outcome,
  type Question,
} from './question.ts';
import { oneLine, plainText } from './text.ts';

export interface BroadcastOptions {
  readonly db: Db;
  readonly userId: string;
  readonly deviceId: string;
  /** How this machine is called. */
  readonly node: string;
  readonly intervalMs: number;
  /** The config's word; a DAG's own beats it. */
  readonly broadcastOutput: boolean;
  readonly mask: (text: string) => string;
  readonly now: () => number;
}

/** Brings the outbox up to the log, run by run. It keeps nothing that it could not read again. */
export interface Broadcaster {
  /** Looks at one run; returns in how many ms it wants to look again though nothing may happen, null: then not. */
  look(run: BridgeRun): number | null;
}

/** What is remembered of a run between looks. */
interface Followed {
  readonly fold: PictureFold;
  readonly settings: RunSettings;
  seen: number;
  /** Questions are as the events up to here want them. */
  settled: number;
  roundAt: number;
  /** The last round is on its way; else, when it was in the room, and how long that took. */
  isTelling: boolean;
  toldAt: number;
  tellingMs: number;
}

export function openBroadcaster(options: BroadcastOptions): Broadcaster {
  const followed = new Map<RunId, Followed>();
  return {
    look(row) {
      if (row.place === null) return null;
      const one = followed.get(row.run) ?? open(options, row.run);
      if (one === null) return null;
      followed.set(row.run, one);
      catchUp(options, one);
      const waitMs = write(options, one, row, row.place);
      if (waitMs === null && isRunOver(one.fold.picture)) followed.delete(row.run);
      return waitMs;
    },
  };
}

function open({ db }: BroadcastOptions, run: RunId): Followed | null {
  const opened = openPictureOf(db, run);
  const settings = readRunSettings(db, run);
  if (opened === null || settings === null) return null;
  return {
    fold: opened.fold,
    settings,
    seen: opened.seq,
    settled: -1,
    roundAt: -Infinity,
    isTelling: false,
    toldAt: 0,
    tellingMs: 0,
  };
}

function catchUp({ db }: BroadcastOptions, one: Followed): void {
  for (;;) {
    const events = readEvents(db, one.settings.run, one.seen);
    for (const event of events) one.fold.apply(event);
    one.seen = events.at(-1)?.seq ?? one.seen;
    if (events.length === 0) return;
  }
}

type Due = { readonly kind: 'now' } | { readonly kind: 'later'; readonly ms: number | null };

/**
 * Rounds are on their way for a fifth of the time at most: where the machine or the homeserver is busy they come less often, and what
 * they tell is folded. Waiting longer than this would not spare anybody much.
 */
const longestRestMs = 2000;

function restAfter(one: Followed, intervalMs: number, now: number): number {
  const restMs = Math.min(longestRestMs, 4 * one.tellingMs);
  const ms = Math.max(one.roundAt + intervalMs, one.toldAt + restMs) - now;
  // A clock that was set back must not make it longer.
  return Math.min(ms, Math.max(intervalMs, longestRestMs));
}

/** Whether there is a round to write: looked at without a lock first, since most looks find none and the run's driver wants the lock. */
function dueOf({ db, now, intervalMs }: BroadcastOptions, one: Followed, row: BridgeRun, round: Round): Due {
  const { place, card, lastRow } = row;
  if (row.closed || place === null) return { kind: 'later', ms: null };
  if (lastRow !== null && isRoundWaiting(db, place, lastRow)) return { kind: 'later', ms: intervalMs };
  if (one.isTelling)
    Object.assign(one, { isTelling: false, toldAt: now(), tellingMs: Math.max(0, now() - one.roundAt) });
  if (card === null || isRunOver(one.fold.picture)) return { kind: 'now' };
  if (!round.hasNews()) return { kind: 'later', ms: null };
  const ms = restAfter(one, intervalMs, now());
  return ms > 0 ? { kind: 'later', ms } : { kind: 'now' };
}

/** One transaction: what is put into the outbox, and that it was. */
function write(options: BroadcastOptions, one: Followed, known: BridgeRun, place: RoomPlace): number | null {
  const { db, now } = options;
  const due = dueOf(options, one, known, new Round(options, one, known, place));
  if (due.kind === 'later' && one.settled === one.seen) return due.ms;
  const transaction = db.transaction((): number | null => {
    const row = readBridgeRun(db, known.run);
    if (row === null || row.closed) return null;
    const round = new Round(options, one, row, place);
    round.settleQuestions();
    const due = dueOf(options, one, row, round);
    if (due.kind === 'later') return due.ms;
    round.everything();
    one.roundAt = now();
    one.isTelling = true;
    return null;
  });
  const waitMs = transaction.immediate();
  one.settled = one.seen;
  return waitMs;
}

/** What one look puts into the outbox. */
class Round {
  readonly #options: BroadcastOptions;
  readonly #one: Followed;
  readonly #row: BridgeRun;
  readonly #place: RoomPlace;

  constructor(options: BroadcastOptions, one: Followed, row: BridgeRun, place: RoomPlace) {
    this.#options = options;
    this.#one = one;
    this.#row = row;
    this.#place = place;
  }

  get #picture(): RunPicture {
    return this.#one.fold.picture;
  }

  hasNews(): boolean {
    return this.#one.seen > this.#row.seq || renderCard(this.#picture).html !== this.#row.shown;
  }

  /** Asks what is newly asked, and says of what no longer is what became of it. These wait for no interval. */
  settleQuestions(): void {
    const { db, now } = this.#options;
    const wanted = this.#picture.mode !== 'local' && !isRunOver(this.#picture) ? questionsOf(this.#picture, now()) : [];
    const open = listOpenQuestions(db, this.#one.settings.run);
    const ids = new Set(wanted.map(({ id }) => id));
    for (const row of open) if (!ids.has(row.asked)) this.#closeQuestion(row);
    const known = new Set(open.map(({ asked }) => asked));
    for (const question of wanted) if (!known.has(question.id)) this.#ask(question);
  }

  #ask(question: Question): void {
    const { db, mask } = this.#options;
    const { people, room } = this.#place;
    const message = renderQuestion(question, { dag: this.#picture.dag, mentions: people, mask });
    const meaning = {
      v: 1,
      run_id: question.run,
      task_id: question.task,
      attempt: question.attempt,
      asks: question.id,
    };
    const content = { ...text(message, people), 'cis.question': meaning };
    const row = this.#put(room, 'question', 'm.room.message', content);
    insertQuestion(db, { row, run: question.run, asked: question.id, body: question });
    const seeds = seedsFor(question);
    const device = readDevice(db);
    if (!hasTokens(device?.limit ?? null, device?.bucket?.tokens ?? null, seeds.length)) return;
    for (const key of seeds) this.#put(room, 'outcome', 'm.reaction', reaction(key), row);
  }

  #closeQuestion({ row, body }: QuestionRow): void {
    const { db, mask } = this.#options;
    const question = body as Question;
    const outcome = outcomeOf(db, question);
    const message = renderOutcome(question, outcome, { dag: this.#picture.dag, mentions: [], mask });
    this.#put(this.#place.room, 'outcome', 'm.room.message', edit(text(message)), row);
    closeQuestion(db, row, sayOutcome(outcome));
  }

  /** Card, machine events, details and, at the end, the result: one round, in the order of their lanes. */
  everything(): void {
    const { run } = this.#one.settings;
    const events = this.#eventsAfter(this.#row.seq);
    const rows: number[] = [];
    const { card, shown } = this.#card(rows);
    const { machineRoom } = this.#place;
    // What nodes must believe is signed, and sent by whoever coordinates the run.
    if (machineRoom !== null && this.#picture.mode !== 'matrix') {
      for (const item of this.#machine(events)) rows.push(this.#put(machineRoom, 'machine', item.type, item.content));
    }
    this.#details(events, card, rows);
    const isOver = isRunOver(this.#picture);
    if (isOver) this.#result(card, rows);
    const closed = isOver || this.#picture.mode === 'local';
    const seq = events.at(-1)?.seq ?? this.#row.seq;
    writeProgress(this.#options.db, { run, seq, card, shown, lastRow: rows.at(-1) ?? this.#row.lastRow, closed });
  }

  /** Read in one transaction with the write; the picture may not be ahead of what is told. */
  #eventsAfter(seq: number): LoggedEvent[] {
    const events: LoggedEvent[] = [];
    for (let from = seq; ;) {
      const some = readEvents(this.#options.db, this.#one.settings.run, from);
      events.push(...some.filter((event) => event.seq <= this.#one.seen));
      const last = some.at(-1)?.seq;
      if (last === undefined || last >= this.#one.seen) return events;
      from = last;
    }
  }

  #card(rows: number[]): { readonly card: number; readonly shown: string } {
    const { room } = this.#place;
    const message = renderCard(this.#picture);
    if (this.#row.card === null) {
      const card = this.#put(room, 'card', 'm.room.message', notice(message));
      rows.push(card);
      return { card, shown: message.html };
    }
    if (message.html !== this.#row.shown) {
      rows.push(this.#put(room, 'card', 'm.room.message', edit(notice(message)), this.#row.card));
    }
    return { card: this.#row.card, shown: message.html };
  }

  #machine(events: readonly LoggedEvent[]) {
    const { db, userId, deviceId, node, mask } = this.#options;
    const { settings } = this.#one;
    return foldMachine(events, {
      settings,
      picture: this.#picture,
      place: this.#place,
      userId,
      deviceId,
      node,
      epoch: readLease(db, settings.run)?.epoch ?? 0,
      mask,
      introduce: this.#row.card === null && this.#row.seq > 0,
    });
  }

  #details(events: readonly LoggedEvent[], card: number, rows: number[]): void {
    const { mask } = this.#options;
    const message = renderDetails(events, { mask, preview: (event) => this.#preview(event) });
    if (message === null) return;
    rows.push(this.#put(this.#place.room, 'detail', 'm.room.message', inThread(notice(message)), card));
  }

  #preview({ task, attempt, output }: Extract<CisEvent, { kind: 'task-completed' | 'task-failed' }>): string | null {
    const { db, broadcastOutput, mask } = this.#options;
    const { matrix, run } = this.#one.settings;
    if (matrix.sensitive || !(matrix.broadcastOutput ?? broadcastOutput) || (output?.bytes ?? 0) === 0) return null;
    const found = readOutput(db, run, task, attempt);
    return found === null ? null : plainText(mask(found.text), { chars: 600, lines: 8 });
  }

  #result(card: number, rows: number[]): void {
    const said = plainMessage(titleOf(this.#picture));
    rows.push(this.#put(this.#place.room, 'result', 'm.room.message', inThread(notice(said)), card));
  }

  #put(room: string, lane: Lane, type: string, content: Readonly<Record<string, unknown>>, refersTo?: number): number {
    const { db, now } = this.#options;
    return putIntoOutbox(db, { room, lane, type, content, ...(refersTo === undefined ? {} : { refersTo }) }, now());
  }
}

/** Reactions are a convenience: they are not worth what the next question would need. */
function hasTokens(limit: RateLimit | null, tokens: number | null, seeds: number): boolean {
  return limit === null || (tokens ?? limit.burst) >= seeds + 4;
}

/** Who settled a question, and how, as the log and the wishes of people tell it. */
function outcomeOf(db: Db, question: Question): Outcome {
  const { subject, choices, run, task, id } = question;
  const said = readAnswersOf(db, run, task, id);
  if (subject.kind === 'block' && said.unblocked !== null) {
    const { answer, source } = said.unblocked;
    if (source.via === 'screen') return { answer: null, by: null };
    return {
      answer: answer === null ? null : describeAnswer(answer, question),
      by: sourceWords(source.by, source.via),
    };
  }
  const { request } = said;
  if (request === null) return { answer: null, by: null };
  const word = wordsOf(
    request.request.kind,
    choices.map(({ label }) => label),
  );
  return { answer: word, by: sourceWords(request.by, request.via) };
}

function describeAnswer(answer: Answer, { choices, subject }: Question): string {
  switch (answer.kind) {
    case 'choose':
      return oneLine(choices[answer.index]?.label ?? `${answer.index + 1}`);
    case 'text':
      return subject.kind === 'block' && subject.blockKind === 'password' ? 'done' : oneLine(answer.text);
    case 'keys':
      return 'keys pressed';
  }
}

function wordsOf(kind: string, labels: readonly string[]): string {
  const words: Readonly<Record<string, string>> = {
    confirm: 'Yes',
    reject: 'No',
    retry: 'Run it again',
    fail: 'Count it as failed',
    skip: 'Skip it',
    unblock: 'It is resolved: go on',
    vote: 'voted',
  };
  return words[kind] ?? labels[0] ?? kind;
}

function sourceWords(by: string, via: string): string {
  if (via === 'rule') return `the rule "${by}"`;
  return via === 'room' ? by : `${by} (${via})`;
}

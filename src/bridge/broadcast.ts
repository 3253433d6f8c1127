import type { Answer } from '../domain/block.ts';
import type { LoggedEvent } from '../domain/event.ts';
import type { RunId } from '../domain/ids.ts';
import type { PictureFold, RunPicture } from '../domain/picture.ts';
import { isRunOver } from './over.ts';
import type { Lane, RoomPlace } from '../domain/room.ts';
import type { RunSettings } from '../domain/run.ts';
import {
  closeQuestion,
  findQuestions,
  insertFile,
  insertQuestion,
  isQuestionWaiting,
  isRoundWaiting,
  listListeners,
  listOpenQuestions,
  readBridgeRun,
  writeProgress,
  type BridgeRun,
  type QuestionRow,
} from '../storage/bridge.ts';
import { readDevice } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { putIntoOutbox, summarizeOutbox } from '../storage/outbox.ts';
import { openPictureOf } from '../storage/read-picture.ts';
import { readEvents, readLease, readOutput, readRunSettings } from '../storage/read.ts';
import { readAnswersOf } from '../storage/request.ts';
import { fullBucket, refill } from '../matrix/bucket.ts';
import { renderCard, titleOf } from './card.ts';
import { maySendOutput } from './output-policy.ts';
import { renderResult } from './result.ts';
import { previewOf, renderDetails, type OutputEvent, type Preview } from './details.ts';
import { groupQuestions, meaningOf, renderGroup, seedsForGroup, type Asked } from './group.ts';
import { foldMachine } from './machine.ts';
import { edit, inThread, notice, plainMessage, reaction, text } from './message.ts';
import {
  isSecret,
  questionsOf,
  renderOutcome,
  renderQuestion,
  sayOutcome,
  seedsFor,
  type Outcome,
  type Question,
  type QuestionView,
} from './question.ts';
import { cleanText, oneLine } from './text.ts';

export interface BroadcastOptions {
  readonly db: Db;
  readonly userId: string;
  readonly deviceId: string;
  /** How this machine is called. */
  readonly node: string;
  readonly intervalMs: number;
  /** The config's word; a DAG's own beats it. */
  readonly broadcastOutput: boolean;
  /** The end of a run mentions those who may answer, not only those who asked for it. */
  readonly mentionOnEnd: boolean;
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
  /** Questions are as the events up to here want them; -1: some are still to be asked. */
  settled: number;
  askedAt: number;
  roundAt: number;
  /** The last round is on its way; else, when it was in the room, and how long that took. */
  isTelling: boolean;
  toldAt: number;
  tellingMs: number;
}

/** Questions that come within so long of the last ones are gathered into one message; two seconds is what a question may take. */
const longestGatherMs = 1500;
/** Of the long outputs of one round, so many go as files: a run of thousands must not fill the room. */
const mostFiles = 3;

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
    askedAt: -Infinity,
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
  const transaction = db.transaction((): { readonly askInMs: number | null; readonly roundInMs: number | null } => {
    const row = readBridgeRun(db, known.run);
    if (row === null || row.closed) return { askInMs: null, roundInMs: null };
    const round = new Round(options, one, row, place);
    const askInMs = round.settleQuestions();
    const due = dueOf(options, one, row, round);
    if (due.kind === 'later') return { askInMs, roundInMs: due.ms };
    round.everything();
    one.roundAt = now();
    one.isTelling = true;
    return { askInMs, roundInMs: null };
  });
  const { askInMs, roundInMs } = transaction.immediate();
  // Questions that are gathered are still to be asked.
  one.settled = askInMs === null ? one.seen : -1;
  return sooner(askInMs, roundInMs);
}

function sooner(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
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
    return this.#one.seen > this.#row.seq || renderCard(this.#picture, this.#options.mask).html !== this.#row.shown;
  }

  /**
   * Asks what is newly asked, and says of what no longer is what became of it. The first question after a quiet time waits for
   * nothing; those that come soon after it, or while it could not be sent yet, share a message. Returns in how many ms those are due.
   */
  settleQuestions(): number | null {
    const { db, now } = this.#options;
    const { run } = this.#one.settings;
    const wanted = this.#picture.mode !== 'local' && !isRunOver(this.#picture) ? questionsOf(this.#picture, now()) : [];
    const open = listOpenQuestions(db, run);
    const ids = new Set(wanted.map(({ id }) => id));
    this.#closeQuestions(open.filter(({ asked }) => !ids.has(asked)));
    const known = new Set(open.map(({ asked }) => asked));
    const fresh = wanted.filter(({ id }) => !known.has(id));
    if (fresh.length === 0) return null;
    const gatherMs = Math.min(this.#options.intervalMs, longestGatherMs);
    if (isQuestionWaiting(db, run)) return gatherMs;
    const waitMs = this.#one.askedAt + gatherMs - now();
    if (waitMs > 0 && waitMs <= gatherMs) return waitMs;
    for (const group of groupQuestions(fresh, this.#view(this.#place.people))) this.#ask(group);
    this.#one.askedAt = now();
    return null;
  }

  #view(mentions: readonly string[]): QuestionView {
    return { dag: this.#picture.dag, mentions, mask: this.#options.mask };
  }

  #ask(group: readonly Question[]): void {
    const { db } = this.#options;
    const { people, room } = this.#place;
    const content = this.#asking(
      group.map((question) => ({ question, outcome: null })),
      people,
    );
    const row = this.#put(room, 'question', 'm.room.message', content);
    for (const [position, question] of group.entries())
      insertQuestion(db, { row, position, run: question.run, asked: question.id, body: question });
    const [only] = group;
    const seeds = group.length === 1 && only !== undefined ? seedsFor(only) : seedsForGroup(group);
    if (!this.#hasTokens(seeds.length)) return;
    for (const key of seeds) this.#put(room, 'outcome', 'm.reaction', reaction(key), row);
  }

  /** A message that asks one question, or several with what came of those that are settled. */
  #asking(asked: readonly Asked[], mentions: readonly string[]) {
    const [only] = asked;
    const view = this.#view(mentions);
    const message =
      asked.length === 1 && only !== undefined ? renderQuestion(only.question, view) : renderGroup(asked, view);
    return { ...text(message, mentions), 'cis.question': meaningOf(asked, view.mask) };
  }

  /** Reactions are a convenience: they are not worth what the next question would need. */
  #hasTokens(seeds: number): boolean {
    const { db, now } = this.#options;
    const device = readDevice(db);
    const limit = device?.limit ?? null;
    if (limit === null) return true;
    const { tokens } = refill(device?.bucket ?? fullBucket(limit, now()), limit, now());
    return tokens - summarizeOutbox(db).waiting >= seeds + 4;
  }

  #closeQuestions(rows: readonly QuestionRow[]): void {
    const { db } = this.#options;
    for (const row of rows) closeQuestion(db, row, sayOutcome(outcomeOf(db, row.body as Question)));
    for (const row of new Set(rows.map((one) => one.row))) this.#rewrite(row);
  }

  /** The message says what came of what it asked. */
  #rewrite(row: number): void {
    const { db, mask } = this.#options;
    const asked = findQuestions(db, row).map(({ body, outcome }) => ({ question: body as Question, outcome }));
    const [only] = asked;
    if (only === undefined) return;
    const view = this.#view([]);
    const message =
      asked.length > 1 ? renderGroup(asked, view) : renderOutcome(only.question, outcomeOf(db, only.question), view);
    const content = { ...text(message), 'cis.question': meaningOf(asked, mask) };
    this.#put(this.#place.room, 'outcome', 'm.room.message', edit(content), row);
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
    const message = renderCard(this.#picture, this.#options.mask);
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
    const { db, mask } = this.#options;
    const { run } = this.#one.settings;
    let files = 0;
    const preview = (event: OutputEvent): Preview | null => {
      const text = this.#output(event);
      const shown = text === null ? null : previewOf(text);
      if (shown === null || !shown.isCut) return shown;
      // What failed is told first where not everything can be.
      const isFile = files < mostFiles;
      if (isFile) insertFile(db, { run, task: event.task, attempt: event.attempt, card });
      files += 1;
      return { ...shown, isFile };
    };
    const message = renderDetails(events, { mask, preview });
    if (message === null) return;
    rows.push(this.#put(this.#place.room, 'detail', 'm.room.message', inThread(notice(message)), card));
  }

  /** An output as a room may have it: null where it may not, or where there is none. */
  #output({ task, attempt, output }: OutputEvent): string | null {
    const { db, broadcastOutput } = this.#options;
    const { run } = this.#one.settings;
    if (!maySendOutput(this.#one.settings, broadcastOutput) || (output?.bytes ?? 0) === 0) return null;
    const found = readOutput(db, run, task, attempt);
    return found === null ? null : cleanText(this.#options.mask(found.text));
  }

  /** To those who asked, as a message that mentions them; else quietly, in the thread. */
  #result(card: number, rows: number[]): void {
    const { db, mentionOnEnd } = this.#options;
    const { room, people } = this.#place;
    const told = [...new Set([...(mentionOnEnd ? people : []), ...listListeners(db, this.#one.settings.run)])];
    if (told.length === 0) {
      const said = plainMessage(titleOf(this.#picture));
      rows.push(this.#put(room, 'result', 'm.room.message', inThread(notice(said)), card));
      return;
    }
    const message = renderResult(this.#picture, told, this.#options.mask);
    rows.push(this.#put(room, 'result', 'm.room.message', text(message, told)));
  }

  #put(room: string, lane: Lane, type: string, content: Readonly<Record<string, unknown>>, refersTo?: number): number {
    const { db, now } = this.#options;
    return putIntoOutbox(db, { room, lane, type, content, ...(refersTo === undefined ? {} : { refersTo }) }, now());
  }
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
      return subject.kind === 'block' && isSecret(subject.blockKind) ? 'done' : oneLine(answer.text);
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

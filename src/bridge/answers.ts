import type { Answer, AnswerSource } from '../domain/block.ts';
import type { Result } from '../domain/result.ts';
import {
  listOpenQuestions,
  failedVerdict,
  findQuestions,
  findRunOfCard,
  hadVerdict,
  isRoomWaiting,
  listInbox,
  writeVerdict,
  type InboxRow,
  type QuestionRow,
} from '../storage/bridge.ts';
import { findSentRow, putIntoOutbox } from '../storage/outbox.ts';
import { act } from './act.ts';
import { carryOut, type CommandOptions } from './carry-out.ts';
import { notice, plainMessage, replyTo, type Message } from './message.ts';
import { isCommand, parseCommand } from './parse-command.ts';
import { parseGroupReaction, parseGroupReply } from './parse-group.ts';
import { parseReaction, parseReply } from './parse-reply.ts';
import type { Question } from './question.ts';
import type { Said } from './receive.ts';
import { oneLine } from './text.ts';

export interface AnswersOptions extends CommandOptions {
  /** Whether somebody may answer in a room; null: the homeserver cannot say now. */
  readonly isAllowed: (room: string, user: string) => Promise<boolean | null>;
  /** For messages to people who may not: who may. */
  readonly allowedWords: string;
  /** The server of our own account: names without a server mean people there. */
  readonly serverName: string;
  readonly now: () => number;
  /** Called when something was put into the outbox. */
  readonly onWritten: () => void;
}

export interface Answers {
  /** Looks at what is new in the inbox; what needs time goes on by itself. */
  look(): void;
  readonly isBusy: boolean;
  /** Resolves when nothing is being done any more. */
  settled(): Promise<void>;
}

/** A row of ours may not be marked as sent yet when somebody reacts to it: so long that is waited for. */
const unknownTargetMs = 10 * 60_000;
/** Who may not answer is told once in so long. */
const politeAgainMs = 24 * 3600_000;

/** Takes what people said: checks that they may, finds what they mean, does it, and says what came of it. */
export function openAnswers(options: AnswersOptions): Answers {
  const doing = new Map<string, Promise<void>>();
  const groups = new Set<string>();
  const look = (): void => {
    for (const row of listInbox(options.db)) {
      const key = groupOf(options, row);
      if (doing.has(row.eventId) || groups.has(key)) continue;
      groups.add(key);
      const done = takeSafely(options, row).finally(() => {
        doing.delete(row.eventId);
        groups.delete(key);
      });
      doing.set(
        row.eventId,
        done.then((decided) => (decided ? look() : undefined)),
      );
    }
  };
  return {
    look,
    get isBusy() {
      return doing.size > 0;
    },
    async settled() {
      await Promise.allSettled(doing.values());
    },
  };
}

/** Answers to one question are taken one after the other. */
function groupOf({ db }: AnswersOptions, row: InboxRow): string {
  const target = targetOf(row.body as Said);
  const sent = target === null ? null : findSentRow(db, target);
  return sent === null ? row.eventId : `row ${sent}`;
}

function targetOf(said: Said): string | null {
  return said.kind === 'reaction' ? said.target : (said.target ?? said.thread);
}

/** What one message trips over ends neither the bridge now nor every one after it: it is marked, said, and the next one is taken. */
async function takeSafely(options: AnswersOptions, row: InboxRow): Promise<boolean> {
  try {
    return await take(options, row);
  } catch (error) {
    const words = oneLine(error instanceof Error ? error.message : String(error), 300);
    const message = plainMessage(`Not taken, because something here failed: ${words}`);
    return decide(options, row, `${failedVerdict}${words}`, message);
  }
}

/** False: nothing could be decided now; it is looked at again. */
async function take(options: AnswersOptions, row: InboxRow): Promise<boolean> {
  const said = row.body as Said;
  const meant = findMeaning(options, row, said);
  if (meant.kind === 'later') return false;
  if (meant.kind === 'nothing') return decide(options, row, 'ignored', null);
  const allowed = await options.isAllowed(row.room, row.sender);
  if (allowed === null) return false;
  if (!allowed) return refuse(options, row);
  const source: AnswerSource = { by: row.sender, via: 'room' };
  if (meant.kind === 'command') {
    const command = parseCommand(meant.text);
    const message = command.ok ? await carryOut(options, row, command.value, source) : plainMessage(command.error);
    return decide(options, row, 'command', message);
  }
  const [only] = meant.questions;
  if (only !== undefined && meant.questions.length === 1) return answer(options, row, said, only, source);
  return answerSeveral(options, row, said, meant.questions, source);
}

type Meaning =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'later' }
  | { readonly kind: 'command'; readonly text: string }
  /** The questions of one message. */
  | { readonly kind: 'answer'; readonly questions: readonly QuestionRow[] };

function findMeaning({ db, now }: AnswersOptions, row: InboxRow, said: Said): Meaning {
  if (said.kind === 'message' && isCommand(said.text)) return { kind: 'command', text: said.text };
  const targets = said.kind === 'reaction' ? [said.target] : [said.target, said.thread];
  let isUnknown = false;
  for (const target of targets) {
    if (target === null) continue;
    const sent = findSentRow(db, target);
    isUnknown ||= sent === null;
    const questions = sent === null ? [] : questionsOfRow(db, sent, said);
    if (questions.length > 0) return { kind: 'answer', questions };
  }
  const mayBeOurs = isUnknown && isRoomWaiting(db, row.room) && now() - row.at < unknownTargetMs;
  return { kind: mayBeOurs ? 'later' : 'nothing' };
}

function questionsOfRow(db: AnswersOptions['db'], row: number, said: Said): readonly QuestionRow[] {
  const asked = findQuestions(db, row);
  const only = asked.length > 0 ? null : onlyQuestionOfCard(db, row, said);
  return only === null ? asked : [only];
}

/** In the card's thread a message answers the question that is open, when there is just one and the message fits it. */
function onlyQuestionOfCard(db: AnswersOptions['db'], row: number, said: Said): QuestionRow | null {
  const run = said.kind === 'message' ? findRunOfCard(db, row) : null;
  if (run === null || said.kind !== 'message') return null;
  const [question, another] = listOpenQuestions(db, run);
  if (question === undefined || another !== undefined) return null;
  const asked = question.body as Question;
  return asked.choices.length > 0 && parseReply(said.text, asked).ok ? question : null;
}

function refuse(options: AnswersOptions, row: InboxRow): boolean {
  const { db, now, allowedWords } = options;
  const wasTold = hadVerdict(db, row.room, row.sender, 'stranger', now() - politeAgainMs);
  const message = plainMessage(`Thank you, but answers are taken only from ${allowedWords}.`);
  return decide(options, row, 'stranger', wasTold ? null : message);
}

async function answer(
  options: AnswersOptions,
  row: InboxRow,
  said: Said,
  found: QuestionRow,
  source: AnswerSource,
): Promise<boolean> {
  const question = found.body as Question;
  if (found.outcome !== null) return decide(options, row, 'late', plainMessage(`Too late. ${found.outcome}`));
  const parsed = said.kind === 'reaction' ? parseReaction(said.key, question) : parseReply(said.text, question);
  if (parsed === null) return decide(options, row, 'ignored', null);
  if ('ok' in parsed && !parsed.ok) return decide(options, row, 'invalid', plainMessage(`Not taken: ${parsed.error}`));
  const done = await give(options, question, 'ok' in parsed ? parsed.value : parsed, source);
  if (done.ok) return decide(options, row, 'taken', done.value === null ? null : plainMessage(done.value));
  return decide(options, row, 'refused', plainMessage(`Not taken: ${done.error}`));
}

/** A message that asks several questions is answered for each of them by itself, in one answer or in many. */
async function answerSeveral(
  options: AnswersOptions,
  row: InboxRow,
  said: Said,
  found: readonly QuestionRow[],
  source: AnswerSource,
): Promise<boolean> {
  const asked = found.map(({ body, outcome }) => ({ question: body as Question, outcome }));
  if (asked.every(({ outcome }) => outcome !== null)) {
    return decide(options, row, 'late', plainMessage('Too late. All of these are settled.'));
  }
  const parsed = said.kind === 'reaction' ? parseGroupReaction(said.key, asked) : parseGroupReply(said.text, asked);
  if (parsed === null) return decide(options, row, 'ignored', null);
  if ('ok' in parsed && !parsed.ok) return decide(options, row, 'invalid', plainMessage(`Not taken: ${parsed.error}`));
  const notes: string[] = [];
  let taken = 0;
  for (const part of 'ok' in parsed ? parsed.value : parsed) {
    const one = asked[part.position];
    if (one === undefined) continue;
    const name = `${part.position + 1} (${one.question.task})`;
    if (one.outcome !== null) notes.push(`Too late for ${name}. ${one.outcome}`);
    else {
      const done = await give(options, one.question, part.answer, source);
      if (done.ok) taken += 1;
      if (!done.ok) notes.push(`Not taken for ${name}: ${done.error}`);
      else if (done.value !== null) notes.push(`${name}: ${done.value}`);
    }
  }
  const message = notes.length === 0 ? null : plainMessage(notes.join('\n'));
  return decide(options, row, taken > 0 ? 'taken' : 'refused', message);
}

function give(
  options: AnswersOptions,
  question: Question,
  given: Answer,
  source: AnswerSource,
): Promise<Result<string | null, string>> {
  return act(options, question, given, { ...source, by: voterOf(options, question, source.by) });
}

/** Stakeholders are named by their user id or, those of our own server, by the name before the colon. */
function voterOf({ serverName }: AnswersOptions, { subject }: Question, user: string): string {
  if (subject.kind !== 'gate' || subject.stakeholders === null || subject.stakeholders.includes(user)) return user;
  const short = user.slice(1, user.indexOf(':'));
  return user.endsWith(`:${serverName}`) && subject.stakeholders.includes(short) ? short : user;
}

/** One transaction: that it was dealt with, and what is said to it. */
function decide(options: AnswersOptions, row: InboxRow, verdict: string, message: Message | null): boolean {
  const { db, now, onWritten } = options;
  const write = db.transaction(() => {
    writeVerdict(db, row.eventId, verdict);
    if (message === null) return;
    const said = row.body as Said;
    const content = replyTo(notice(message), row.eventId, said.kind === 'message' ? said.thread : null);
    putIntoOutbox(db, { room: row.room, lane: 'outcome', type: 'm.room.message', content }, now());
  });
  write.immediate();
  if (message !== null) onWritten();
  return true;
}

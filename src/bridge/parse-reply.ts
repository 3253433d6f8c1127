import type { Answer, Choice } from '../domain/block.ts';
import { parseAnswer } from '../domain/parse-answer.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { isAnswerable, type Question } from './question.ts';

/** Takes a reaction for an answer; null: it is none, as a heart is. Null in `ok` never happens. */
export function parseReaction(key: string, question: Pick<Question, 'choices' | 'subject'>): Answer | null {
  const bare = stripSelectors(key);
  const digit = /^([1-9])\u20E3?$/u.exec(bare)?.[1];
  const index = digit === undefined ? wordIndex(bare, question.choices) : Number(digit) - 1;
  return index !== null && question.choices[index] !== undefined ? { kind: 'choose', index } : null;
}

/**
 * Takes the text of a reply for an answer, or says why it is none. Control characters are taken out: a chat message cannot press
 * Ctrl-C, nor Enter in the middle of a line.
 */
export function parseReply(text: string, question: Question): Result<Answer, string> {
  if (!isAnswerable(question)) return err('secrets are not taken from a room: answer in a terminal');
  const said = cleanAnswer(text);
  if (said === '') return err('the message is empty');
  const { choices, subject } = question;
  const input = subject.kind === 'block' ? subject.input : null;
  const reacted = parseReaction(said, question);
  if (reacted !== null) return ok(reacted);
  const strict = parseAnswer({ choices, input: input === 'line' ? 'menu' : (input ?? 'menu') }, said);
  if (strict.ok) return strict;
  const index = wordIndex(said.toLowerCase(), choices) ?? indexByWords(said, choices);
  if (index !== null) return ok({ kind: 'choose', index });
  return parseAnswer({ choices, ...(input === null ? {} : { input }) }, said);
}

/** Text as it is typed for a person: one line, no controls, without the quote that clients put above a reply. */
export function cleanAnswer(text: string): string {
  const lines = text.split(/\r\n|\r|\n/);
  const isQuote = lines[0]?.startsWith('> ') === true;
  const own = isQuote ? lines.slice(lines.findIndex((line) => !line.startsWith('>'))) : lines;
  if (isQuote && lines.every((line) => line.startsWith('>'))) return '';
  return own
    .join(' ')
    .replaceAll(/[\p{Cc}\p{Co}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu, '')
    .toWellFormed()
    .trim()
    .slice(0, longestAnswer);
}

/** In UTF-16 units: a person writes less, a program that pretends to be one may not. */
const longestAnswer = 8_000;

const yesWords: ReadonlySet<string> = new Set([
  '✅',
  '👍',
  '☑',
  '✔',
  'yes',
  'y',
  'ok',
  'okay',
  'ja',
  'approve',
  'allow',
]);
const noWords: ReadonlySet<string> = new Set(['❌', '👎', '✖', '❎', 'no', 'n', 'nein', 'reject', 'deny']);

/**
 * The one choice that has all these words, as `minor` means `2.5.0 (minor)`. Not where choices say yes or no: a stray word such as
 * `again` must not allow anything.
 */
function indexByWords(said: string, choices: readonly Choice[]): number | null {
  if (choices.some(({ label }) => yesLabel.test(label) || noLabel.test(label))) return null;
  const wanted = wordsIn(said);
  const fitting = choices.flatMap(({ label }, index) => {
    const there = new Set(wordsIn(label));
    return wanted.every((word) => there.has(word)) ? [index] : [];
  });
  // Numbers alone are numbers of choices.
  return /\p{L}/u.test(said) && wanted.length > 0 && fitting.length === 1 ? (fitting[0] ?? null) : null;
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

const yesLabel = /^(?:yes|allow|approve|accept|confirm|proceed|continue|ok)\b/i;
const noLabel = /^(?:no|deny|reject|decline|cancel|do not|don['’]t)\b/i;

/** The one choice that means yes or no; none when the choices do not say which. */
function wordIndex(said: string, choices: readonly Choice[]): number | null {
  const bare = stripSelectors(said);
  if (yesWords.has(bare)) return firstLabel(choices, yesLabel);
  if (noWords.has(bare)) return lastLabel(choices, noLabel);
  return null;
}

function firstLabel(choices: readonly Choice[], pattern: RegExp): number | null {
  const index = choices.findIndex(({ label }) => pattern.test(label));
  return index < 0 ? null : index;
}

function lastLabel(choices: readonly Choice[], pattern: RegExp): number | null {
  const index = choices.findLastIndex(({ label }) => pattern.test(label));
  return index < 0 ? null : index;
}

/** Variation selectors and skin tones: the same sign as far as an answer goes. */
function stripSelectors(text: string): string {
  return text.replaceAll(/[\uFE0E\uFE0F]|\p{Emoji_Modifier}/gu, '').trim();
}

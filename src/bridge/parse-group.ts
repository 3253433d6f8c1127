import type { Answer } from '../domain/block.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { labelOf, type Asked } from './group.ts';
import { cleanAnswer, parseReaction, parseReply } from './parse-reply.ts';
import type { Question } from './question.ts';

/** An answer to the question at a position of a message. */
export interface Part {
  readonly position: number;
  readonly answer: Answer;
}

/** Takes a reaction to a message that asks several questions; null: it is no answer. A bare sign counts when one question is open. */
export function parseGroupReaction(key: string, asked: readonly Asked[]): Part[] | null {
  const named = parseName(key.trim());
  if (named !== null) {
    const question = asked[named.position]?.question;
    return question?.choices[named.choice] === undefined ? null : [choose(named)];
  }
  const only = onlyOpen(asked);
  const answer = only === null || /\d/.test(key) ? null : parseReaction(key, only.question);
  return only === null || answer === null ? null : [{ position: only.position, answer }];
}

/**
 * Takes the text of a reply for answers: `2b`, several as in `1a 2b`, a number and words as in `2 yes`; without a number when one
 * question is open. A number alone names a question and no choice.
 */
export function parseGroupReply(text: string, asked: readonly Asked[]): Result<Part[], string> {
  const said = cleanAnswer(text);
  const words = said.split(/[\s,;]+/).filter((word) => word !== '');
  const names = words.map(parseName);
  if (words.length > 0 && names.every((name) => name !== null)) return chooseAll(names, asked);
  const [, number, rest = ''] = /^([1-9])[.:)]?\s+(\S.*)$/u.exec(said) ?? [];
  if (number !== undefined) return answerOne(Number(number) - 1, rest, asked);
  const only = onlyOpen(asked);
  if (only !== null && !/^\d+$/.test(said)) return answerOne(only.position, said, asked);
  return err(`this message asks ${asked.length} questions: say which and what, as in ${labelOf(0, 0)}`);
}

interface Name {
  readonly position: number;
  readonly choice: number;
}

function parseName(text: string): Name | null {
  const [, number, letter = ''] = /^([1-9])([a-i])[.)]?$/i.exec(text) ?? [];
  return number === undefined
    ? null
    : { position: Number(number) - 1, choice: letter.toLowerCase().charCodeAt(0) - 97 };
}

function chooseAll(names: readonly Name[], asked: readonly Asked[]): Result<Part[], string> {
  const wrong = names.find(({ position, choice }) => asked[position]?.question.choices[choice] === undefined);
  if (wrong !== undefined) return err(`there is no ${labelOf(wrong.position, wrong.choice)} in that message`);
  if (new Set(names.map(({ position }) => position)).size < names.length) return err('two answers to one question');
  return ok(names.map(choose));
}

function choose({ position, choice }: Name): Part {
  return { position, answer: { kind: 'choose', index: choice } };
}

function answerOne(position: number, words: string, asked: readonly Asked[]): Result<Part[], string> {
  const question = asked[position]?.question;
  if (question === undefined) return err(`there is no question ${position + 1} in that message`);
  const letter = parseName(`${position + 1}${words}`);
  if (letter !== null && question.choices[letter.choice] !== undefined) return ok([choose(letter)]);
  const parsed = parseReply(words, question);
  return parsed.ok ? ok([{ position, answer: parsed.value }]) : parsed;
}

function onlyOpen(asked: readonly Asked[]): { readonly position: number; readonly question: Question } | null {
  const open = asked.flatMap(({ question, outcome }, position) => (outcome === null ? [{ position, question }] : []));
  const [only] = open;
  return only !== undefined && open.length === 1 ? only : null;
}

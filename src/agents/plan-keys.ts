import type { Answer, Block } from '../domain/block.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { Answering } from './profile.ts';

/** Keys to send, and what the screen must show before the next step is taken. Whoever plays the steps stops when it does not. */
export interface KeyStep {
  readonly keys: string;
  readonly then: Expect;
}

type Expect =
  /** The same question, with this choice selected. */
  | { readonly kind: 'selected'; readonly index: number }
  /** Something about the screen changed, colours included. */
  | { readonly kind: 'changed' }
  /** These words stand in the screen, as typed. */
  | { readonly kind: 'shows'; readonly text: string }
  /** The question is gone. */
  | { readonly kind: 'gone' };

const UP = '\u001b[A';
const DOWN = '\u001b[B';
const RIGHT = '\u001b[C';
const LEFT = '\u001b[D';
const ENTER = '\r';

/**
 * Returns how an answer is given to the question that a screen shows: a choice is walked to from the selected one, one key at a time,
 * each step seen, and only then confirmed. A digit is used where the selection cannot be seen but digits can.
 */
export function planKeys(answering: Answering, block: Block, answer: Answer): Result<readonly KeyStep[], string> {
  switch (answer.kind) {
    case 'choose':
      return planChoice(answering, block, answer.index);
    case 'text':
      return planText(block, answer.text);
    case 'keys':
      return ok([{ keys: answer.keys, then: { kind: 'changed' } }]);
  }
}

function planChoice(answering: Answering, block: Block, index: number): Result<readonly KeyStep[], string> {
  const choice = block.choices[index];
  if (choice === undefined) return err(`there is no choice ${index + 1}: the question has ${block.choices.length}`);
  if (block.selected !== null) return ok(walk(answering, block.selected, index));
  if (choice.key !== undefined && isPlainKey(choice.key, answering))
    return ok([{ keys: choice.key, then: { kind: 'gone' } }]);
  return err(
    'the screen does not show which choice is selected, and the choices have no keys: attach and answer there',
  );
}

/** Letters such as `y` and `esc` are the screen's own offer; digits are taken where the program is known to take them. */
function isPlainKey(key: string, { digits }: Answering): boolean {
  return /^[0-9]$/.test(key) ? digits : /^[A-Za-z]$/.test(key);
}

function walk({ axis, showsSelection }: Answering, from: number, to: number): KeyStep[] {
  const [back, on] = axis === 'vertical' ? [UP, DOWN] : [LEFT, RIGHT];
  const forwards = to > from;
  const steps = Array.from({ length: Math.abs(to - from) }, (_, step): KeyStep => {
    const at = forwards ? from + step + 1 : from - step - 1;
    return { keys: forwards ? on : back, then: showsSelection ? { kind: 'selected', index: at } : { kind: 'changed' } };
  });
  return [...steps, { keys: ENTER, then: { kind: 'gone' } }];
}

/** Words are pasted as one piece, seen, and then sent: an Enter right after a paste may be taken for part of it. */
function planText(block: Block, text: string): Result<readonly KeyStep[], string> {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not get through
  if (/[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u009f]/.test(text))
    return err('the text holds control characters: give them as keys');
  if (text === '') return ok([{ keys: ENTER, then: { kind: 'gone' } }]);
  if (block.kind === 'password') return ok([{ keys: `${text}${ENTER}`, then: { kind: 'changed' } }]);
  const paste = /[\n\t]/.test(text) ? `\u001b[200~${text}\u001b[201~` : text;
  const shown = (text.split('\n')[0] ?? '').slice(0, 20);
  return ok([
    { keys: paste, then: { kind: 'shows', text: shown } },
    { keys: ENTER, then: { kind: 'gone' } },
  ]);
}

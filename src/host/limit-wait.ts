import type { Answer, Block } from '../domain/block.ts';

/** The clock on the wall, and a timer. */
export interface LimitClock {
  now(): number;
  /** Calls once after `ms`; returns what cancels it. */
  after(ms: number, call: () => void): () => void;
}

/** A program that tries again by itself does so at the very time: it gets this long to do it. */
export const graceMs = 3_000;
/** The clock on the wall is looked at so often: a machine that slept meanwhile does not sleep on. */
const lookMs = 60_000;

/** Calls once it is `at`, in ms since 1970; returns what cancels it. */
export function callAt(clock: LimitClock, at: number, call: () => void): () => void {
  let cancel = (): void => {};
  const arm = (): void => {
    const left = at - clock.now();
    if (left <= 0) return call();
    cancel = clock.after(Math.min(left, lookMs), arm);
  };
  arm();
  return () => cancel();
}

const WAITS = /\bwait\b/iu;
const GOES_ON = /\b(?:try again|retry|continue|resume|go on)\b/iu;

/**
 * What is said to a limit that is waited for: a choice that means waiting at once, for then the program waits too; else, when the time
 * has come, the choice or the words by which it goes on. Null: nothing that is known to mean that; a person must look.
 */
export function planLimit(
  block: Block,
  goOn: string | null,
): { readonly when: 'now' | 'then'; readonly answer: Answer } | null {
  const labelled = (pattern: RegExp): number => block.choices.findIndex(({ label }) => pattern.test(label));
  if (block.choices.length === 0) return goOn === null ? null : { when: 'then', answer: { kind: 'text', text: goOn } };
  const waiting = labelled(WAITS);
  if (waiting >= 0) return { when: 'now', answer: { kind: 'choose', index: waiting } };
  const going = labelled(GOES_ON);
  return going < 0 ? null : { when: 'then', answer: { kind: 'choose', index: going } };
}

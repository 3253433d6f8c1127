import { createHash } from 'node:crypto';
import type { Choice } from '../domain/block.ts';

const CLOCKS =
  /\b\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]m)?\b|\b\d+(?:\.\d+)? ?(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b|\b\d+%|\b\d+(?:\.\d+)?k? tokens?\b/giu;
const COUNTERS = /\(?\b\d+ ?(?:\/|of) ?\d+\b\)?/giu;
const SPINNERS = /[\u2800-\u28ff◐◓◑◒◴◷◶◵✢✳✶✻✽·]/gu;

/**
 * Hashes what is asked: question, command and choices, without clocks, counters and spinners, so that a redraw keeps it. The
 * command belongs to it: "Do you want to proceed?" about another command is another question.
 */
export function fingerprintOf(asked: {
  readonly question: string;
  readonly choices: readonly Choice[];
  readonly command?: string | undefined;
}): string {
  const parts = [
    asked.question,
    asked.command ?? '',
    ...asked.choices.map((choice) => `${choice.key ?? ''}\u0001${choice.label}`),
  ];
  const calm = parts.map((part) =>
    part.replaceAll(CLOCKS, '').replaceAll(COUNTERS, '').replaceAll(SPINNERS, '').replaceAll(/\s+/gu, ' ').trim(),
  );
  return createHash('sha256').update(calm.join('\u0000')).digest('hex').slice(0, 16);
}

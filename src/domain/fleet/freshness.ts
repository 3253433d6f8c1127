import { err, ok, type Result } from '../result.ts';

/**
 * What a receiver remembers of one sender's signed messages in one lane (a room, or to-device), so that none counts twice. Every
 * sender numbers its messages per lane, without a gap. Clocks are not asked: two machines may be ten minutes apart, and a homeserver
 * may have been away for a day. "Very old" means: before the sender was first trusted here, or further back than `maxRuns` gaps.
 */
export interface SeqMemory {
  /** Everything up to here counts as seen. */
  readonly floor: number;
  /** Runs `[first, last]` above the floor that came, ascending, none touching the next. What is between them is still on its way. */
  readonly runs: readonly SeqRun[];
}

type SeqRun = readonly [first: number, last: number];

/** So many pieces may be on their way at once; a room that is reread from its beginning has one run. */
export const maxRuns = 256;

export const noMemory: SeqMemory = { floor: 0, runs: [] };

/** Begins above what was seen of the sender before it was trusted: nobody can play that back afterwards. */
export function memoryFrom(seq: number): SeqMemory {
  return { floor: seq, runs: [] };
}

export interface Stale {
  readonly kind: 'replayed' | 'very-old';
  readonly message: string;
}

export interface Freshness {
  readonly memory: SeqMemory;
  /** A later message of this sender came before it. Whether that matters says the epoch, or that only the newest counts. */
  readonly reordered: boolean;
}

export function nextFreshness({ floor, runs }: SeqMemory, seq: number): Result<Freshness, Stale> {
  if (seq <= floor) {
    return err({
      kind: 'very-old',
      message: `message ${seq} of the sender is older than all that counts (${floor + 1})`,
    });
  }
  if (runs.some(([first, last]) => first <= seq && seq <= last)) {
    return err({ kind: 'replayed', message: `message ${seq} of the sender came before` });
  }
  const below = runs.filter(([, last]) => last < seq);
  const above = runs.filter(([first]) => first > seq);
  const left = below.at(-1);
  const right = above[0];
  const touchesLeft = left !== undefined && left[1] === seq - 1;
  const touchesRight = right !== undefined && right[0] === seq + 1;
  const joined: SeqRun = [touchesLeft ? left[0] : seq, touchesRight ? right[1] : seq];
  const all = [...(touchesLeft ? below.slice(0, -1) : below), joined, ...(touchesRight ? above.slice(1) : above)];
  return ok({ memory: forget(floor, all), reordered: above.length > 0 });
}

/** Gives up the oldest gaps: what comes out of them later is very old. */
function forget(floor: number, runs: readonly SeqRun[]): SeqMemory {
  const over = runs.length - maxRuns;
  if (over <= 0) return { floor, runs };
  return { floor: runs[over - 1]?.[1] ?? floor, runs: runs.slice(over) };
}

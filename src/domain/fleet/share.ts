import type { RunId } from '../ids.ts';

/** What one run has of the fleet, and what it could use now. */
export interface RunShare {
  readonly run: RunId;
  readonly held: number;
  /** Tasks that are ready and have no node. Of runs of other coordinators, whose queue nobody knows, 0: they keep what they have. */
  readonly waiting: number;
}

/**
 * How many more slots a run may take now so that runs share alike (max-min fairness: who wants little gets it, the others share the
 * rest evenly). Nothing is taken away from anybody; a run above its share only waits for others to come up to theirs.
 */
export function fairTake(run: RunId, runs: readonly RunShare[], slots: number, free: number): number {
  const own = runs.find((each) => each.run === run);
  if (own === undefined) return 0;
  const share = fairShares(runs, slots).get(run) ?? 0;
  return Math.max(0, Math.min(share - own.held, own.waiting, free));
}

/** Shares of whole slots; a remainder goes to the runs that come first by id. */
function fairShares(runs: readonly RunShare[], slots: number): ReadonlyMap<RunId, number> {
  const shares = new Map<RunId, number>();
  const hungry = runs
    .map(({ run, held, waiting }) => ({ run, wants: held + waiting }))
    .toSorted((a, b) => a.wants - b.wants || (a.run < b.run ? -1 : 1));
  let left = slots;
  for (const [index, { run, wants }] of hungry.entries()) {
    const even = Math.ceil(left / (hungry.length - index));
    const share = Math.min(wants, even);
    shares.set(run, share);
    left -= share;
  }
  return shares;
}

/**
 * The fencing number of a grant: `coordinatorEpoch * 1_000_000 + grant`. A coordinator that takes over raises the first part
 * above all it has seen, so that whatever the old one still grants is less. Stays exact up to nine billion take-overs.
 */
export const grantsPerCoordinator = 1_000_000;

export interface EpochParts {
  /** Of the driver's lease of the run. */
  readonly coordinator: number;
  /** Counts the grants of one coordinator for one run, from 1. */
  readonly grant: number;
}

export function composeEpoch({ coordinator, grant }: EpochParts): number {
  if (grant < 1 || grant >= grantsPerCoordinator || coordinator < 1) {
    throw new Error(`no epoch has coordinator ${coordinator} and grant ${grant}`);
  }
  const epoch = coordinator * grantsPerCoordinator + grant;
  if (!Number.isSafeInteger(epoch)) throw new Error(`coordinator epoch ${coordinator} is too large`);
  return epoch;
}

export function splitEpoch(epoch: number): EpochParts {
  return { coordinator: Math.floor(epoch / grantsPerCoordinator), grant: epoch % grantsPerCoordinator };
}

/** The lowest coordinator epoch that beats all of these epochs, and the one the coordinator had. */
export function coordinatorEpochAbove(seen: readonly number[], own = 0): number {
  return seen.reduce((most, epoch) => Math.max(most, splitEpoch(epoch).coordinator), own) + 1;
}

/**
 * How an order or a result stands to what is known of its attempt. Rooms deliver late, twice and in another order; this decides,
 * not the order of arrival: `stale` is ignored by both sides (and told), `ahead` supersedes what is held.
 */
export type EpochVerdict = 'first' | 'stale' | 'current' | 'ahead';

export function judgeEpoch(epoch: number, current: number | null): EpochVerdict {
  if (current === null) return 'first';
  if (epoch < current) return 'stale';
  return epoch === current ? 'current' : 'ahead';
}

/** Returns the value below which the share `q` of the values lies (nearest rank); NaN when there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

/** Returns the middle value, the mean of the two middle ones for an even count; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/**
 * Returns the median of the ratios of each round. What happens to the machine during a round happens to both sides of its
 * ratio, so this drifts less than the ratio of two medians.
 */
export function pairedRatio(over: readonly number[], under: readonly number[]): number {
  return median(over.flatMap((value, round) => (under[round] === undefined ? [] : [value / under[round]])));
}

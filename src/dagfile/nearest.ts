/** The known word that is closest to `text`, when one is close enough to be what was meant. */
function nearest(text: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(text.length / 3)) + 1;
  let looked = 0;
  for (const word of known) {
    // A file with thousands of ids is searched only so far: each comparison costs the product of the lengths.
    if (++looked > 2_000) break;
    if (Math.abs(word.length - text.length) >= least) continue;
    const apart = distance(text.toLowerCase(), word.toLowerCase());
    if (apart < least) [best, least] = [word, apart];
  }
  return best;
}

export function didYouMean(text: string, known: Iterable<string>): { readonly hint?: string } {
  const word = nearest(text.slice(0, 200), known);
  return word === null ? {} : { hint: `did you mean \`${word}\`?` };
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min(change, swap, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

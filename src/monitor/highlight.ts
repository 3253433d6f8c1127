import type { ScreenInput } from './look.ts';

/** The background at a place; empty when it is the terminal's own. */
export function styleAt(input: ScreenInput, row: number, col: number): string {
  return input.highlights?.find((span) => span.row === row && span.from <= col && span.to > col)?.style ?? '';
}

/** Which of several places stands out by its background; null when none does, or more than one. */
export function oddOne(
  input: ScreenInput,
  places: readonly { readonly row: number; readonly col: number }[],
): number | null {
  if (input.highlights === undefined || places.length === 0) return null;
  const styles = places.map((place) => styleAt(input, place.row, place.col));
  const odd = styles.flatMap((style, index) => (styles.filter((other) => other === style).length === 1 ? [index] : []));
  if (places.length > 2) return odd.length === 1 ? (odd[0] ?? null) : null;
  const before = places.map((place) => styleAt(input, place.row, Math.max(0, place.col - 3)));
  const lit = places.flatMap((_, index) => (styles[index] !== '' && styles[index] !== before[0] ? [index] : []));
  return lit.length === 1 ? (lit[0] ?? null) : null;
}

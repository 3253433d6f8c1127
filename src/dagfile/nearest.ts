import { nearest } from '../domain/nearest.ts';

export function didYouMean(text: string, known: Iterable<string>): { readonly hint?: string } {
  // A file with thousands of ids is searched only so far: each comparison costs the product of the lengths.
  const word = nearest(text.slice(0, 200), Iterator.from(known).take(2_000));
  return word === null ? {} : { hint: `did you mean \`${word}\`?` };
}

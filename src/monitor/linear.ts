/**
 * Says why a pattern could take long on a hostile row, or null when its cost is bounded: no repetition within a repetition, no
 * back reference, no look-around, few open-ended repetitions. Rows are cut at 400 characters before they are matched.
 */
export function whyNotLinear(source: string): string | null {
  if (source.length > 500) return 'it is longer than 500 characters';
  if (/\\[1-9]|\\k</u.test(source)) return 'it has a back reference';
  if (/\(\?(?:=|!|<=|<!)/u.test(source)) return 'it has a look-around';
  const opens: { repeats: boolean }[] = [{ repeats: false }];
  let repetitions = 0;
  for (let at = 0; at < source.length; at += 1) {
    const char = source[at];
    if (char === '\\') at += 1;
    else if (char === '[') at = classEnd(source, at);
    else if (char === '(') opens.push({ repeats: false });
    else if (char === ')') {
      const group = opens.pop();
      const repeated = repetitionAt(source, at + 1);
      if (group?.repeats === true && repeated) return 'it repeats a group that repeats something itself';
      const outer = opens.at(-1);
      if (outer !== undefined && (repeated || group?.repeats === true)) outer.repeats = true;
      if (repeated) repetitions += 1;
    } else if (repetitionAt(source, at + 1)) {
      const group = opens.at(-1);
      if (group !== undefined) group.repeats = true;
      repetitions += 1;
    }
  }
  return repetitions > 6 ? 'it has more than six open-ended repetitions' : null;
}

function classEnd(source: string, at: number): number {
  let end = at + 1;
  while (end < source.length && source[end] !== ']') end += source[end] === '\\' ? 2 : 1;
  return end;
}

function repetitionAt(source: string, at: number): boolean {
  const char = source[at];
  if (char === '*' || char === '+') return true;
  return char === '{' && /^\{\d+(?:,\d*)?\}/u.test(source.slice(at)) && !/^\{[0-9]\}/u.test(source.slice(at));
}

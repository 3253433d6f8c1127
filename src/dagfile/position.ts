import { pathOf, type DagProblem, type Finding } from './problem.ts';

export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Ranges {
  readonly key: (path: readonly (string | number)[]) => Range | undefined;
  readonly value: (path: readonly (string | number)[]) => Range | undefined;
}

/** Gives findings their lines, in the order of the file, the same thing said once. */
export function placeFindings(
  path: string,
  text: string,
  ranges: Ranges | null,
  findings: readonly Finding[],
): DagProblem[] {
  const lines = lineStarts(text);
  const placed = findings.map((finding) => {
    const range = ranges === null ? null : rangeOf(finding, text, ranges);
    return { start: range?.start ?? 0, problem: toProblem(path, text, lines, finding, range) };
  });
  const seen = new Set<string>();
  return placed
    .sort((a, b) => a.start - b.start)
    .map(({ problem }) => problem)
    .filter(({ line, column, message }) => {
      const name = `${line}:${column}:${message}`;
      return !seen.has(name) && seen.add(name);
    });
}

/** A problem at an offset of the text. */
export function problemAt(path: string, text: string, offset: number, length: number, message: string): DagProblem {
  const finding = { message, at: null, part: 'value' } as const;
  return toProblem(path, text, lineStarts(text), finding, { start: offset, end: offset + length });
}

/** The nearest place there is: a key that is missing is looked for in its table. */
function rangeOf(finding: Finding, text: string, ranges: Ranges): Range | null {
  const path = pathOf(finding.at);
  for (let length = path.length; length > 0; length--) {
    const part = path.slice(0, length);
    const isWhole = length === path.length;
    const range = isWhole && finding.part === 'value' ? ranges.value(part) : ranges.key(part);
    if (range !== undefined) return isWhole ? narrow(finding, text, range) : range;
  }
  return null;
}

/** The part of a text that is meant, when the file has it as it is: escapes move what follows them. */
function narrow({ within }: Finding, text: string, range: Range): Range {
  if (within === undefined) return range;
  const quotes = /^(?:'''\r?\n?|"""\r?\n?|'|")/u.exec(text.slice(range.start, range.start + 5))?.[0] ?? '';
  const inner = text.slice(range.start + quotes.length, range.end);
  const basic = quotes.startsWith('"');
  const start = basic ? unescapedOffset(inner, within.start) : within.start;
  const end = basic ? unescapedOffset(inner, within.start + within.length) : within.start + within.length;
  const from = range.start + quotes.length;
  return { start: Math.min(from + start, range.end), end: Math.min(from + Math.max(end, start + 1), range.end) };
}

/** How far into the source of a quoted text its `count`-th unit stands. */
function unescapedOffset(source: string, count: number): number {
  const escape = /\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\s*\n\s*|[\s\S])|[\s\S]/gy;
  let at = 0;
  for (let units = 0; units < count && at < source.length;) {
    escape.lastIndex = at;
    const part = escape.exec(source)?.[0] ?? ' ';
    at += part.length;
    if (!/^\\\s*\n/u.test(part)) units += part.startsWith('\\U') ? 2 : 1;
  }
  return at;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function toProblem(
  path: string,
  text: string,
  lines: readonly number[],
  finding: Finding,
  range: Range | null,
): DagProblem {
  const more = finding.hint === undefined ? {} : { hint: finding.hint };
  const base = { path, message: finding.message, ...more };
  if (range === null) return { ...base, line: 1, column: 1, length: 1 };
  const line = lineOf(lines, range.start);
  const start = lines[line] ?? 0;
  const source = text.slice(start, (lines[line + 1] ?? text.length + 1) - 1).replace(/\r$/u, '');
  const column = Array.from(text.slice(start, range.start)).length + 1;
  const length = Array.from(text.slice(range.start, Math.min(range.end, start + source.length))).length;
  const shown = finding.secret === true ? {} : { source };
  return { ...base, line: line + 1, column, length: Math.max(1, length), ...shown };
}

function lineOf(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

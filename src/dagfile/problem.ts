/** Where a value stands: the keys that lead to it, as they are spelled in the file; null is the whole file. */
export type At = { readonly up: At; readonly key: string | number } | null;

/** A mistake as it was found: its place is a path, the lines are looked up when there is somebody to show them to. */
export interface Finding {
  readonly message: string;
  readonly hint?: string;
  readonly at: At;
  /** Which half of `key = value` is wrong. */
  readonly part: 'key' | 'value';
  /** The line holds what should not be shown. */
  readonly secret?: true;
  /** The part of a text that is wrong, in UTF-16 units from its beginning. */
  readonly within?: { readonly start: number; readonly length: number };
}

export type Say = (finding: Finding) => void;

/** A mistake in a DAG file, or something worth a warning. Line and column count from 1, in characters. */
export interface DagProblem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly message: string;
  readonly hint?: string;
  /** The line of the file it is about. */
  readonly source?: string;
}

export function under(up: At, key: string | number): At {
  return { up, key };
}

export function pathOf(at: At): (string | number)[] {
  const path: (string | number)[] = [];
  for (let step = at; step !== null; step = step.up) path.push(step.key);
  return path.toReversed();
}

/** Renders a problem like a compiler does: place and message, the line with a squiggle under it, what to do about it. */
export function renderProblem(problem: DagProblem, kind: 'error' | 'warning' = 'error'): string {
  const word = kind === 'warning' ? 'warning: ' : '';
  const lines = [`${problem.path}:${problem.line}:${problem.column}: ${word}${problem.message}`];
  if (problem.source !== undefined) lines.push(...renderSource(problem, problem.source));
  if (problem.hint !== undefined) lines.push(`${' '.repeat(String(problem.line).length)} = ${problem.hint}`);
  return lines.join('\n');
}

const WIDTH = 100;

/** A long line is shown around the place; control characters are shown as dots, so that a file cannot write to the terminal. */
function renderSource(problem: DagProblem, source: string): string[] {
  const number = String(problem.line);
  const chars = Array.from(source.replaceAll(/\p{Cc}/gu, (char) => (char === '\t' ? ' ' : '·')));
  const from = problem.column > WIDTH ? problem.column - WIDTH / 2 : 0;
  const shown = chars.slice(from, from + WIDTH);
  const column = problem.column - 1 - from;
  const squiggle = '^'.repeat(Math.max(1, Math.min(problem.length, shown.length - column)));
  const gutter = ' '.repeat(number.length);
  return [`${number} | ${shown.join('')}`, `${gutter} | ${' '.repeat(Math.max(0, column))}${squiggle}`];
}

const SHOWN = 50;

/** Renders all problems of a file, the first fifty in full. */
export function renderProblems(problems: readonly DagProblem[]): string {
  const rest = problems.length - SHOWN;
  const shown = problems.slice(0, SHOWN).map((problem) => renderProblem(problem));
  return [...shown, ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n');
}

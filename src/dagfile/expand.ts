import type { TaskDraft } from './keys.ts';
import { placeOf } from './types.ts';
import type { Say } from './problem.ts';

/** A task of the file, or one of the several that its `matrix` makes of it. */
export interface Expanded {
  readonly id: string;
  readonly draft: TaskDraft;
  /** What to write into its texts; null for a task without a matrix. */
  readonly values: Readonly<Record<string, string>> | null;
}

const MAX_COMBINATIONS = 1_000;

/** Makes one task per combination of the values of `matrix`, with ids `task.a.b`. */
export function expandTask(draft: TaskDraft & { readonly id: string }, say: Say): Expanded[] {
  const { id, matrix } = draft;
  if (matrix === undefined) return [{ id, draft, values: null }];
  const at = placeOf(draft, 'matrix');
  const count = Object.values(matrix).reduce((product, values) => product * values.length, 1);
  if (count > MAX_COMBINATIONS || Object.keys(matrix).length === 0) {
    const message =
      count > MAX_COMBINATIONS ? `makes ${count} tasks, at most ${MAX_COMBINATIONS} are allowed` : 'is empty';
    say({ message: `\`matrix\` of task \`${id}\` ${message}`, at, part: 'key' });
    return [{ id, draft, values: null }];
  }
  const seen = new Map<string, string>();
  return combinations(matrix).flatMap((values) => {
    const slugs = Object.values(values).map(slug);
    const shown = Object.values(values).join(', ');
    const whole = [id, ...slugs].join('.');
    const other = seen.get(whole);
    seen.set(whole, shown);
    if (slugs.includes('')) say({ message: `\`matrix\`: no id can be made of "${shown}"`, at, part: 'value' });
    if (other !== undefined) {
      say({ message: `\`matrix\`: "${other}" and "${shown}" both give the id \`${whole}\``, at, part: 'value' });
      return [];
    }
    return [{ id: whole, draft, values }];
  });
}

function combinations(matrix: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, string>>[] {
  let rows: [string, string][][] = [[]];
  for (const [key, values] of Object.entries(matrix)) {
    rows = rows.flatMap((row) => values.map((value): [string, string][] => [...row, [key, value]]));
  }
  return rows.map((row) => Object.fromEntries(row));
}

/** What is left of a value in an id: letters, digits, `_` and `-`; the dot parts the values. */
function slug(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9_]+/gu, '-').replaceAll(/^-+|-+$/gu, '');
}

const PLACEHOLDER = /\{\{\s*matrix\.([A-Za-z0-9_-]+)\s*\}\}/gu;

/**
 * Writes the values into every text of a task but those that are templates anyway (a command never gets text pasted into
 * it), so that `agent = "{{ matrix.agent }}"` works.
 */
export function fillMatrix<T>(value: T, values: Readonly<Record<string, string>> | null): T {
  return values === null ? value : (fill(value, values) as T);
}

const TEMPLATES = new Set(['command', 'prompt', 'rollback', 'matrix', 'id']);

function fill(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(PLACEHOLDER, (whole, key: string) =>
      Object.hasOwn(values, key) ? (values[key] ?? '') : whole,
    );
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, values));
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, TEMPLATES.has(key) ? item : fill(item, values)]),
  );
  for (const symbol of Object.getOwnPropertySymbols(value)) Reflect.set(copy, symbol, Reflect.get(value, symbol));
  return copy;
}

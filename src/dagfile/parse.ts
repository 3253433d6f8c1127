import { basename, dirname, extname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import type { Dag } from '../domain/dag.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { checkDag, type CheckOptions, type DagFileConfig } from './check.ts';
import { placeFindings, problemAt, type Ranges } from './position.ts';
import type { DagProblem, Finding } from './problem.ts';

export type DagFormat = 'toml' | 'json';

export interface ParseOptions extends Pick<CheckOptions, 'vars' | 'useAgent'> {
  /** As the user wrote it: shown in messages. Relative ones are taken from `cwd`. */
  readonly path: string;
  readonly format: DagFormat;
  /** Absolute: where `cis` was called. */
  readonly cwd: string;
  readonly config: DagFileConfig;
}

export interface ParsedDag {
  readonly dag: Dag;
  readonly warnings: readonly DagProblem[];
}

/**
 * Reads the text of a DAG file. A syntax error stops at the first; all other mistakes come back at once, in the order of the
 * file, each with line and column. The parsers that know positions are loaded only when there is something to point at.
 */
export async function parseDagFile(
  text: string,
  options: ParseOptions,
): Promise<Result<ParsedDag, readonly DagProblem[]>> {
  const clean = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const raw = options.format === 'toml' ? readToml(clean, options.path) : await readJson(clean, options.path);
  if (!raw.ok) return err([raw.error]);
  if (isDeep(raw.value)) return err([problemAt(options.path, clean, 0, 0, `nested more than ${MAX_LEVELS} deep`)]);
  const { dag, errors, warnings } = checkDag(raw.value, checkOptions(options));
  const place = async (findings: readonly Finding[]): Promise<DagProblem[]> =>
    findings.length === 0 ? [] : placeFindings(options.path, clean, await locate(clean, options.format), findings);
  if (dag === null) return err(await place(errors));
  return ok({ dag, warnings: await place(warnings) });
}

function checkOptions(options: ParseOptions): CheckOptions {
  const directory = dirname(resolve(options.cwd, options.path));
  return {
    ...options,
    fileName: basename(options.path, extname(options.path)),
    resolve: (path) => resolve(directory, path),
  };
}

function readToml(text: string, path: string): Result<unknown, DagProblem> {
  try {
    return ok(parseToml(text));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    const message = first.replace(/^Invalid TOML document: /u, '').slice(0, 300);
    return err({ ...problemAt(path, text, offsetOf(text, error.line, error.column), 1, `not valid TOML: ${message}`) });
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let count = 1; count < line; count++) start = text.indexOf('\n', start) + 1;
  return Math.min(text.length, start + column - 1);
}

async function readJson(text: string, path: string): Promise<Result<unknown, DagProblem>> {
  try {
    return ok(JSON.parse(text));
  } catch {
    const deep = deepestAt(text);
    if (deep !== null) return err(problemAt(path, text, deep, 1, 'not valid JSON: nested too deeply'));
    const { parseJsonWithComments } = await import('./json-position.ts');
    const read = parseJsonWithComments(text);
    if ('value' in read) return ok(read.value);
    return err(problemAt(path, text, read.offset, read.length, `not valid JSON: ${read.message}`));
  }
}

/** A DAG file has six levels; the places of values are found in time that grows with the square of this. */
const MAX_LEVELS = 64;

function isDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= MAX_LEVELS; depth++) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}

const MAX_DEPTH = 500;

/** Where brackets are open more than 500 deep, or null: the parser that knows positions calls itself for each. */
function deepestAt(text: string): number | null {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gu)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > MAX_DEPTH) return index;
  }
  return null;
}

/** Null when the second parser does not understand what the first one did: the problems are still said, without lines. */
async function locate(text: string, format: DagFormat): Promise<Ranges | null> {
  try {
    if (format === 'json') return (await import('./json-position.ts')).locateJson(text);
    return (await import('./toml-position.ts')).locateToml(text);
  } catch {
    return null;
  }
}

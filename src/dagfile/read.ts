import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { err, ok, type Result } from '../domain/result.ts';
import { parseDagFile, type DagFormat, type ParsedDag, type ParseOptions } from './parse.ts';
import type { DagProblem } from './problem.ts';

export type ReadDagError =
  /** One line: the file is missing, unreadable, too large or of another kind. */
  | { readonly kind: 'unreadable'; readonly message: string; readonly missing: boolean }
  | { readonly kind: 'invalid'; readonly problems: readonly DagProblem[] };

/** More than any file written by hand; 10,000 tasks have about one. */
const MAX_MIB = 16;

/** Reads and checks a DAG file; its ending says whether it is TOML or JSON. */
export async function readDagFile(options: Omit<ParseOptions, 'format'>): Promise<Result<ParsedDag, ReadDagError>> {
  const format = formatOf(options.path);
  if (format === null) return unreadable(`${options.path}: a DAG file ends in .toml or .json`);
  const text = await readText(options.path, resolve(options.cwd, options.path));
  if (!text.ok) return text;
  const parsed = await parseDagFile(text.value, { ...options, format });
  return parsed.ok ? parsed : err({ kind: 'invalid', problems: parsed.error });
}

export function formatOf(path: string): DagFormat | null {
  if (path.endsWith('.toml')) return 'toml';
  return path.endsWith('.json') || path.endsWith('.jsonc') ? 'json' : null;
}

async function readText(shown: string, path: string): Promise<Result<string, ReadDagError>> {
  try {
    const found = await stat(path);
    if (!found.isFile() && !found.isDirectory()) return unreadable(`${shown}: is not a file`); // a FIFO would be waited for
    const { size } = found;
    if (size > MAX_MIB * 1024 * 1024) return unreadable(`${shown}: larger than ${MAX_MIB} MiB`);
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path)));
  } catch (error) {
    if (error instanceof TypeError) return unreadable(`${shown}: not UTF-8 text`);
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'no such file',
      ENOTDIR: 'no such file',
      EACCES: 'may not be read',
      EISDIR: 'is a directory',
    };
    return unreadable(
      `${shown}: ${reasons[code] ?? `cannot be read (${code || String(error)})`}`,
      code.startsWith('ENO'),
    );
  }
}

function unreadable(message: string, missing = false): Result<never, ReadDagError> {
  return err({ kind: 'unreadable', message, missing });
}

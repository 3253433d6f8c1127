import { parse, TomlError } from 'smol-toml';
import { err, ok, type Result } from '../domain/result.ts';
import { checkFile, type CheckedFile, type Mistake } from './check.ts';
import type { ConfigProblem, TomlTable } from './config.ts';
import type { ConfigFile } from './load.ts';

/** Parses and checks one file; `untrusted` when it is a project's that the user did not allow. */
export async function readLayer(
  file: ConfigFile,
  untrusted: boolean,
): Promise<Result<CheckedFile, readonly ConfigProblem[]>> {
  const table = parseText(file);
  if (!table.ok) return err([table.error]);
  const checked = checkFile(table.value, untrusted);
  return checked.mistakes.length === 0 ? ok(checked) : err(await placeAll(file, checked.mistakes));
}

function parseText(file: ConfigFile): Result<TomlTable, ConfigProblem> {
  try {
    return ok(parse(file.text) as TomlTable);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split('\n')[0] ?? 'not TOML';
    return err({ where: file.path, line: error.line, column: error.column, message });
  }
}

/** Only a file with mistakes needs the parser that knows positions, which takes 5 ms to load. */
async function placeAll(file: ConfigFile, mistakes: readonly Mistake[]): Promise<ConfigProblem[]> {
  const { findPosition } = await import('./position.ts');
  return mistakes.map(({ path, message }) => ({ where: file.path, ...findPosition(file.text, path), message }));
}

import { parse, TomlError } from 'smol-toml';
import { err, ok, type Result } from '../domain/result.ts';
import { checkFile, type CheckedFile, type Mistake } from './check.ts';
import type { ConfigProblem, TomlTable } from './config.ts';
import type { ConfigFile } from './load.ts';
import { findPosition } from './position.ts';

/** Parses and checks one file; `untrusted` when it is a project's that the user did not allow. */
export function readLayer(file: ConfigFile, untrusted: boolean): Result<CheckedFile, readonly ConfigProblem[]> {
  const table = parseText(file);
  if (!table.ok) return err([table.error]);
  const checked = checkFile(table.value, untrusted);
  return checked.mistakes.length === 0 ? ok(checked) : err(checked.mistakes.map((mistake) => place(file, mistake)));
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

function place(file: ConfigFile, mistake: Mistake): ConfigProblem {
  return { where: file.path, ...findPosition(file.text, mistake.path), message: mistake.message };
}

import type { CommanderError } from 'commander';
import { findHome } from '../config/home.ts';
import { CommandError, type ExitKind } from './exit.ts';

/** What a command ended with, as a person and a script read it. */
export interface Problem {
  readonly kind: ExitKind;
  readonly message: string;
  readonly hints: readonly string[];
}

/** Words for whatever was thrown: an expected end, the machine's own refusal (full disk, no permission), or a bug of ours. */
export function problemOf(error: unknown): Problem {
  if (error instanceof CommandError) return { kind: error.kind, message: error.message, hints: error.hints };
  return systemProblem(error) ?? bug(error);
}

/** Null: commander has said it all, as after a group without a command, where it prints the help. */
export function describeCommanderError(error: CommanderError): Problem | null {
  if (error.code === 'commander.help') return null;
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const hints = rest.map((line) => line.replace(/^\((.*)\)$/, '$1')).filter((line) => line !== '');
  return { kind: 'usage', message: first, hints: hints.length > 0 ? hints : ['try --help'] };
}

/** Writes a problem to stderr: a line and its hints, or with `--json` one JSON value, so that stdout holds data only. */
export function writeProblem(problem: Problem, json: boolean): void {
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: problem })}\n`);
    return;
  }
  process.stderr.write(`cis: ${problem.message}\n${problem.hints.map((hint) => `  ${hint}\n`).join('')}`);
}

/** What to do about refusals of the operating system and of SQLite that have nothing to do with our code. */
const remedies: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: ['no space left', 'free some space, then run the same command again: what was recorded is safe'],
  EDQUOT: ['the disk quota is used up', 'free some space, then run the same command again: what was recorded is safe'],
  EROFS: ['the file system is read-only', 'set CIS_HOME to a directory that can be written'],
  EACCES: ['permission denied', 'check who owns it, or set CIS_HOME to a directory of your own'],
  EPERM: ['not permitted', 'check who owns it, or set CIS_HOME to a directory of your own'],
  ENOENT: ['no such file or directory', 'check the path'],
  ENOTDIR: ['a part of the path is not a directory', 'check the path'],
  EISDIR: ['it is a directory', 'name a file'],
  EEXIST: ['something else is there already', 'move it away, or name another path'],
  ENOHOME: ['this user has no home directory', 'set CIS_HOME to a directory of your own'],
  EMFILE: ['too many open files', 'raise the limit with ulimit -n'],
  ENFILE: ['too many open files on this machine', 'close some programs'],
  SQLITE_FULL: ['no space left for the database', 'free some space, then run the same command again'],
  SQLITE_READONLY: ['the database cannot be written', 'check the permissions of CIS_HOME'],
  SQLITE_CANTOPEN: ['the database cannot be opened', 'check the permissions of CIS_HOME'],
  SQLITE_IOERR: ['the disk refused to read or write the database', 'check the disk: cis doctor'],
  SQLITE_CORRUPT: ['the database is damaged', 'it was left as it is; cis doctor says more'],
  SQLITE_NOTADB: ['the database is damaged', 'it was left as it is; cis doctor says more'],
  SQLITE_BUSY: ['the database is locked by another process', 'try again; cis doctor shows who runs'],
};

function systemProblem(error: unknown): Problem | null {
  if (!(error instanceof Error)) return null;
  const { code, path } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return error.cause === undefined ? null : systemProblem(error.cause);
  const remedy = remedies[code] ?? remedies[code.split('_').slice(0, 2).join('_')];
  if (remedy === undefined) return null;
  const [what, hint] = remedy;
  const where = code.startsWith('SQLITE_') ? findHome(process.env).database : path;
  const why = path === undefined ? ` (${error.message})` : '';
  return {
    kind: 'failed',
    message: `${where === undefined ? '' : `${where}: `}${what}${why}`,
    hints: [hint],
  };
}

function bug(error: unknown): Problem {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: 'internal', message: `internal error, please report it\n${detail}`, hints: [] };
}

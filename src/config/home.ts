import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { RunId, TaskId } from '../domain/ids.ts';

/** Where everything of one user of cis lies: `$CIS_HOME`, else `~/.cis`. Directories are 0700, files 0600. */
export interface Home {
  readonly dir: string;
  readonly config: string;
  readonly database: string;
  readonly sessions: string;
  readonly worktrees: string;
  readonly run: string;
  readonly logs: string;
  readonly cache: string;
}

export function homeAt(dir: string): Home {
  return {
    dir,
    config: join(dir, 'config.toml'),
    database: join(dir, 'cis.db'),
    sessions: join(dir, 'sessions'),
    worktrees: join(dir, 'worktrees'),
    run: join(dir, 'run'),
    logs: join(dir, 'logs'),
    cache: join(dir, 'cache'),
  };
}

export function findHome(env: NodeJS.ProcessEnv): Home {
  const given = env['CIS_HOME'];
  return homeAt(resolve(given === undefined || given === '' ? join(env['HOME'] || userDir(), '.cis') : given));
}

/** A user without an entry in the password file has no home directory, as in some containers. */
function userDir(): string {
  try {
    return homedir();
  } catch (cause) {
    throw Object.assign(new Error('neither CIS_HOME nor HOME is set', { cause }), { code: 'ENOHOME' });
  }
}

export function recordingPath(home: Home, run: RunId, task: TaskId, attempt: number): string {
  return join(home.sessions, run, `${task}#${attempt}.cast`);
}

export function journalPath(home: Home, run: RunId): string {
  return join(home.sessions, run, 'journal.ndjson');
}

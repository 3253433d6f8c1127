import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { err, ok, type Result } from '../domain/result.ts';
import type { SpawnRequest } from './protocol.ts';

export type Env = Readonly<Record<string, string>>;

/** What is started, checked as far as it can be before the fork; after it, a mistake would only be seen in the output. */
export interface SpawnPlan {
  readonly file: string;
  readonly env: Env;
}

/** Makes the whole environment of a session and finds its program; the reason when it cannot start. */
export function planSpawn(spawn: SpawnRequest, base: Env): Result<SpawnPlan, string> {
  const env = mergeEnv(base, spawn);
  if (!isDirectory(spawn.cwd)) return err(`the working directory ${spawn.cwd} is not there`);
  if (!isAllowed(spawn.cwd)) return err(`the working directory ${spawn.cwd} may not be entered`);
  const found = findProgram(spawn.file, spawn.cwd, env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin');
  if (found === null) return err(`command not found: ${spawn.file}`);
  if (!(spawn.cols >= 1 && spawn.rows >= 1)) return err(`a terminal of ${spawn.cols}x${spawn.rows}`);
  const strings = [spawn.file, ...spawn.args, ...Object.keys(env), ...Object.values(env)];
  if (strings.some((text) => text.includes('\0'))) return err('an argument or variable holds a NUL byte');
  return ok({ file: found, env });
}

function mergeEnv(base: Env, spawn: SpawnRequest): Env {
  const env: Record<string, string> = { TERM: 'xterm-256color', ...base, PWD: spawn.cwd };
  for (const name of ['COLUMNS', 'LINES', 'TERMCAP', 'WINDOWID', 'TMUX', 'TMUX_PANE', 'STY', 'WINDOW'])
    delete env[name];
  if (env['TERM'] === 'dumb' || env['TERM'] === '') env['TERM'] = 'xterm-256color'; // of the executor's pipe, not of this terminal
  for (const [name, value] of Object.entries(spawn.env)) {
    if (value === null) delete env[name];
    else env[name] = value;
  }
  return env;
}

function findProgram(file: string, cwd: string, path: string): string | null {
  const absolute = (name: string): string => (isAbsolute(name) ? name : join(cwd, name));
  const candidates = file.includes('/')
    ? [absolute(file)]
    : path.split(':').map((dir) => join(absolute(dir === '' ? '.' : dir), file));
  return candidates.find((candidate) => isAllowed(candidate) && !isDirectory(candidate)) ?? null;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isAllowed(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import type { AgentProfile } from './profile.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What can be known of a program on this machine without network, and without reading a secret. */
export interface Probe {
  /** Null: it is not installed. */
  readonly path: string | null;
  /** The first line that it prints of itself; null when it says nothing. */
  readonly version: string | null;
  /** Its screens and hooks were looked at in this version's line. */
  readonly tried: boolean;
  readonly login: Login;
}

/** A sign that it can reach a model; whether the key is good only the model's provider knows. */
type Login =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'none' }
  /** It needs none, or nothing is known of it. */
  | { readonly kind: 'unknown' };

/** Ms until a program has told its version; those in JavaScript take seconds on a busy machine. */
const patienceMs = 15_000;

export async function probeAgent(profile: AgentProfile, env: Env): Promise<Probe> {
  const path = findProgram(profile.program, env);
  const version = path === null ? null : await askVersion(path, profile.version, env);
  return { path, version, tried: isTried(profile, version), login: findLogin(profile, env) };
}

function isTried({ triedVersions }: AgentProfile, version: string | null): boolean {
  return version !== null && triedVersions.some((beginning) => version.startsWith(beginning));
}

function findLogin({ login, program }: AgentProfile, env: Env): Login {
  if (login.env.length === 0 && login.files.length === 0) return { kind: 'unknown' };
  const name = login.env.find((variable) => (env[variable] ?? '') !== '');
  if (name !== undefined) return { kind: 'variable', name };
  const path = login.files.map((file) => place(file, program, env)).find(isFile);
  return path === undefined ? { kind: 'none' } : { kind: 'file', path };
}

/** `CODEX_HOME` and its like move the directory that a program keeps in the home directory. */
function place(file: string, program: string, env: Env): string {
  if (isAbsolute(file)) return file;
  const moved = env[`${program.toUpperCase()}_HOME`];
  const [first = '', ...rest] = file.split('/');
  if (moved !== undefined && first === `.${program}`) return join(moved, ...rest);
  return join(env['HOME'] ?? homedir(), file);
}

/** Where a program lies that is called by its name or its path; null when it is not there. */
export function findProgram(program: string, env: Env): string | null {
  const places = isAbsolute(program)
    ? [program]
    : (env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, program));
  return places.find((path) => isFile(path) && isExecutable(path)) ?? null;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The line with a number in it: warnings may stand before it. */
function askVersion(path: string, args: readonly string[], env: Env): Promise<string | null> {
  const options = { timeout: patienceMs, env: { ...env, NO_COLOR: '1' }, encoding: 'utf8' } as const;
  return new Promise((resolve) => {
    const child = execFile(path, [...args], options, (_error, stdout) => {
      const lines = stdout.split('\n').map((line) => line.trim());
      resolve(lines.find((line) => /\d/.test(line)) ?? lines.find((line) => line !== '') ?? null);
    });
    child.stdin?.end();
  });
}

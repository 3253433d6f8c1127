import { err, ok, type Result } from '../domain/result.ts';
import { repositoryVariables } from './variables.ts';

/** Why git did not do what it was asked for. */
export interface GitError {
  readonly kind: 'missing' | 'failed';
  readonly code: number;
  /** What git said, in one line. */
  readonly said: string;
  readonly stdout: string;
}

export interface GitOptions {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** The commit is the person's own, on a branch of theirs: it is signed if they sign. Hooks do not run in any case. */
  readonly isTheirs?: boolean;
}

/**
 * Settings for git calls of ours, on the command line only, so that the person's config stays as it is: no hooks (they are
 * written for a person's tree), no signing (a key may ask for its password), no clean-up in the background, nothing remembered.
 */
const settings = [
  'core.hooksPath=/dev/null',
  'gc.auto=0',
  'maintenance.auto=false',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'core.editor=true',
  'rerere.enabled=false',
  'merge.autoStash=false',
  'submodule.recurse=false',
  'advice.detachedHead=false',
];

/** How long another process may hold one of git's locks before that is an error. */
const patienceMs = 15_000;

/** Runs git without blocking and returns what it printed. Waits while another process holds a lock that it needs. */
export async function git(args: readonly string[], options: GitOptions): Promise<Result<string, GitError>> {
  const giveUpAt = performance.now() + patienceMs;
  for (let pauseMs = 10; ; pauseMs = Math.min(500, pauseMs * 2)) {
    const done = await runOnce(args, options);
    if (done.ok || !isLocked(done.error) || performance.now() > giveUpAt) return done;
    // two that wait for each other must not come back at the same instant
    await new Promise((resolve) => void setTimeout(resolve, pauseMs * (0.5 + Math.random())));
  }
}

/** Says whether git exits with 0; used for questions. */
export async function asks(args: readonly string[], options: GitOptions): Promise<boolean> {
  return (await git(args, options)).ok;
}

/**
 * Says whether the same call may succeed a moment later. A name that cannot be is also called a lock that cannot be had: waiting
 * does not help there. git 2.39 also stumbles over the entry of a worktree that another process is making at this instant
 * ("failed to read …/worktrees/t14/commondir: Success").
 */
function isLocked({ said }: GitError): boolean {
  if (/cannot create|but expected|already exists/i.test(said)) return false;
  if (/failed to read .*\/worktrees\//i.test(said)) return true;
  return /\.lock': File exists|could not lock|cannot lock ref|unable to lock|Unable to create '.*\.lock'|another git process/i.test(
    said,
  );
}

function runOnce(args: readonly string[], options: GitOptions): Promise<Result<string, GitError>> {
  const own = [...settings, ...(options.isTheirs === true ? [] : ['commit.gpgSign=false'])];
  const child = process
    .getBuiltinModule('node:child_process')
    .spawn('git', [...own.flatMap((one) => ['-c', one]), ...args], {
      cwd: options.cwd,
      env: { ...cleanEnv(process.env), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(err(notStarted(error))));
    child.once('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString();
      if (code === 0) return resolve(ok(stdout));
      const said = Buffer.concat(errors).toString().trim() || stdout.trim() || `git ended with ${code ?? signal}`;
      resolve(err({ kind: 'failed', code: code ?? 1, said: oneLine(said), stdout }));
    });
  });
}

function notStarted(error: NodeJS.ErrnoException): GitError {
  const missing = error.code === 'ENOENT' && error.syscall === 'spawn git';
  const said = missing ? 'git was not found: install it, or use workspace = "shared"' : error.message;
  return { kind: missing ? 'missing' : 'failed', code: 127, said, stdout: '' };
}

/** The environment for git of ours: no repository but the one it stands in, no questions, messages that can be recognised. */
function cleanEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const clean = { ...env, GIT_TERMINAL_PROMPT: '0', GIT_EDITOR: 'true', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
  for (const name of repositoryVariables) delete (clean as NodeJS.ProcessEnv)[name];
  return clean;
}

function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^(fatal|error|warning): /, '').trim());
  return lines.filter((line) => line !== '' && !line.startsWith('hint:')).join('; ');
}

/** The parts of a `-z` listing. */
export function splitNul(text: string): string[] {
  return text.split('\0').filter((part) => part !== '');
}

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { err, ok, type Result } from '../../domain/result.ts';
import { isObject, openHttp, textOf, type JsonObject } from '../http.ts';
import { writePrivate } from '../secrets.ts';
import { synapseConfig, synapseLogConfig } from './config.ts';
import type { Engine } from './install.ts';

/** What a homeserver directory remembers; its port stays, because a client keeps the address. */
export interface HomeserverState {
  readonly serverName: string;
  readonly port: number;
  readonly registrationSecret: string;
  readonly macaroonSecret: string;
  readonly formSecret: string;
}

export interface StartOptions {
  readonly dir: string;
  readonly engine: Engine;
  /** Given only at the first start. */
  readonly port?: number;
  readonly extra?: JsonObject;
  /** How long the server may take until it answers. */
  readonly timeoutMs?: number;
}

export interface RunningHomeserver {
  readonly url: string;
  readonly pid: number;
  readonly state: HomeserverState;
  /** False when it ran already. */
  readonly started: boolean;
}

/** Starts the homeserver of a directory in the background and waits until it answers; does nothing when it runs already. */
export async function startSynapse(options: StartOptions): Promise<Result<RunningHomeserver, string>> {
  const { dir } = options;
  const state = readState(dir) ?? (await newState(options));
  const url = `http://127.0.0.1:${state.port}`;
  const running = runningPid(dir);
  if (running !== null && (await answers(url))) return ok({ url, pid: running, state, started: false });
  if (running === null && (await answers(url))) return err(`port ${state.port} is in use by another program`);
  writeFiles(dir, state, options.extra);
  const pid =
    options.engine.kind === 'python'
      ? startPython(dir, options.engine.python)
      : startDocker(dir, options.engine.image, state);
  if (pid === null) return err(`the homeserver could not be started: see ${join(dir, 'start.log')}`);
  writePrivate(join(dir, 'pid'), `${pid} ${startTimeOf(pid) ?? ''}\n`);
  const up = await untilAnswers(url, pid, options.timeoutMs ?? 60_000);
  return up
    ? ok({ url, pid, state, started: true })
    : err(`the homeserver did not start: see ${join(dir, 'start.log')}`);
}

/** Stops it politely and waits until it is gone. True when one ran. */
export async function stopSynapse(dir: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<boolean> {
  const pid = runningPid(dir);
  if (pid === null) return false;
  process.kill(pid, signal);
  const killAt = performance.now() + 15_000;
  while (runningPid(dir) !== null) {
    if (performance.now() > killAt) process.kill(pid, 'SIGKILL');
    await pause(20);
  }
  rmSync(join(dir, 'pid'), { force: true });
  return true;
}

/** The process of this directory's homeserver: the pid in its file, if it is still the process that was started. */
export function runningPid(dir: string): number | null {
  try {
    const [pid = '', startTime = ''] = readFileSync(join(dir, 'pid'), 'utf8').trim().split(' ');
    return startTimeOf(Number(pid)) === startTime && startTime !== '' ? Number(pid) : null;
  } catch {
    return null;
  }
}

export function readState(dir: string): HomeserverState | null {
  const path = join(dir, 'state.json');
  if (!existsSync(path)) return null;
  const raw: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!isObject(raw) || typeof raw['port'] !== 'number') return null;
  return {
    serverName: textOf(raw['serverName'], ''),
    port: raw['port'],
    registrationSecret: textOf(raw['registrationSecret'], ''),
    macaroonSecret: textOf(raw['macaroonSecret'], ''),
    formSecret: textOf(raw['formSecret'], ''),
  };
}

async function newState(options: StartOptions): Promise<HomeserverState> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  chmodSync(options.dir, 0o700);
  const port = options.port ?? (await freePort());
  const secret = (): string => randomBytes(24).toString('hex');
  const state = {
    serverName: `localhost:${port}`,
    port,
    registrationSecret: secret(),
    macaroonSecret: secret(),
    formSecret: secret(),
  };
  writePrivate(join(options.dir, 'state.json'), `${JSON.stringify(state, null, 2)}\n`);
  // A signing key is 32 random bytes under a name.
  const seed = randomBytes(32).toString('base64').replace(/=+$/, '');
  writePrivate(join(options.dir, 'signing.key'), `ed25519 a_cis ${seed}\n`);
  return state;
}

function writeFiles(dir: string, state: HomeserverState, extra: JsonObject | undefined): void {
  const config = synapseConfig({ ...state, dir, ...(extra === undefined ? {} : { extra }) });
  writePrivate(join(dir, 'homeserver.yaml'), `${JSON.stringify(config, null, 2)}\n`);
  writePrivate(join(dir, 'log.config'), `${JSON.stringify(synapseLogConfig(dir), null, 2)}\n`);
}

/** Detached: it outlives the command that started it, and a Ctrl-C in the terminal does not reach it. */
function startPython(dir: string, python: string): number | null {
  const log = openSync(join(dir, 'start.log'), 'w', 0o600);
  const args = ['-m', 'synapse.app.homeserver', '-c', join(dir, 'homeserver.yaml')];
  const child = spawn(python, args, { cwd: dir, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.on('error', () => {});
  child.unref();
  return child.pid ?? null;
}

/** The container runs in the foreground of a `docker run` process, whose life is the container's. Host network, so that it binds loopback only. */
function startDocker(dir: string, image: string, state: HomeserverState): number | null {
  const log = openSync(join(dir, 'start.log'), 'w', 0o600);
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const args = ['run', '--rm', '--init', '--name', `cis-synapse-${state.port}`, '--network', 'host', '--user', user];
  const entry = ['-v', `${dir}:${dir}`, '--entrypoint', 'python', image, '-m', 'synapse.app.homeserver'];
  const child = spawn('docker', [...args, ...entry, '-c', join(dir, 'homeserver.yaml')], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.on('error', () => {});
  child.unref();
  return child.pid ?? null;
}

async function untilAnswers(url: string, pid: number, timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs;
  while (performance.now() < until) {
    if (await answers(url)) return true;
    if (startTimeOf(pid) === null) return false;
    await pause(50);
  }
  return false;
}

async function answers(url: string): Promise<boolean> {
  const versions = await openHttp(url, null).json({ method: 'GET', path: '/_matrix/client/versions', timeoutMs: 5000 });
  return versions.ok;
}

/** The process's start in clock ticks since boot (Linux), or what `ps` says elsewhere; null when there is no such process. */
function startTimeOf(pid: number): string | null {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; its parent just did not look yet.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return existsSync('/proc/self/stat') ? null : aliveElsewhere(pid);
  }
}

function aliveElsewhere(pid: number): string | null {
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return null;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

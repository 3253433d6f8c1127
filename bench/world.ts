import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectHost, HostConnection } from '../src/host/port.ts';
import { time, treeCpuMs, type CommandLine, type Timed } from './process.ts';

const root = join(import.meta.dirname, '..');

/** A directory of its own for all that the bench makes, with a home for cis in it. Disposing it stops the host and removes it. */
export interface World extends AsyncDisposable {
  readonly dir: string;
  /** The same small environment for every contender. */
  readonly env: NodeJS.ProcessEnv;
  readonly rounds: number;
  readonly quick: boolean;
  /** False: the floors and the peers alone are measured. */
  readonly withCis: boolean;
  readonly progress: (text: string) => void;
}

export interface WorldSettings {
  readonly rounds: number;
  readonly quick: boolean;
  readonly withCis: boolean;
}

export function openWorld(settings: WorldSettings): World {
  const dir = mkdtempSync(join(tmpdir(), 'cis-bench-'));
  const home = join(dir, 'home');
  mkdirSync(home, { mode: 0o700 });
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: home,
    CIS_HOME: join(home, '.cis'),
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
  };
  mkdirSync(env.CIS_HOME, { mode: 0o700 });
  writeFileSync(join(env.CIS_HOME, 'config.toml'), '[host]\nrecording_max_mb = 1000\nidle_exit_secs = 600\n');
  const world = { ...settings, dir, env, progress: showProgress };
  return {
    ...world,
    async [Symbol.asyncDispose](): Promise<void> {
      await stopHost(world);
      showProgress('');
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** One line on stderr that is written over; nothing where stderr is no terminal, but for the name of each step. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

type Place = Pick<World, 'dir' | 'env'>;

export function cis(world: Place, args: readonly string[], more: Partial<CommandLine> = {}): CommandLine {
  return { file: join(root, 'bin', 'cis'), args, cwd: world.dir, env: world.env, ...more };
}

export function node(world: Place, args: readonly string[], more: Partial<CommandLine> = {}): CommandLine {
  return { file: process.execPath, args, cwd: world.dir, env: world.env, ...more };
}

export function floorProgram(name: 'floor' | 'floor-terminal'): string {
  return join(import.meta.dirname, `${name}.mjs`);
}

export function write(world: Place, name: string, text: string): string {
  const path = join(world.dir, name);
  writeFileSync(path, text);
  return path;
}

/** Null while no host runs in the home of this world. */
function hostPid(world: Place): number | null {
  const path = join(world.env['CIS_HOME'] ?? '', 'run', 'host.pid');
  if (!existsSync(path)) return null;
  const pid = Number(/\d+/.exec(readFileSync(path, 'utf8'))?.[0]);
  return existsSync(`/proc/${pid}`) ? pid : null;
}

/** Times a command of cis; what its host used meanwhile counts as its CPU time. */
export async function timeCis(world: World, args: readonly string[]): Promise<TimedCis> {
  const hostBefore = hostCpuMs(world);
  const timed = await time(cis(world, args));
  return { ...timed, commandCpuMs: timed.cpuMs, cpuMs: timed.cpuMs + hostCpuMs(world) - hostBefore };
}

interface TimedCis extends Timed {
  /** Without the host. */
  readonly commandCpuMs: number;
}

function hostCpuMs(world: World): number {
  const pid = hostPid(world);
  return pid === null ? 0 : treeCpuMs(pid);
}

const first = '[dag]\nname = "first"\n[[dag.tasks]]\nid = "first"\ncommand = "true"\n';

/** Returns the pid of the host; when there is none, the built program starts one as it does for whoever runs a first task. */
export async function ensureHost(world: World): Promise<number> {
  const running = hostPid(world);
  if (running !== null) return running;
  await time(cis(world, ['dag', 'run', write(world, 'first.toml', first)]));
  const pid = hostPid(world);
  if (pid === null) throw new Error('a host has answered, but its run/host.pid names no process');
  return pid;
}

export async function stopHost(world: Place): Promise<void> {
  const pid = hostPid(world);
  if (pid === null) return;
  using host = await connect(world);
  await host.request({ kind: 'stop', force: true });
  for (let waited = 0; existsSync(`/proc/${pid}`) && waited < 10_000; waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Returns a connection as the executor has it, to the host that runs. */
export async function connect(world: Place): Promise<HostConnection> {
  const client = (await import(join(root, 'src', 'host', 'client.ts'))) as { connectHost: ConnectHost };
  const { homeAt } = (await import(join(root, 'src', 'config', 'home.ts'))) as typeof import('../src/config/home.ts');
  const home = homeAt(world.env['CIS_HOME'] ?? '');
  const connected = await client.connectHost({ home, what: 'bench', start: false });
  if (!connected.ok) throw new Error(`cannot reach the host: ${JSON.stringify(connected.error)}`);
  return connected.value;
}

/** Returns whether the program can be run by name. */
export function has(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((dir) => existsSync(join(dir, program)));
}

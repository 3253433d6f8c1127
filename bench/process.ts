import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export interface Timed {
  readonly wallMs: number;
  /** User and system time of the process and of every descendant that was waited for; the kernel tells it in steps of 10 ms. */
  readonly cpuMs: number;
  readonly stdout: string;
}

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout?: 'ignore' | 'keep';
  /** Exit codes that are no failure. */
  readonly accept?: readonly number[];
  /** Told as soon as it runs. */
  readonly started?: (pid: number) => void;
}

/** Runs a program to its end and times it. Rejects with the end of its error output when it fails. One at a time, or the CPU time is wrong. */
export async function time(line: CommandLine): Promise<Timed> {
  const cpuBefore = childrenCpuMs();
  const startedAt = performance.now();
  const child = spawn(line.file, line.args, {
    cwd: line.cwd,
    env: line.env,
    stdio: ['ignore', line.stdout === 'keep' ? 'pipe' : 'ignore', 'pipe'],
  });
  if (child.pid !== undefined) line.started?.(child.pid);
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout?.on('data', (bytes: Buffer) => stdout?.push(bytes));
  child.stderr?.on('data', (bytes: Buffer) => stderr?.push(bytes));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const wallMs = performance.now() - startedAt;
  const cpuMs = childrenCpuMs() - cpuBefore;
  await closed;
  if (code === null || !(line.accept ?? [0]).includes(code)) {
    const said = Buffer.concat(stderr ?? []).toString();
    throw new Error(`${basename(line.file)} ${line.args.join(' ')} ended with ${code}: ${said.slice(-800)}`);
  }
  return { wallMs, cpuMs, stdout: Buffer.concat(stdout ?? []).toString() };
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ownMs: number;
  readonly waitedMs: number;
}

const msPerTick = 10; // USER_HZ is 100 on every Linux that Node runs on

function readStat(pid: number | 'self'): Stat | null {
  const text = readProc(pid, 'stat');
  if (text === null) return null;
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent, user, system, waitedUser, waitedSystem] = [1, 11, 12, 13, 14].map((index) => fields[index] ?? 0);
  return {
    pid: Number.parseInt(text, 10),
    parent: parent ?? 0,
    ownMs: ((user ?? 0) + (system ?? 0)) * msPerTick,
    waitedMs: ((waitedUser ?? 0) + (waitedSystem ?? 0)) * msPerTick,
  };
}

function childrenCpuMs(): number {
  return readStat('self')?.waitedMs ?? 0;
}

/** Returns the CPU time used so far by the process, its living descendants and those that they waited for. */
export function treeCpuMs(pid: number): number {
  return tree(pid).reduce((sum, stat) => sum + stat.ownMs + stat.waitedMs, 0);
}

/**
 * Returns the resident memory, in MiB, of the process and of those descendants that run the same program, such as a helper. What
 * they have of the program's file is the same memory and counts once.
 */
export function ownMemoryMiB(pid: number): number {
  const pids = ownPids(pid);
  const own = pids.reduce((sum, one) => sum + statusMiB(one, 'RssAnon') + statusMiB(one, 'RssShmem'), 0);
  return own + Math.max(...pids.map((one) => statusMiB(one, 'RssFile')));
}

/** Returns the highest resident memory, in MiB, that the process itself ever had. */
export function peakMemoryMiB(pid: number): number {
  return statusMiB(pid, 'VmHWM');
}

/** Returns the time on a CPU, in ms, of all threads of the process and of its helpers, without their sessions; exact to the µs. */
export function ownCpuMs(pid: number): number {
  const nanoseconds = ownPids(pid).flatMap((own) => threads(own).map((thread) => schedNs(own, thread)));
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/** Returns the time on a CPU, in ms, of all threads of this process alone; 0 when it is gone. */
export function aloneCpuMs(pid: number): number {
  return threads(pid).reduce((sum, thread) => sum + schedNs(pid, thread), 0) / 1e6;
}

function ownPids(pid: number): number[] {
  const program = exe(pid);
  return tree(pid)
    .map((stat) => stat.pid)
    .filter((candidate) => candidate === pid || exe(candidate) === program);
}

function tree(root: number): Stat[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = all.map((name) => readStat(Number(name))).filter((stat) => stat !== null);
  const found = stats.filter((stat) => stat.pid === root);
  for (const known of found) found.push(...stats.filter((stat) => stat.parent === known.pid));
  return found;
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function schedNs(pid: number, thread: string): number {
  return Number((readProc(pid, `task/${thread}/schedstat`) ?? '0').split(' ')[0]);
}

function statusMiB(pid: number, field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status') ?? '');
  return Number(line?.[1] ?? 0) / 1024;
}

function exe(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}

/** Null when the process is gone. */
function readProc(pid: number | 'self', file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null;
  }
}

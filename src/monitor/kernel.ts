import { execFile } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/** What Linux knows of the program in the foreground of a terminal. Elsewhere, or when it may not be read: `unknown`. */
export interface KernelWitness {
  /** `reading`: asleep in a read of the terminal; `polling`: asleep until something comes, which a server does too. */
  readonly foreground: 'reading' | 'polling' | 'sleeping' | 'running' | 'unknown';
  readonly program: string | null;
  /** Processor time of the foreground group so far, in ticks; two looks tell whether it works. */
  readonly cpuTicks: number | null;
  /** Null: not asked, see `readModes`. */
  readonly echo: boolean | null;
  readonly canonical: boolean | null;
}

const unknown: KernelWitness = { foreground: 'unknown', program: null, cpuTicks: null, echo: null, canonical: null };

/** System call numbers, from the kernel's tables for the two machines that Node is built for most. */
const calls: Readonly<Record<string, { readonly read: readonly number[]; readonly poll: readonly number[] }>> = {
  x64: { read: [0, 19], poll: [7, 23, 232, 270, 271, 281, 441] },
  arm64: { read: [63, 65], poll: [22, 72, 73, 441] },
};

const maxProcesses = 16;

/** Reads /proc, a few dozen microseconds; never throws. `pid` is any process of the session, as a rule its leader. */
export function readKernelWitness(pid: number, proc = '/proc'): KernelWitness {
  const leader = statOf(proc, pid);
  if (leader === null || leader.tpgid <= 0) return unknown;
  const group = groupOf(proc, leader.tpgid, pid);
  if (group.length === 0) return unknown;
  const tty = ttyOf(proc, pid);
  const states = group.map((member) => activityOf(proc, member, tty));
  return {
    foreground: strongest(states),
    program: group[0]?.comm ?? null,
    cpuTicks: group.reduce((sum, member) => sum + member.ticks, 0),
    echo: null,
    canonical: null,
  };
}

type Activity = KernelWitness['foreground'];

function strongest(states: readonly Activity[]): Activity {
  const order = ['reading', 'running', 'polling', 'sleeping'] as const;
  return order.find((one) => states.includes(one)) ?? 'unknown';
}

interface Stat {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly pgrp: number;
  readonly tpgid: number;
  readonly ticks: number;
}

function statOf(proc: string, pid: number): Stat | null {
  const text = read(`${proc}/${pid}/stat`);
  if (text === null) return null;
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  return {
    pid,
    comm: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    pgrp: Number(fields[2]),
    tpgid: Number(fields[5]),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}

/** The group's leader and those below it; when the leader has ended, those below the session that belong to the group. */
function groupOf(proc: string, pgid: number, session: number): Stat[] {
  const found: Stat[] = [];
  const seen = new Set<number>();
  const queue = [pgid, session];
  while (queue.length > 0 && seen.size < maxProcesses * 2 && found.length < maxProcesses) {
    const pid = queue.shift();
    if (pid === undefined || seen.has(pid)) continue;
    seen.add(pid);
    const stat = statOf(proc, pid);
    if (stat === null) continue;
    if (stat.pgrp === pgid && stat.state !== 'Z') found.push(stat);
    const children = read(`${proc}/${pid}/task/${pid}/children`) ?? '';
    queue.push(
      ...children
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    );
  }
  return found;
}

function activityOf(proc: string, member: Stat, tty: string | null): Activity {
  if (member.state === 'R' || member.state === 'D') return 'running';
  const syscall = read(`${proc}/${member.pid}/syscall`);
  const numbers = calls[process.arch];
  if (syscall === null || numbers === undefined) return waitingIn(read(`${proc}/${member.pid}/wchan`));
  if (syscall.startsWith('running')) return 'running';
  const [number, fd] = syscall.split(' ');
  const call = Number(number);
  if (numbers.read.includes(call)) return isTerminal(proc, member.pid, Number(fd), tty) ? 'reading' : 'sleeping';
  return numbers.poll.includes(call) ? 'polling' : 'sleeping';
}

function waitingIn(wchan: string | null): Activity {
  if (wchan === null || wchan === '' || wchan === '0') return 'unknown';
  if (/n_tty_read|tty_read|wait_woken/u.test(wchan)) return 'reading';
  return /poll|select|epoll/u.test(wchan) ? 'polling' : 'sleeping';
}

function isTerminal(proc: string, pid: number, fd: number, tty: string | null): boolean {
  const target = link(`${proc}/${pid}/fd/${fd}`);
  return target !== null && (target === tty || target === '/dev/tty');
}

function ttyOf(proc: string, pid: number): string | null {
  for (const fd of [0, 1, 2]) {
    const target = link(`${proc}/${pid}/fd/${fd}`);
    if (target?.startsWith('/dev/pts/') === true) return target;
  }
  return null;
}

/** Reads ECHO and ICANON of a session's terminal. It costs a process (`stty`), so it is asked once per quiet screen; null when it cannot be told. */
export function readModes(pid: number, proc = '/proc'): Promise<Pick<KernelWitness, 'echo' | 'canonical'> | null> {
  const tty = ttyOf(proc, pid);
  if (tty === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    execFile(
      'stty',
      ['-F', tty, '-a'],
      { timeout: 1_000, env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' } },
      (error, stdout) => {
        resolve(
          error === null
            ? { echo: /(?:^|\s)echo(?:\s|$)/u.test(stdout), canonical: /(?:^|\s)icanon(?:\s|$)/u.test(stdout) }
            : null,
        );
      },
    );
  });
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

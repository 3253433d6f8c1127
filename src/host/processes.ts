import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

interface ProcessFacts {
  readonly pid: number;
  readonly group: number;
  readonly session: number;
  readonly start: string;
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); '' where that is not known. */
export function readPidStart(pid: number): string {
  return fieldsOf(pid)?.[19] ?? '';
}

/** Whether the process that had this pid and start time still lives; without a start time the pid alone decides. */
export function isAlive(pid: number, start: string): boolean {
  const facts = readProcess(pid);
  if (facts !== null) return start === '' || facts.start === start;
  return process.platform !== 'linux' && signalPid(pid, 0);
}

/**
 * Sends a signal to every process group of the terminal session that `leader` leads; 'no such process' is success.
 * Gives how many processes there were. Where /proc is missing, the leader's own group is all that can be found.
 */
export function signalSession(leader: number, signal: NodeJS.Signals): number {
  const members = readSession(leader);
  if (members === null) return signalPid(-leader, signal) ? 1 : 0;
  const groups = new Set(members.map((member) => member.group).filter((group) => group > 1));
  for (const group of groups) signalPid(-group, signal);
  return members.length;
}

/** Sends a signal to one process or, negative, one process group; false when there is none. */
export function signalPid(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** What `readSessions` found in this turn of the event loop. */
let sessions: Map<number, ProcessFacts[]> | null = null;

/** Reading all of /proc takes ten milliseconds or more: whoever ends many sessions at once looks once. */
function readSession(leader: number): ProcessFacts[] | null {
  if (process.platform !== 'linux') return null;
  if (sessions === null) {
    sessions = readSessions();
    setImmediate(() => (sessions = null));
  }
  return sessions.get(leader) ?? [];
}

function readSessions(): Map<number, ProcessFacts[]> {
  const pids = readdirSync('/proc').filter((name) => name.charCodeAt(0) >= 48 && name.charCodeAt(0) <= 57);
  return Map.groupBy(
    pids.map((pid) => readProcess(Number(pid))).filter((facts) => facts !== null),
    ({ session }) => session,
  );
}

const statBuffer = Buffer.allocUnsafe(4_096);

/** Three calls of the system; reading it as a file would be five, for each session that starts. */
function readStat(pid: number): string {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return statBuffer.toString('latin1', 0, readSync(fd, statBuffer));
  } finally {
    closeSync(fd);
  }
}

/** What follows the name, which may hold spaces; the state comes first. */
function fieldsOf(pid: number): string[] | null {
  try {
    const stat = readStat(pid);
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** Null for one that has ended, waited for or not. */
function readProcess(pid: number): ProcessFacts | null {
  const fields = fieldsOf(pid);
  if (fields === null || fields[0] === 'Z') return null;
  return { pid, group: Number(fields[2]), session: Number(fields[3]), start: fields[19] ?? '' };
}

import { readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** A third of the share of others. With less, a question would take seconds to get out of a machine that is full of work. */
const sessionNice = 5;

/**
 * Puts a background process behind those that a person waits for. Being nice is not enough on Linux: the scheduler weighs a process
 * with a session of its own only against its own session (autogroup), so the session is made nice as well.
 */
export function giveWay(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
    if (leadsSession(pid)) writeFileSync(`/proc/${pid}/autogroup`, `${sessionNice}`);
  } catch {
    // No such process, another kernel, or one without autogroups: then it is as nice as it can be.
  }
}

/** Only a leader may speak for its session: in a terminal the others there are a person's. */
function leadsSession(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3];
  return Number(session) === pid;
}

import { readFileSync } from 'node:fs';
import { isAlive, readPidStart } from '../host/processes.ts';
import type { Driver } from '../storage/lease.ts';
import type { Lease } from '../storage/read.ts';

/** This process, as it stands in a lease. */
export function thisDriver(what: string): Driver {
  return { pid: process.pid, pidStart: readPidStart(process.pid), bootId: readBootId(), what };
}

/** Whether the holder of a lease lives: the same pid, the same start of the process, the same start of the machine. */
export function isHolderAlive(lease: Pick<Lease, 'pid' | 'pidStart' | 'bootId'>): boolean {
  if (lease.pid === null || lease.bootId !== readBootId()) return false;
  return isAlive(lease.pid, lease.pidStart ?? '');
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

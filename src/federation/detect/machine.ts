import { statfsSync } from 'node:fs';
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Gpu, Machine, NodeLoad } from '../../domain/fleet/facts.ts';

const mb = 1024 * 1024;

export function detectMachine(gpus: readonly Gpu[]): Machine {
  // A container may have less than the machine it is on.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(totalmem(), limit) : totalmem();
  return {
    os: process.platform,
    arch: process.arch,
    cores: availableParallelism(),
    memoryMb: Math.floor(memory / mb),
    gpus,
  };
}

/** With less the host cannot record sessions. */
export const leastDiskMb = 200;

/** Measures this machine; `dir` is where the node keeps sessions and workspaces (or will: then the directory above counts). */
export function measureLoad(dir: string, slotsFree: number): NodeLoad {
  return {
    slotsFree,
    loadCenti: Math.round((loadavg()[0] ?? 0) * 100),
    memoryFreeMb: Math.floor(freemem() / mb),
    diskFreeMb: diskFreeMb(dir),
  };
}

export function diskFreeMb(dir: string): number {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return Math.floor((bavail * bsize) / mb);
  } catch (error) {
    const parent = dirname(dir);
    if (parent === dir || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return diskFreeMb(parent);
  }
}

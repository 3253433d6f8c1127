import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import { socketDir } from '../host/paths.ts';

export interface ProcessPaths {
  /** Held by the process while it lives; has its pid. */
  readonly lock: string;
  readonly log: string;
}

/** `socket`: where local processes give it packets for other nodes. */
export function bridgePaths(home: Home): ProcessPaths & { readonly socket: string } {
  return {
    lock: join(home.run, 'bridge.pid'),
    log: join(home.logs, 'bridge.log'),
    socket: join(socketDir(home), 'bridge.sock'),
  };
}

/** Of the process that makes this home a node (`cis node start`). */
export function nodePaths(home: Home): ProcessPaths {
  return { lock: join(home.run, 'node.pid'), log: join(home.logs, 'node.log') };
}

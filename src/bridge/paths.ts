import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import { socketDir } from '../host/paths.ts';

export interface BridgePaths {
  /** Held by the bridge while it lives; has its pid. */
  readonly lock: string;
  readonly log: string;
  /** Where local processes give it packets for other nodes. */
  readonly socket: string;
}

export function bridgePaths(home: Home): BridgePaths {
  return {
    lock: join(home.run, 'bridge.pid'),
    log: join(home.logs, 'bridge.log'),
    socket: join(socketDir(home), 'bridge.sock'),
  };
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../config/home.ts';

/** Where the keys lie by which other nodes know this home. */
export function identityFile(home: Pick<Home, 'dir'>): string {
  return join(home.dir, 'node', 'keys.json');
}

/** Whether this home has anything to do with other nodes: without keys of its own it has not, and nothing more is loaded. */
export function isInFleet(home: Pick<Home, 'dir'>): boolean {
  return existsSync(identityFile(home));
}

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import { protocolMajor } from '../../host/protocol.ts';
import type { Finding } from './examine.ts';

/** The kernel's `sun_path` holds 108 bytes on Linux and 104 elsewhere, the closing zero included. */
const longestPath = process.platform === 'linux' ? 107 : 103;

/** Where the host listens, and whether that is ours to use. */
export function examineSocket(home: Home, env: Readonly<Record<string, string | undefined>>): Finding {
  const name = 'socket';
  const own = join(home.run, `host-v${protocolMajor}.sock`);
  const isShort = Buffer.byteLength(own) <= longestPath;
  const runtime = env['XDG_RUNTIME_DIR'];
  if (!isShort && (runtime === undefined || runtime === '')) {
    const said = `${own} is too long for a socket and XDG_RUNTIME_DIR is not set`;
    return { name, state: 'broken', said, hint: 'set CIS_HOME to a shorter path' };
  }
  if (!isShort) return { name, state: 'note', said: `${own} is too long: the host listens under ${runtime}` };
  const owner = ownerOf(own);
  if (owner !== null && owner !== process.getuid?.()) {
    return {
      name,
      state: 'broken',
      said: `${own} belongs to user ${owner}`,
      hint: 'it is not used; remove it or set CIS_HOME',
    };
  }
  return { name, state: 'good', said: own };
}

function ownerOf(path: string): number | null {
  try {
    return lstatSync(path).uid;
  } catch {
    return null;
  }
}

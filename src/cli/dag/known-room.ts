import type { MatrixSettings } from '../../domain/dag.ts';
import { readBridgePid } from '../../bridge/start.ts';
import { findPlace } from '../../storage/bridge.ts';
import { readDevice, readEncryption } from '../../storage/device.ts';
import { home } from '../context.ts';
import { openToWrite } from './open-storage.ts';

/**
 * Whether a run may start in a room without the homeserver being asked: it was used before, and nothing is known to be wrong, or the
 * bridge lives and says so itself. Asking takes as much time as a dozen short tasks.
 */
export function isRoomKnown(room: string, matrix: MatrixSettings): boolean {
  const db = openToWrite(home());
  try {
    const device = readDevice(db);
    const place = device === null ? null : findPlace(db, room);
    if (device === null || place === null) return false;
    if ((matrix.encrypted || matrix.sensitive) && readEncryption(db, place.room) !== 'encrypted') return false;
    if (device.lastError === null) return true;
    if (readBridgePid(home()) === null) return false;
    process.stderr.write(`cis: the room gets everything later: ${device.lastError}\n`);
    return true;
  } finally {
    db.close();
  }
}

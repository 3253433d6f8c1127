import type { Heartbeat } from '../../domain/fleet/facts.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { readMachineEvent } from '../../matrix/events/index.ts';
import { countNodes, readNode, writeHeartbeat } from '../../storage/nodes.ts';
import { readTrust } from '../../storage/trust.ts';
import type { Db } from '../../storage/open.ts';
import { readHeartbeat } from '../heartbeat.ts';
import { verifyContent, type Received, type Rejection } from '../sign.ts';

export const heartbeatType = 'cis.node.heartbeat';

/** Keys cost nothing: a stranger must not fill the disk with nodes. Those that are trusted are noted in any case. */
const mostNodes = 2_000;

/**
 * Notes what a node says of itself, if it is really the one who says so. It need not be trusted: whom one trusts one must see first.
 * `at`: when it was heard, by the clock of this machine. Null when it said something later before.
 */
export function hearHeartbeat(db: Db, received: Received, at: number): Result<Heartbeat | null, Rejection> {
  const read = readMachineEvent(received.type, received.content);
  if (!read.ok) return err({ kind: 'malformed', message: read.error });
  const { event } = read.value;
  if (event.type !== heartbeatType) return err({ kind: 'malformed', message: `${event.type} is no heartbeat` });
  const signed = verifyContent(received);
  if (!signed.ok) return signed;
  const { did, userId, seq } = signed.value;
  const heartbeat = readHeartbeat(event.content);
  if (!heartbeat.ok) return err({ kind: 'malformed', message: heartbeat.error });
  const { facts } = heartbeat.value;
  if (facts.userId !== userId) return err({ kind: 'wrong-user', message: `${userId} speaks as ${facts.userId}` });
  if (readNode(db, did) === null && readTrust(db, did) === null && countNodes(db) >= mostNodes) {
    return err({
      kind: 'untrusted',
      message: `${mostNodes} nodes are known, and ${did} is not trusted: it is not noted`,
    });
  }
  const isNew = writeHeartbeat(db, {
    heartbeat: heartbeat.value,
    lane: received.room,
    seq,
    at,
  });
  return ok(isNew ? heartbeat.value : null);
}

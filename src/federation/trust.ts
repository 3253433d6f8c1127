import type { Did } from '../domain/fleet/did.ts';
import { nextFreshness, noMemory } from '../domain/fleet/freshness.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { Db } from '../storage/open.ts';
import { bindUser, readSeen, readTrust, writeSeen, type TrustRole } from '../storage/trust.ts';
import { verifyContent, type Received, type Rejection, type Signed } from './sign.ts';

export interface AdmitOptions {
  readonly db: Db;
  /** Of this home: it trusts itself, in both roles. */
  readonly ownDid: Did;
  /** What the sender must be trusted as for this type of event. */
  readonly role: TrustRole;
  /** For what only says how things stand (heartbeats): an older one after a newer one is nothing. */
  readonly newestOnly?: boolean;
  /** Who reads: a coordinator and the node of one home each take every event once. */
  readonly reader?: string;
}

export interface Admitted extends Signed {
  /** A later message of the sender came first: compare epochs. */
  readonly reordered: boolean;
}

/**
 * Takes a signed event of somebody who is trusted, once. Call it in the transaction that acts on the event: the memory of it is
 * written at once, and goes back with the transaction. Nothing of a rejected event is remembered.
 */
export function admit(received: Received, options: AdmitOptions): Result<Admitted, Rejection> {
  const signed = verifyContent(received);
  if (!signed.ok) return signed;
  const trusted = checkTrust(signed.value, options);
  if (!trusted.ok) return trusted;
  const { db, reader } = options;
  const { did, seq, userId } = signed.value;
  const lane = reader === undefined ? received.room : `${reader} ${received.room}`;
  const before = readSeen(db, did, lane);
  const fresh = nextFreshness(before === noMemory ? readSeen(db, did, received.room) : before, seq);
  if (!fresh.ok) return fresh;
  if (options.newestOnly === true && fresh.value.reordered) {
    return err({ kind: 'reordered', message: `a later message of ${did} came before it` });
  }
  writeSeen(db, did, lane, fresh.value.memory);
  bindUser(db, did, userId);
  return ok({ ...signed.value, reordered: fresh.value.reordered });
}

/** Whether the sender counts here in the role; fails closed. */
export function checkTrust({ did, userId }: Signed, { db, ownDid, role }: AdmitOptions): Result<null, Rejection> {
  if (did === ownDid) return ok(null);
  const row = readTrust(db, did);
  if (row === null || !row.roles.includes(role)) {
    const message = `${did} is not trusted as a ${role} here: cis node trust ${did} --as ${role}`;
    return err({ kind: 'untrusted', message });
  }
  if (row.userId !== null && row.userId !== userId) {
    const message = `${did} spoke as ${row.userId} when it was trusted, and now as ${userId}: trust it again if that is right`;
    return err({ kind: 'wrong-user', message });
  }
  return ok(null);
}

/** For placement, where no message is at hand. */
export function isTrusted(db: Db, ownDid: Did, did: Did, role: TrustRole): boolean {
  return did === ownDid || (readTrust(db, did)?.roles.includes(role) ?? false);
}

import * as v from 'valibot';
import { tameText, type Did } from '../../domain/fleet/did.ts';
import type { JsonObject } from '../../matrix/http.ts';
import { putToDevice } from '../../storage/fleet.ts';
import { readNode } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { readTicket, writeTicket, type TicketRow } from '../../storage/tickets.ts';
import { readTrust, takeSeq, writeTrust, type TrustRole } from '../../storage/trust.ts';
import type { Identity } from '../identity.ts';
import { deviceLane, signContent, verifyContent, type Received, type Signed } from '../sign.ts';
import { isProof, proofOf, type Ticket } from './ticket.ts';

/** From who joins to who invited, and back; from device to device, with no secret in them. */
export const joinType = 'cis.node.join';
export const welcomeType = 'cis.node.welcome';

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
const join = v.object({ ticket: id, node: id, device_id: id, proof: id });
const welcome = v.object({ ticket: id, node: id, proof: v.optional(id), refused: v.optional(v.string()) });

export interface TicketSelf {
  readonly identity: Identity;
  readonly userId: string;
  readonly node: string;
}

/** What a joining home sends, signed; written down so that the welcome is known when it comes. It trusts who gave it the ticket. */
export function makeJoin(
  db: Db,
  self: TicketSelf,
  deviceId: string,
  ticket: Ticket,
  roles: readonly TrustRole[],
  now: number,
): JsonObject {
  const { did } = self.identity;
  const { secret, room, expiresAt } = ticket;
  const words = { ticket: ticket.id, inviter: ticket.did, joiner: did, room, purpose: 'join' } as const;
  const make = db.transaction(() => {
    const row = { id: ticket.id, secret, room, roles, expiresAt, settledAt: null };
    writeTicket(db, { ...row, direction: 'taken', peer: ticket.did });
    trustByTicket(db, { did: ticket.did, userId: ticket.userId, node: ticket.node }, roles, now);
    const content = { ticket: ticket.id, node: self.node, device_id: deviceId, proof: proofOf(secret, words) };
    return sign(db, self, joinType, content, now);
  });
  return make.immediate();
}

/** Judges somebody who comes with a ticket, and answers. Returns what to note in the log. Runs in the caller's transaction. */
export function answerJoin(db: Db, self: TicketSelf, received: Received, now: number): string {
  const signed = verifyContent(received);
  if (!signed.ok) return `a join that does not count: ${signed.error.message}`;
  const read = v.safeParse(join, received.content);
  if (!read.success) return `a join of ${signed.value.did} that cannot be read`;
  const { ticket: ticketId, device_id: deviceId, proof } = read.output;
  const node = tameText(read.output.node, 100);
  const ticket = readTicket(db, ticketId, 'given');
  const refusal = refusalOf(self.identity.did, ticket, signed.value, proof, now);
  const to = { userId: signed.value.userId, deviceId };
  if (refusal !== null || ticket === null) {
    const refused = refusal ?? 'there is no such ticket';
    answer(db, self, to, { ticket: ticketId, node: self.node, refused }, now);
    return `${node} (${signed.value.did}) was not let in: ${refused}`;
  }
  const { did, userId } = signed.value;
  writeTicket(db, { ...ticket, peer: did, settledAt: ticket.settledAt ?? now });
  trustByTicket(db, { did, userId, node }, ticket.roles, now);
  const words = { ticket: ticketId, inviter: self.identity.did, joiner: did, room: ticket.room } as const;
  const back = proofOf(ticket.secret, { ...words, purpose: 'welcome' });
  answer(db, self, to, { ticket: ticketId, node: self.node, proof: back }, now);
  return `${node} (${did}, ${userId}) joined with a ticket and is trusted`;
}

function refusalOf(own: Did, ticket: TicketRow | null, { did }: Signed, proof: string, now: number): string | null {
  if (ticket === null) return 'there is no such ticket';
  const words = { ticket: ticket.id, inviter: own, joiner: did, room: ticket.room, purpose: 'join' } as const;
  if (!isProof(ticket.secret, words, proof)) return 'it does not know what is in the ticket';
  // The same node may ask again: the welcome may have been lost.
  if (ticket.settledAt !== null) return ticket.peer === did ? null : 'the ticket was used by another';
  return now > ticket.expiresAt ? 'the ticket has expired' : null;
}

/** Hears what became of a join. Returns what to note in the log. Runs in the caller's transaction. */
export function hearWelcome(db: Db, own: Did, received: Received, now: number): string {
  const signed = verifyContent(received);
  if (!signed.ok) return `a welcome that does not count: ${signed.error.message}`;
  const read = v.safeParse(welcome, received.content);
  const ticket = read.success ? readTicket(db, read.output.ticket, 'taken') : null;
  if (!read.success || ticket === null || ticket.peer !== signed.value.did) {
    return `a welcome of ${signed.value.did}, who did not invite this node`;
  }
  const { proof, refused } = read.output;
  const node = tameText(read.output.node, 100);
  if (refused !== undefined) return `${node} did not let this node in: ${tameText(refused)}`;
  const words = { ticket: ticket.id, inviter: signed.value.did, joiner: own, room: ticket.room } as const;
  if (!isProof(ticket.secret, { ...words, purpose: 'welcome' }, proof ?? '')) {
    return `a welcome of ${node} that does not know what is in the ticket`;
  }
  writeTicket(db, { ...ticket, settledAt: ticket.settledAt ?? now });
  return `${node} trusts this node`;
}

function answer(
  db: Db,
  self: TicketSelf,
  to: { userId: string; deviceId: string },
  content: JsonObject,
  now: number,
): void {
  const message = { only: null, ...to, type: welcomeType, expiresAt: now + 3_600_000 };
  putToDevice(db, { ...message, content: sign(db, self, welcomeType, content, now) }, now);
}

function sign(db: Db, { identity, userId }: TicketSelf, type: string, content: JsonObject, now: number): JsonObject {
  const seq = takeSeq(db, deviceLane, now);
  const signed = signContent(identity, { type, room: deviceLane, userId, seq, content: { ...content, at: now } });
  if (!signed.ok) throw new Error(signed.error);
  return signed.value;
}

function trustByTicket(
  db: Db,
  { did, userId, node }: { readonly did: Did; readonly userId: string; readonly node: string },
  roles: readonly TrustRole[],
  at: number,
): void {
  const before = readTrust(db, did);
  const all = [...new Set([...(before?.roles ?? []), ...roles])];
  writeTrust(
    db,
    { did, node, userId, roles: all, how: 'ticket', at },
    new Map(Object.entries(readNode(db, did)?.seqs ?? {})),
  );
}

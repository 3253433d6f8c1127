import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { parseDid, type Did } from '../../domain/fleet/did.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { canonicalJson } from '../../matrix/content.ts';

/**
 * All that a machine needs to join: where, who invites, and a secret that proves to the inviter that it was really given this
 * ticket. Whoever has it can join once, until it expires: it is passed on as a password is.
 */
export interface Ticket {
  readonly id: string;
  readonly secret: string;
  readonly homeserver: string;
  readonly room: string;
  /** Who invites: trusted by whoever joins, because it gave the ticket. */
  readonly node: string;
  readonly did: Did;
  readonly userId: string;
  readonly deviceId: string;
  /** By the inviter's clock, which alone decides. */
  readonly expiresAt: number;
  /** An account made for whoever joins, on a private homeserver. */
  readonly account: { readonly user: string; readonly password: string } | null;
}

const prefix = 'cis1-';

export function newTicketKeys(): Pick<Ticket, 'id' | 'secret'> {
  return { id: randomBytes(9).toString('base64url'), secret: randomBytes(32).toString('base64url') };
}

export function renderTicket(ticket: Ticket): string {
  const { id, secret, homeserver, room, node, did, userId, deviceId, expiresAt, account } = ticket;
  const words = { i: id, s: secret, h: homeserver, r: room, n: node, k: did, u: userId, d: deviceId, e: expiresAt };
  const all = account === null ? words : { ...words, a: account.user, p: account.password };
  return prefix + Buffer.from(JSON.stringify(all)).toString('base64url');
}

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1000));

/** It is shown: no letter of it moves a cursor. */
const shown = v.pipe(text, v.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u));

const wire = v.object({
  i: text,
  s: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
  h: v.pipe(text, v.url()),
  r: v.pipe(text, v.startsWith('!'), v.regex(/^\S+$/)),
  n: shown,
  k: text,
  u: v.pipe(text, v.startsWith('@'), v.regex(/^\S+$/)),
  d: shown,
  e: v.pipe(v.number(), v.safeInteger()),
  a: v.optional(text),
  p: v.optional(text),
});

export function parseTicket(given: string): Result<Ticket, string> {
  const body = given.trim();
  if (!body.startsWith(prefix)) return err(`a ticket begins with ${prefix}: it is what \`cis node invite\` prints`);
  const words = readWords(body.slice(prefix.length));
  if (words === null) return err('the ticket is damaged: copy all of it');
  const did = parseDid(words.k);
  if (!did.ok) return did;
  return ok({
    id: words.i,
    secret: words.s,
    homeserver: words.h,
    room: words.r,
    node: words.n,
    did: did.value,
    userId: words.u,
    deviceId: words.d,
    expiresAt: words.e,
    account: words.a === undefined || words.p === undefined ? null : { user: words.a, password: words.p },
  });
}

function readWords(encoded: string): v.InferOutput<typeof wire> | null {
  try {
    const parsed = v.safeParse(wire, JSON.parse(Buffer.from(encoded, 'base64url').toString()));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** What both sides know of a join; none of it can be exchanged without the secret. */
export interface ProofWords {
  readonly ticket: string;
  readonly inviter: Did;
  readonly joiner: Did;
  readonly room: string;
  readonly purpose: 'join' | 'welcome';
}

export function proofOf(secret: string, words: ProofWords): string {
  return createHmac('sha256', Buffer.from(secret, 'base64url')).update(canonicalJson(words)).digest('base64url');
}

export function isProof(secret: string, words: ProofWords, given: string): boolean {
  const right = Buffer.from(proofOf(secret, words));
  const other = Buffer.from(given);
  return right.length === other.length && timingSafeEqual(right, other);
}

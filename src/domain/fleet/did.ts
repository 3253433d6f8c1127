import { err, ok, type Result } from '../result.ts';

declare const brand: unique symbol;

/** A node's public key as a name: `did:key:z6Mk…` (Ed25519). Nobody else can sign as it, whatever they call themselves. */
export type Did = string & { readonly [brand]: 'Did' };

/** 32 bytes after the two of the multicodec are 48 characters of base58; the first ones are always `6Mk`. */
const ED25519_DID = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/;

/** Looks at the shape only; whether the letters are a key says `federation/identity.ts`. */
export function parseDid(text: string): Result<Did, string> {
  if (ED25519_DID.test(text)) return ok(text as Did);
  return err(`"${text.slice(0, 80)}" is not a node's key: did:key:z6Mk… of an Ed25519 key`);
}

/** What two people compare by voice: the last characters, in groups. The first are alike in all keys. */
export function fingerprintOf(did: Did): string {
  return (did.slice(-16).match(/.{4}/g) ?? []).join(' ');
}

/** Text of another machine as it may be shown: a name must not move a cursor, nor turn the line around. */
export function tameText(text: string, most = 200): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .slice(0, most)
    .toWellFormed();
}

import { createHash } from 'node:crypto';
import { parseDid, type Did } from '../domain/fleet/did.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { canonicalJson, checkContent } from '../matrix/content.ts';
import { contentVersion } from '../matrix/events/schema.ts';
import { isObject, type JsonObject } from '../matrix/http.ts';
import { isSignedBy, type Identity } from './identity.ts';

/** The lane of to-device messages; of others it is the room. */
export const deviceLane = 'to-device';

/** What a signature says beside the content. All of it is signed, with the type of the event. */
export interface SignatureWords {
  readonly did: Did;
  /** The room, or `to-device`: taken to another room the event is nothing. */
  readonly room_id: string;
  /** Whose account sends it: under another's name it is nothing. */
  readonly user_id: string;
  /** The sender's counter in this lane, see `domain/fleet/freshness.ts`. */
  readonly seq: number;
  /** Of everything that is signed: tells what was altered on the way from what the key never signed. */
  readonly sha256: string;
  readonly ed25519: string;
}

export interface ToSign {
  readonly type: string;
  /** The room, or `deviceLane`. */
  readonly room: string;
  readonly userId: string;
  readonly seq: number;
  readonly content: JsonObject;
}

/**
 * Returns the content with `v` and `signature`. An error when it cannot be sent (floats, too large). Cleans first: what is signed
 * must be what arrives, and a room changes lone surrogates.
 */
export function signContent(
  identity: Identity,
  { type, room, userId, seq, content }: ToSign,
): Result<JsonObject, string> {
  const cleaned = checkContent({ v: contentVersion, ...content });
  if (!cleaned.ok) return cleaned;
  const words = { did: identity.did, room_id: room, user_id: userId, seq };
  const digest = digestOf(type, cleaned.value, words);
  const signature = {
    ...words,
    sha256: digest.toString('base64url'),
    ed25519: identity.sign(digest),
  };
  return checkContent({ ...cleaned.value, signature });
}

function digestOf(type: string, content: JsonObject, words: JsonObject): Buffer {
  const { signature: _, ...rest } = content;
  return createHash('sha256')
    .update(canonicalJson({ ...rest, signature: words, type }))
    .digest();
}

/** An event as it came from the homeserver (decrypted, if it was encrypted). */
export interface Received {
  readonly type: string;
  readonly room: string;
  /** By the homeserver. */
  readonly sender: string;
  readonly content: JsonObject;
}

export interface Signed {
  readonly did: Did;
  readonly userId: string;
  readonly seq: number;
}

/** Why a signed event is not taken. `kind` is for tests, counters and logs; `message` for people. */
export interface Rejection {
  readonly kind: RejectionKind;
  readonly message: string;
}

export type RejectionKind =
  | 'unsigned'
  | 'malformed'
  | 'unknown-version'
  | 'wrong-room'
  | 'wrong-sender'
  | 'altered'
  | 'forged'
  // By what is known of the sender: `trust.ts`.
  | 'untrusted'
  | 'wrong-user'
  | 'replayed'
  | 'very-old'
  | 'reordered';

/**
 * Checks that the event says what its key's owner said, here and under this account. Whether the owner is trusted, and whether it
 * was said before, is asked afterwards (`admit` in `trust.ts`). A newer version is refused: nobody acts on what he half understands.
 */
export function verifyContent({ type, room, sender, content }: Received): Result<Signed, Rejection> {
  const version = content['v'];
  if (version !== contentVersion) {
    return reject('unknown-version', `its version is ${String(version)}; this cis acts on ${contentVersion} only`);
  }
  const words = readSignature(content['signature']);
  if (!words.ok) return words;
  const { did, room_id, user_id, seq, sha256, ed25519 } = words.value;
  const digest = digestOf(type, content, { did, room_id, user_id, seq });
  if (!isSignedBy(did, Buffer.from(sha256, 'base64url'), ed25519)) return reject('forged', `${did} did not sign it`);
  if (digest.toString('base64url') !== sha256) return reject('altered', `it is not what ${did} signed`);
  if (room_id !== room) return reject('wrong-room', `it was signed for ${room_id}, not for ${room}`);
  if (user_id !== sender) return reject('wrong-sender', `${sender} sent it; it was signed for ${user_id}`);
  return ok({ did, userId: user_id, seq });
}

function reject(kind: RejectionKind, message: string): { readonly ok: false; readonly error: Rejection } {
  return err({ kind, message });
}

function readSignature(raw: unknown): Result<SignatureWords, Rejection> {
  if (raw === undefined) return reject('unsigned', 'it is not signed');
  if (!isObject(raw)) return reject('malformed', 'its signature is malformed');
  const { room_id, user_id, seq, sha256, ed25519 } = raw;
  const did = parseDid(String(raw['did']));
  if (!did.ok) return reject('malformed', did.error);
  if (typeof room_id !== 'string' || typeof user_id !== 'string' || typeof sha256 !== 'string') {
    return reject('malformed', 'its signature is incomplete');
  }
  if (typeof ed25519 !== 'string' || typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) {
    return reject('malformed', 'its signature is incomplete');
  }
  return ok({ did: did.value, room_id, user_id, seq, sha256, ed25519 });
}

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { Did } from '../../domain/fleet/did.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { canonicalJson } from '../../matrix/content.ts';
import { isSignedBy, type Identity } from '../identity.ts';
import type { PacketOf } from './packet.ts';

/**
 * How two nodes come to keys that nobody else has. Each makes an X25519 key for this channel alone and signs it with its Ed25519
 * key, the answer together with the question. So both know whom they talk to, the homeservers and whoever gets a node's keys later
 * cannot read it, and what is sent again opens nothing: the answer has a key that the replayer has not.
 */
export interface Asked {
  readonly packet: PacketOf<'open'>;
  readonly privateKey: KeyObject;
}

/** Keys of one side of a channel: for what it sends and for what it gets. */
export interface ChannelKeys {
  readonly send: Buffer;
  readonly receive: Buffer;
}

export function ask(identity: Identity, to: Did, device: string): Asked {
  const pair = generateKeyPairSync('x25519');
  const unsigned = {
    k: 'open',
    c: randomBytes(16).toString('base64url'),
    from: identity.did,
    to,
    key: rawKey(pair.publicKey),
    device,
  } as const;
  return { packet: { ...unsigned, sig: identity.sign(bytesOf([unsigned])) }, privateKey: pair.privateKey };
}

/** Whether the packet was signed by whom it names, for us. */
export function isAskedOf(identity: Identity, packet: PacketOf<'open'>): boolean {
  const { sig, ...unsigned } = packet;
  return packet.to === identity.did && isSignedBy(packet.from as Did, bytesOf([unsigned]), sig);
}

export function accept(
  identity: Identity,
  open: PacketOf<'open'>,
): Result<{ readonly packet: PacketOf<'accept'>; readonly keys: ChannelKeys }, string> {
  const pair = generateKeyPairSync('x25519');
  const unsigned = { k: 'accept', c: open.c, from: identity.did, to: open.from, key: rawKey(pair.publicKey) } as const;
  const said = bytesOf([open, unsigned]);
  const shared = agree(pair.privateKey, open.key);
  if (!shared.ok) return shared;
  const { asker, answerer } = derive(shared.value, said);
  return ok({
    packet: { ...unsigned, sig: identity.sign(said) },
    keys: { send: answerer, receive: asker },
  });
}

/** A refusal is signed as well: nobody else may turn people away. */
export function refuse(identity: Identity, open: PacketOf<'open'>, reason: string): PacketOf<'refuse'> {
  const cut = reason.toWellFormed().slice(0, 500);
  const unsigned = { k: 'refuse', c: open.c, from: identity.did, to: open.from, reason: cut } as const;
  return { ...unsigned, sig: identity.sign(bytesOf([open, unsigned])) };
}

/** Whether the answer is of whom we asked, to what we asked. */
export function isAnswerTo({ packet: open }: Asked, answer: PacketOf<'accept'> | PacketOf<'refuse'>): boolean {
  const { sig, ...unsigned } = answer;
  if (answer.c !== open.c || answer.from !== open.to || answer.to !== open.from) return false;
  return isSignedBy(open.to as Did, bytesOf([open, unsigned]), sig);
}

/** The asker's keys; `answer` was found to be one. */
export function finish(asked: Asked, answer: PacketOf<'accept'>): Result<ChannelKeys, string> {
  const { sig: _, ...unsigned } = answer;
  const shared = agree(asked.privateKey, answer.key);
  if (!shared.ok) return shared;
  const { asker, answerer } = derive(shared.value, bytesOf([asked.packet, unsigned]));
  return ok({ send: asker, receive: answerer });
}

/** Seals one packet's content. A number is used once with a key, which is of one direction of one channel. */
export function seal(key: Buffer, channel: string, n: number, plain: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(n));
  cipher.setAAD(Buffer.from(channel));
  const sealed = [cipher.update(plain), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat(sealed).toString('base64url');
}

export function unseal(key: Buffer, channel: string, n: number, body: string): Buffer | null {
  const sealed = Buffer.from(body, 'base64url');
  if (sealed.length < tagBytes) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(n), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(channel));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
  } catch {
    return null;
  }
}

const tagBytes = 16;

function nonceOf(n: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(n), 4);
  return nonce;
}

function bytesOf(said: readonly object[]): Buffer {
  return Buffer.from(`cis.rpc 1\n${canonicalJson(said)}`);
}

function rawKey(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x ?? '';
}

/** Fails for the few points that give everybody the same secret. */
function agree(privateKey: KeyObject, theirs: string): Result<Buffer, string> {
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: theirs }, format: 'jwk' });
    return ok(diffieHellman({ privateKey, publicKey }));
  } catch {
    return err('its key is none');
  }
}

function derive(shared: Buffer, said: Buffer): { readonly asker: Buffer; readonly answerer: Buffer } {
  const salt = createHash('sha256').update(said).digest();
  const both = Buffer.from(hkdfSync('sha256', shared, salt, 'cis.rpc 1 keys', 64));
  return { asker: both.subarray(0, 32), answerer: both.subarray(32) };
}

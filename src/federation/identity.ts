import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
} from 'node:crypto';
import { chmodSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import { makePrivateDir } from '../config/private-dir.ts';
import { parseDid, type Did } from '../domain/fleet/did.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { fromBase58, toBase58 } from './base58.ts';
import { identityFile } from './in-fleet.ts';

/** Who this home is to other nodes: whoever has the private keys is it. */
export interface Identity {
  readonly did: Did;
  /** Ed25519 over bytes; base64url without padding. */
  readonly sign: (bytes: Uint8Array) => string;
  /** X25519: what others seal messages to this node with (its public part is in every heartbeat). */
  readonly seal: { readonly publicKey: string; readonly privateKey: KeyObject };
}

/** The multicodec of an Ed25519 public key, as a varint. */
const ed25519Prefix = Uint8Array.from([0xed, 0x01]);

/** Reads the keys of this home; the first call makes them. Two processes that start at once get the same ones. */
export function openIdentity(home: Pick<Home, 'dir'>): Identity {
  return readIdentity(home) ?? makeIdentity(home);
}

/** Null when this home has no keys yet. A file that others may read is closed to them; one that is damaged is an error. */
export function readIdentity(home: Pick<Home, 'dir'>): Identity | null {
  const path = identityFile(home);
  const text = readIfThere(path);
  if (text === null) return null;
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  try {
    const raw = JSON.parse(text) as Record<string, unknown>;
    return identityFrom(String(raw['ed25519']), String(raw['x25519']));
  } catch (cause) {
    const hint = 'move it away to become a new node, which others must then trust anew';
    throw new Error(`${path} is damaged (${hint})`, { cause });
  }
}

function makeIdentity(home: Pick<Home, 'dir'>): Identity {
  const path = identityFile(home);
  makePrivateDir(join(home.dir, 'node'));
  const keys = { ed25519: newKey('ed25519'), x25519: newKey('x25519') };
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    // Unlike a rename it leaves the file of a process that was faster.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const made = readIdentity(home);
  if (made === null) throw new Error(`${path} vanished while it was written`);
  return made;
}

function newKey(type: 'ed25519' | 'x25519'): string {
  const pair = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  return pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
}

function identityFrom(ed25519: string, x25519: string): Identity {
  const signing = privateKey(ed25519, 'ed25519');
  const sealing = privateKey(x25519, 'x25519');
  return {
    did: didOf(rawPublic(signing)),
    sign: (bytes) => signBytes(null, bytes, signing).toString('base64url'),
    seal: { publicKey: Buffer.from(rawPublic(sealing)).toString('base64url'), privateKey: sealing },
  };
}

function privateKey(base64: string, type: 'ed25519' | 'x25519'): KeyObject {
  const key = createPrivateKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'pkcs8' });
  if (key.asymmetricKeyType !== type) throw new Error(`not an ${type} key`);
  return key;
}

function rawPublic(key: KeyObject): Uint8Array {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url');
}

export function didOf(rawEd25519: Uint8Array): Did {
  const did = parseDid(`did:key:z${toBase58(Buffer.concat([ed25519Prefix, rawEd25519]))}`);
  if (!did.ok) throw new Error(did.error);
  return did.value;
}

/** The key that a did stands for; an error when its letters are no Ed25519 key. */
export function keyOf(did: Did): Result<KeyObject, string> {
  const bytes = fromBase58(did.slice('did:key:z'.length));
  if (bytes === null || bytes.length !== 34 || bytes[0] !== ed25519Prefix[0] || bytes[1] !== ed25519Prefix[1]) {
    return err(`${did} is no Ed25519 key`);
  }
  const x = Buffer.from(bytes.subarray(2)).toString('base64url');
  try {
    return ok(createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
  } catch {
    return err(`${did} is no Ed25519 key`);
  }
}

/** Whether `did` signed these bytes. */
export function isSignedBy(did: Did, bytes: Uint8Array, signature: string): boolean {
  const key = keyOf(did);
  if (!key.ok) return false;
  const raw = Buffer.from(signature, 'base64url');
  // Node takes other spellings of the same bytes too; one message must not have two.
  if (raw.length !== 64 || raw.toString('base64url') !== signature) return false;
  return verifyBytes(null, bytes, key.value, raw);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

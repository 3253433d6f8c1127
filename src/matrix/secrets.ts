import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { err, ok, type Result } from '../domain/result.ts';
import { isObject, textOf } from './http.ts';
import type { OAuthSession } from './oauth.ts';

/** Files of `$CIS_HOME/matrix`, a directory only its owner may enter. */
export interface MatrixFiles {
  readonly dir: string;
  /** Homeserver, user, device and access token. Not in the database, which people copy and send around. */
  readonly account: string;
  /** The device's keys. */
  readonly crypto: string;
  /** 32 bytes that the keys are encrypted with; beside the store, not in it. */
  readonly storeKey: string;
  /** A private homeserver, made by `cis matrix up`. */
  readonly homeserver: string;
}

export function matrixFiles(homeDir: string): MatrixFiles {
  const dir = join(homeDir, 'matrix');
  return {
    dir,
    account: join(dir, 'account.json'),
    crypto: join(dir, 'crypto.db'),
    storeKey: join(dir, 'store.key'),
    homeserver: join(dir, 'homeserver'),
  };
}

/** A device that is logged in. */
export interface Account {
  readonly homeserver: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
  /** Of a login by OAuth 2.0, whose access tokens are short-lived: what renews them. */
  readonly oauth?: OAuthSession;
}

export function writeAccount(files: MatrixFiles, account: Account): void {
  writePrivate(files.account, `${JSON.stringify(account, null, 2)}\n`);
}

/** The account of this home, null when nobody is logged in, or why the file cannot be used. */
export function readAccount(files: MatrixFiles): Result<Account | null, string> {
  const text = readIfThere(files.account);
  if (text === null) return ok(null);
  try {
    const raw: unknown = JSON.parse(text);
    if (isObject(raw)) {
      const account = {
        homeserver: textOf(raw['homeserver'], ''),
        userId: textOf(raw['userId'], ''),
        deviceId: textOf(raw['deviceId'], ''),
        accessToken: textOf(raw['accessToken'], ''),
      };
      const oauth = readOAuth(raw['oauth']);
      const isWhole = Object.values(account).every((value) => value !== '') && oauth !== null;
      if (isWhole) return ok(oauth === undefined ? account : { ...account, oauth });
    }
  } catch {
    // Said below.
  }
  return err(`${files.account} is damaged: log in again with 'cis matrix login'`);
}

/** Undefined: there is none; null: it is damaged. */
function readOAuth(raw: unknown): OAuthSession | null | undefined {
  if (raw === undefined) return undefined;
  if (!isObject(raw)) return null;
  const [clientId, tokenEndpoint, refreshToken] = [
    textOf(raw['clientId'], ''),
    textOf(raw['tokenEndpoint'], ''),
    textOf(raw['refreshToken'], ''),
  ] as const;
  if (clientId === '' || tokenEndpoint === '' || refreshToken === '') return null;
  const revocation = textOf(raw['revocationEndpoint'], '');
  return { clientId, tokenEndpoint, refreshToken, revocationEndpoint: revocation === '' ? null : revocation };
}

/** Forgets the token; with `keys` also the device's keys, for a device that never comes back. */
export function removeAccount(files: MatrixFiles): void {
  for (const path of [files.account, files.crypto, `${files.crypto}-wal`, `${files.crypto}-shm`, files.storeKey]) {
    rmSync(path, { force: true });
  }
}

/** The key the store is encrypted with, made at the first call. */
export function storeKey(files: MatrixFiles): Uint8Array {
  const there = readIfThere(files.storeKey);
  const bytes = there === null ? Buffer.alloc(0) : Buffer.from(there.trim(), 'base64');
  if (bytes.length === 32) return bytes;
  if (there !== null)
    throw new Error(`${files.storeKey} is damaged: the keys of this device cannot be opened without it`);
  const made = randomBytes(32);
  writePrivate(files.storeKey, `${made.toString('base64')}\n`);
  return made;
}

/** Writes a file only its owner can read, whole or not at all. */
export function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  chmodSync(dirname(path), 0o700);
  const draft = `${path}.${process.pid}.new`;
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

import { openHttp, type Http } from '../matrix/http.ts';
import type { OpenCrypto } from '../matrix/crypto/machine.ts';
import { openRooms } from '../matrix/rooms.ts';
import { storeKey, type Account, type MatrixFiles } from '../matrix/secrets.ts';
import { credentialsOf } from '../matrix/token.ts';
import { openTransport, type WakeableTransport } from '../matrix/transport.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { Db } from '../storage/open.ts';
import { storeOn } from './store.ts';

/** The device of this home, ready to sync and send. */
export interface Connection {
  readonly transport: WakeableTransport;
  readonly crypto: OpenCrypto;
  readonly http: Http;
}

export type ConnectError = { readonly kind: 'locked' | 'damaged'; readonly detail: string };

/**
 * Opens the device with its keys. It always opens them, also for plain rooms: a sync hands keys out once, and whoever syncs
 * without a store throws them away. The lock on the store is what keeps two processes from being the same device.
 */
export async function connectDevice(
  files: MatrixFiles,
  account: Account,
  db: Db,
): Promise<Result<Connection, ConnectError>> {
  const { openCrypto } = await import('../matrix/crypto/machine.ts');
  const { describePersistError } = await import('../matrix/crypto/persist.ts');
  const http = openHttp(account.homeserver, credentialsOf(files, account));
  const rooms = openRooms(http);
  const { userId, deviceId } = account;
  const crypto = await openCrypto({ path: files.crypto, storeKey: storeKey(files), userId, deviceId, http, rooms });
  if (!crypto.ok) return err({ kind: crypto.error.kind, detail: describePersistError(crypto.error) });
  const transport = openTransport({ userId, deviceId, http, rooms, store: storeOn(db), crypto: crypto.value });
  return ok({ transport, crypto: crypto.value, http });
}

import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import { textOf, type Http, type JsonObject } from '../http.ts';
import { userId, type OpenCrypto } from './machine.ts';
import { sendOne } from './requests.ts';

export type CrossSigning =
  /** This device is vouched for by its account. */
  | { readonly kind: 'signed' }
  /** The account has an identity that another of its devices holds: that one must verify this device. */
  | { readonly kind: 'needs-verification' }
  /** The homeserver wants the password for it. */
  | { readonly kind: 'needs-password' };

/**
 * Gives the account a cross-signing identity when it has none, and signs this device with it, so that no client shows a
 * warning. An identity that exists is never replaced: everybody who verified it would be alarmed.
 */
export async function ensureCrossSigning(
  crypto: OpenCrypto,
  http: Http,
  password: string | null,
): Promise<Result<CrossSigning, MatrixFailure>> {
  const known = await refreshOwnKeys(crypto, http);
  if (!known.ok) return known;
  if (await isSigned(crypto)) return ok({ kind: 'signed' });
  const own = await crypto.machine.getIdentity(crypto.machine.userId);
  const status = await crypto.machine.crossSigningStatus();
  if (own !== undefined && !status.hasSelfSigning) return ok({ kind: 'needs-verification' });
  return bootstrap(crypto, http, password);
}

/** True when the account's own identity signed this device. */
async function isSigned(crypto: OpenCrypto): Promise<boolean> {
  const { machine } = crypto;
  const device = await machine.getDevice(machine.userId, machine.deviceId);
  return device?.isCrossSignedByOwner() ?? false;
}

async function bootstrap(
  crypto: OpenCrypto,
  http: Http,
  password: string | null,
): Promise<Result<CrossSigning, MatrixFailure>> {
  const requests = await crypto.machine.bootstrapCrossSigning(false);
  if (requests.uploadKeysRequest !== undefined) {
    const uploaded = await sendOne(crypto.machine, http, requests.uploadKeysRequest);
    if (!uploaded.ok) return uploaded;
  }
  const keys = await uploadSigningKeys(http, JSON.parse(requests.uploadSigningKeysRequest.body) as JsonObject, {
    user: crypto.machine.userId.toString(),
    password,
  });
  if (!keys.ok) return keys.error === 'needs-password' ? ok({ kind: 'needs-password' }) : err(keys.error);
  const signed = await sendOne(crypto.machine, http, requests.uploadSignaturesRequest);
  if (!signed.ok) return signed;
  const known = await refreshOwnKeys(crypto, http);
  return known.ok ? ok({ kind: 'signed' }) : known;
}

/** A first identity needs no password on most servers; a second one does. */
async function uploadSigningKeys(
  http: Http,
  body: JsonObject,
  who: { readonly user: string; readonly password: string | null },
): Promise<Result<void, MatrixFailure | 'needs-password'>> {
  const path = '/_matrix/client/v3/keys/device_signing/upload';
  const first = await http.json({ method: 'POST', path, body });
  if (first.ok) return ok(undefined);
  const { error } = first;
  if (error.kind !== 'refused' || error.status !== 401) return err(error);
  if (who.password === null) return err('needs-password');
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: who.user },
    password: who.password,
    session: textOf(error.body['session'], ''),
  };
  const second = await http.json({ method: 'POST', path, body: { ...body, auth } });
  return second.ok ? ok(undefined) : second;
}

/** Asks the server for the account's own keys, so that what is decided rests on what is there now. */
async function refreshOwnKeys(crypto: OpenCrypto, http: Http): Promise<Result<void, MatrixFailure>> {
  const flushed = await crypto.flush();
  if (!flushed.ok) return flushed;
  const query = crypto.machine.queryKeysForUsers([userId(crypto.machine.userId.toString())]);
  return sendOne(crypto.machine, http, query);
}

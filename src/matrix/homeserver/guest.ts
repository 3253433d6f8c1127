import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import { isObject, openHttp, textOf } from '../http.ts';
import { writePrivate, type Account } from '../secrets.ts';
import { liftRateLimit, registerUser } from './admin.ts';
import { readState } from './synapse.ts';

export interface Guest {
  readonly userId: string;
  readonly password: string;
}

/** Makes an account with lifted limits on the private homeserver in `dir`. Null: `homeserver` is not that one. */
export async function registerGuest(dir: string, homeserver: string): Promise<Result<Guest, MatrixFailure> | null> {
  const state = readState(dir);
  if (state === null || homeserver !== `http://127.0.0.1:${state.port}`) return null;
  const admin = await adminOf(dir, homeserver, state.registrationSecret);
  if (!admin.ok) return admin;
  const password = randomBytes(18).toString('base64url');
  const name = `node-${randomBytes(4).toString('hex')}`;
  const made = await registerUser(homeserver, state.registrationSecret, { name, password, admin: false });
  if (!made.ok) return made;
  const { userId } = made.value;
  const lifted = await liftRateLimit(admin.value, userId);
  if (!lifted.ok) return lifted;
  // The device of the registration is nobody's: whoever joins logs in with one of its own.
  await openHttp(homeserver, made.value.accessToken).json({
    method: 'POST',
    path: '/_matrix/client/v3/logout',
    body: {},
  });
  return ok({ userId, password });
}

/** The administrator of `cis matrix up` is not kept; this one is, for guests. */
async function adminOf(dir: string, homeserver: string, secret: string): Promise<Result<Account, MatrixFailure>> {
  const path = join(dir, 'guests.json');
  const kept = readAdmin(path);
  if (kept !== null) return ok({ ...kept, homeserver });
  const name = `cis-guests-${randomBytes(4).toString('hex')}`;
  const made = await registerUser(homeserver, secret, {
    name,
    password: randomBytes(18).toString('base64url'),
    admin: true,
  });
  if (!made.ok) return err(made.error);
  writePrivate(path, `${JSON.stringify(made.value, null, 2)}\n`);
  return made;
}

function readAdmin(path: string): Account | null {
  try {
    const raw: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isObject(raw)) return null;
    const text = (name: string): string => textOf(raw[name], '');
    const account = {
      homeserver: text('homeserver'),
      userId: text('userId'),
      deviceId: text('deviceId'),
      accessToken: text('accessToken'),
    };
    return Object.values(account).includes('') ? null : account;
  } catch {
    return null;
  }
}

/** Gives an account a password that nobody knows: the old one was in a ticket. Its devices stay logged in. */
export async function forgetPassword(account: Account, old: string): Promise<Result<void, MatrixFailure>> {
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: account.userId }, password: old };
  const answer = await openHttp(account.homeserver, account.accessToken).json({
    method: 'POST',
    path: '/_matrix/client/v3/account/password',
    body: { new_password: randomBytes(24).toString('base64url'), logout_devices: false, auth },
  });
  return answer.ok ? ok(undefined) : err(answer.error);
}

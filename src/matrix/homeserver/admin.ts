import { createHmac } from 'node:crypto';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import { openHttp, textOf } from '../http.ts';
import type { Account } from '../secrets.ts';

export interface NewUser {
  readonly name: string;
  readonly password: string;
  readonly admin: boolean;
}

/** Registers a user by the server's shared secret, which is not limited as logins are, and returns its first device. */
export async function registerUser(
  homeserver: string,
  secret: string,
  user: NewUser,
): Promise<Result<Account, MatrixFailure>> {
  const http = openHttp(homeserver, null);
  const path = '/_synapse/admin/v1/register';
  const nonce = await http.json({ method: 'GET', path });
  if (!nonce.ok) return nonce;
  const nonceText = textOf(nonce.value['nonce'], '');
  const parts = [nonceText, user.name, user.password, user.admin ? 'admin' : 'notadmin'];
  const mac = createHmac('sha1', secret).update(parts.join('\0')).digest('hex');
  const body = { nonce: nonceText, username: user.name, password: user.password, admin: user.admin, mac };
  const answer = await http.json({ method: 'POST', path, body });
  if (!answer.ok) return answer;
  const account = {
    homeserver,
    userId: textOf(answer.value['user_id'], ''),
    deviceId: textOf(answer.value['device_id'], ''),
    accessToken: textOf(answer.value['access_token'], ''),
  };
  return account.userId === '' ? err({ kind: 'bad-answer', detail: 'a registration without user_id' }) : ok(account);
}

/** Lifts the event limit of one user, at once; it needs an administrator's token. */
export async function liftRateLimit(admin: Account, userId: string): Promise<Result<void, MatrixFailure>> {
  const answer = await openHttp(admin.homeserver, admin.accessToken).json({
    method: 'POST',
    path: `/_synapse/admin/v1/users/${encodeURIComponent(userId)}/override_ratelimit`,
    body: { messages_per_second: 0, burst_count: 0 },
  });
  return answer.ok ? ok(undefined) : answer;
}

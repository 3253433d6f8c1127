import { openHttp } from '../../matrix/http.ts';
import {
  awaitDeviceLogin,
  beginDeviceLogin,
  findDeviceLogin,
  newDeviceId,
  registerClient,
  type OAuthServer,
  type Tokens,
} from '../../matrix/oauth.ts';
import type { Account } from '../../matrix/secrets.ts';
import { CommandError } from '../exit.ts';
import { orFail, whoAmI } from './context.ts';

/** Logs in by a code that a person confirms in a browser, on this machine or any other (RFC 8628). */
export async function loginWithCode(
  homeserver: string,
  deviceBefore: string | null,
  signal: AbortSignal,
): Promise<Account> {
  const server = orFail(await findDeviceLogin(openHttp(homeserver, null)), `cannot log in at ${homeserver}`);
  if (server === null) {
    throw new CommandError('refused', `${homeserver} does not offer a login by device code`, [
      'with a password: leave --device-code out',
      'by its web page: --sso',
      'with an access token of another client: --token-stdin',
    ]);
  }
  const clientId = orFail(await registerClient(server), 'cannot introduce cis to the login service');
  const wanted = deviceBefore ?? newDeviceId();
  const tokens = await confirmed(server, clientId, wanted, signal);
  const { userId, deviceId } = await whoAmI(openHttp(homeserver, tokens.accessToken));
  if (deviceId !== wanted)
    throw new CommandError('failed', `the login service made device "${deviceId}", not "${wanted}"`);
  const { accessToken, refreshToken } = tokens;
  const { tokenEndpoint, revocationEndpoint } = server;
  const account = { homeserver, userId, deviceId, accessToken };
  if (refreshToken === null) return account;
  return { ...account, oauth: { clientId, tokenEndpoint, revocationEndpoint, refreshToken } };
}

async function confirmed(
  server: OAuthServer,
  clientId: string,
  deviceId: string,
  signal: AbortSignal,
): Promise<Tokens> {
  const grant = orFail(await beginDeviceLogin(server, clientId, deviceId), 'cannot get a code');
  process.stderr.write(`open this address in a browser, on any machine:\n  ${printable(grant.link)}\n`);
  if (grant.userCode !== '')
    process.stderr.write(`and check that it shows, or type, the code ${printable(grant.userCode)}\n`);
  const end = orFail(await untilDecided(server, clientId, grant, signal), 'cannot log in');
  switch (end.kind) {
    case 'tokens':
      return end.tokens;
    case 'denied':
      throw new CommandError('refused', 'the login was denied in the browser');
    case 'expired':
      throw new CommandError('refused', 'the code was not confirmed in time', [
        'ask for a new one: the same command again',
      ]);
  }
}

async function untilDecided(...args: Parameters<typeof awaitDeviceLogin>): ReturnType<typeof awaitDeviceLogin> {
  try {
    return await awaitDeviceLogin(...args);
  } catch (error) {
    if (args[3].aborted) throw new CommandError('interrupted', 'interrupted');
    throw error;
  }
}

/** A service's words on a terminal: no escape sequences. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '');
}

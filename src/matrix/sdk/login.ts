import { createServer } from 'node:http';
import { ConnectionError, createClient, MatrixError, type MatrixClient } from 'matrix-js-sdk';
import type { Logger } from 'matrix-js-sdk/lib/logger.js';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import type { Account } from '../secrets.ts';

// matrix-js-sdk costs 220 ms and 40 MB to load: only `cis matrix login` imports this file.

export interface DeviceWish {
  readonly name: string;
  /** The device of an earlier login, whose keys are still here. */
  readonly deviceId: string | null;
}

/** The ways to log in that the homeserver offers: `m.login.password`, `m.login.sso`, … */
export async function loginFlows(homeserver: string): Promise<Result<readonly string[], MatrixFailure>> {
  return guarded(async () => (await client(homeserver).loginFlows()).flows.map((flow) => flow.type));
}

export async function loginWithPassword(
  homeserver: string,
  user: string,
  password: string,
  device: DeviceWish,
): Promise<Result<Account, MatrixFailure>> {
  return login(homeserver, device, { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password });
}

/**
 * Logs in by the homeserver's web page: `showLink` gets the address to open. The page sends the browser back to a port on
 * loopback, with a token that is good once.
 */
export async function loginWithSso(
  homeserver: string,
  device: DeviceWish,
  showLink: (link: string) => void,
  signal: AbortSignal,
): Promise<Result<Account, MatrixFailure>> {
  const token = await ssoToken((back) => showLink(client(homeserver).getSsoLoginUrl(back)), signal);
  if (token === null) return err({ kind: 'timeout', afterMs: ssoTimeoutMs });
  return login(homeserver, device, { type: 'm.login.token', token });
}

/** People take their time: passwords, second factors. */
const ssoTimeoutMs = 600_000;

function ssoToken(show: (back: string) => void, signal: AbortSignal): Promise<string | null> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(ssoTimeoutMs)]);
  return new Promise((resolve) => {
    const server = createServer((request, response) => {
      const token = new URL(request.url ?? '/', 'http://127.0.0.1').searchParams.get('loginToken');
      response.writeHead(token === null ? 404 : 200, {
        'Content-Type': 'text/plain; charset=utf-8',
        Connection: 'close',
      });
      response.end(token === null ? 'nothing here\n' : 'Logged in: go back to the terminal.\n');
      if (token !== null) finish(token);
    });
    const finish = (token: string | null): void => {
      server.close();
      resolve(token);
    };
    ends.addEventListener('abort', () => finish(null), { once: true });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      show(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`);
    });
  });
}

type LoginBody = Parameters<MatrixClient['loginRequest']>[0];

async function login(homeserver: string, device: DeviceWish, how: LoginBody): Promise<Result<Account, MatrixFailure>> {
  const wish = device.deviceId === null ? {} : { device_id: device.deviceId };
  return guarded(async () => {
    const answer = await client(homeserver).loginRequest({ ...how, ...wish, initial_device_display_name: device.name });
    return { homeserver, userId: answer.user_id, deviceId: answer.device_id, accessToken: answer.access_token };
  });
}

function client(homeserver: string): MatrixClient {
  return createClient({ baseUrl: homeserver, logger: quiet, fetchFn: fetchInTime });
}

/** The SDK's own timeout (`localTimeoutMs`) is never cleared and keeps the process alive until it fires; this one does not. */
const fetchInTime: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(30_000) });

/** The SDK throws; cis tells failures apart by kind. */
async function guarded<T>(work: () => Promise<T>): Promise<Result<T, MatrixFailure>> {
  try {
    return ok(await work());
  } catch (error) {
    return err(failureOf(error));
  }
}

function failureOf(error: unknown): MatrixFailure {
  if (error instanceof ConnectionError || !(error instanceof MatrixError)) {
    return { kind: 'offline', detail: error instanceof Error ? error.message : String(error) };
  }
  const errcode = error.errcode ?? 'M_UNKNOWN';
  const detail = typeof error.data.error === 'string' ? error.data.error : error.message;
  const status = error.httpStatus ?? 0;
  if (error.isRateLimitError()) return { kind: 'rate-limited', retryAfterMs: error.getRetryAfterMs() ?? 5000 };
  if (status >= 500) return { kind: 'server', status, gateway: status !== 500, detail };
  if (status === 403) return { kind: 'forbidden', errcode, detail };
  if (status === 404) return { kind: 'bad-answer', detail };
  return { kind: 'refused', status, errcode, detail, body: {} };
}

const nothing = (): void => {};
const quiet: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => quiet,
};

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import { isObject, textOf, type Http, type JsonObject } from './http.ts';

/** What a homeserver whose accounts live in an OAuth 2.0 service says of it (`auth_metadata`, RFC 8414). */
export interface OAuthServer {
  readonly deviceEndpoint: string;
  readonly tokenEndpoint: string;
  readonly registrationEndpoint: string;
  readonly revocationEndpoint: string | null;
}

/** What renews an access token. The refresh token is as secret as the access token, and changes with each use. */
export interface OAuthSession {
  readonly clientId: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint: string | null;
  readonly refreshToken: string;
}

/** What a person does in a browser, on whatever machine has one. */
export interface DeviceGrant {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly link: string;
  readonly intervalMs: number;
  readonly expiresInMs: number;
}

export interface Tokens {
  readonly accessToken: string;
  /** Null: the token lives until somebody ends it. */
  readonly refreshToken: string | null;
}

const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code';

/** The stable path of Matrix 1.15, and that of the proposal (MSC2965), which older servers have. */
const metadataPaths = ['/_matrix/client/v1/auth_metadata', '/_matrix/client/unstable/org.matrix.msc2965/auth_metadata'];

/** Finds where codes are to be had; null: this homeserver does not offer it. */
export async function findDeviceLogin(http: Http): Promise<Result<OAuthServer | null, MatrixFailure>> {
  for (const path of metadataPaths) {
    const answer = await http.json({ method: 'GET', path });
    if (answer.ok) return readMetadata(answer.value, http.homeserver);
    if (answer.error.kind !== 'not-found' && answer.error.kind !== 'refused') return answer;
  }
  return ok(null);
}

function readMetadata(metadata: JsonObject, homeserver: string): Result<OAuthServer | null, MatrixFailure> {
  const at = (name: string): string => textOf(metadata[name], '');
  const grants = metadata['grant_types_supported'];
  const offers = !Array.isArray(grants) || grants.includes(deviceGrantType);
  const [device, token, registration] = [
    at('device_authorization_endpoint'),
    at('token_endpoint'),
    at('registration_endpoint'),
  ] as const;
  if (device === '' || token === '' || registration === '' || !offers) return ok(null);
  const revocation = at('revocation_endpoint');
  const all = [device, token, registration, ...(revocation === '' ? [] : [revocation])];
  const wrong = all.find((url) => !isProtected(url, homeserver));
  if (wrong !== undefined) return err(bad(`${wrong} is not protected by TLS`));
  return ok({
    deviceEndpoint: device,
    tokenEndpoint: token,
    registrationEndpoint: registration,
    revocationEndpoint: revocation === '' ? null : revocation,
  });
}

/** Tokens go over TLS, unless the homeserver itself was given without, as one on loopback is. */
function isProtected(url: string, homeserver: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && homeserver.startsWith('http://'));
}

/** Introduces this program to the service (RFC 7591) and returns the id by which it is known there. */
export async function registerClient({ registrationEndpoint }: OAuthServer): Promise<Result<string, MatrixFailure>> {
  const answer = await post(
    registrationEndpoint,
    {
      'Content-Type': 'application/json',
    },
    JSON.stringify(clientMetadata),
  );
  if (!answer.ok) return answer;
  if (answer.value.status >= 400) return err(refusal(answer.value));
  const id = textOf(answer.value.body['client_id'], '');
  return id === '' ? err(bad('a registration without client_id')) : ok(id);
}

/** `client_uri` must be an https address; cis has no site, and `.invalid` is reserved for what never has one (RFC 2606). */
const clientMetadata = {
  client_name: 'cis',
  client_uri: 'https://cis.invalid/',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: [deviceGrantType, 'refresh_token'],
  response_types: [],
};

/** Begins a login of a device; its id is ours to choose. */
export async function beginDeviceLogin(
  server: OAuthServer,
  clientId: string,
  deviceId: string,
): Promise<Result<DeviceGrant, MatrixFailure>> {
  const scope = `urn:matrix:client:api:* urn:matrix:client:device:${deviceId}`;
  const answer = await postForm(server.deviceEndpoint, { client_id: clientId, scope });
  if (!answer.ok) return answer;
  const { body, status } = answer.value;
  if (status >= 400) return err(refusal(answer.value));
  const [deviceCode, userCode] = [textOf(body['device_code'], ''), textOf(body['user_code'], '')];
  const link = textOf(body['verification_uri_complete'], textOf(body['verification_uri'], ''));
  if (deviceCode === '' || link === '') return err(bad('an answer without device_code or verification_uri'));
  const intervalMs = Math.max(leastIntervalMs, secondsOf(body['interval'], 5) * 1000);
  return ok({ deviceCode, userCode, link, intervalMs, expiresInMs: secondsOf(body['expires_in'], 900) * 1000 });
}

/** Whatever a service says: nobody presses a button more often. */
const leastIntervalMs = 1000;

/** A name for a device as homeservers make them: ten capital letters. */
export function newDeviceId(): string {
  return Array.from({ length: 10 }, () => String.fromCharCode(65 + randomInt(26))).join('');
}

export type DeviceLoginEnd =
  | { readonly kind: 'tokens'; readonly tokens: Tokens }
  | { readonly kind: 'denied' }
  | { readonly kind: 'expired' };

/** Asks, as often as the service allows, until the person has decided (RFC 8628). A service that cannot be reached is asked again. */
export async function awaitDeviceLogin(
  { tokenEndpoint }: OAuthServer,
  clientId: string,
  grant: DeviceGrant,
  signal: AbortSignal,
): Promise<Result<DeviceLoginEnd, MatrixFailure>> {
  const until = performance.now() + grant.expiresInMs;
  let { intervalMs } = grant;
  const fields = { grant_type: deviceGrantType, device_code: grant.deviceCode, client_id: clientId };
  while (performance.now() < until) {
    await sleep(intervalMs, undefined, { signal });
    const answer = await postForm(tokenEndpoint, fields);
    if (!answer.ok) continue;
    const { status, body } = answer.value;
    if (status < 400) return asTokens(body);
    switch (body['error']) {
      case 'authorization_pending':
        break;
      case 'slow_down':
        intervalMs += 5000;
        break;
      case 'access_denied':
        return ok({ kind: 'denied' });
      case 'expired_token':
        return ok({ kind: 'expired' });
      default:
        return err(refusal(answer.value));
    }
  }
  return ok({ kind: 'expired' });
}

function asTokens(body: JsonObject): Result<DeviceLoginEnd, MatrixFailure> {
  const tokens = readTokens(body);
  return tokens.ok ? ok({ kind: 'tokens', tokens: tokens.value }) : tokens;
}

/** New tokens for an old refresh token; null: the service does not take that one any more, so somebody must log in. */
export async function refreshTokens(session: OAuthSession): Promise<Result<Tokens | null, MatrixFailure>> {
  const { tokenEndpoint, clientId, refreshToken } = session;
  const fields = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId };
  const answer = await postForm(tokenEndpoint, fields);
  if (!answer.ok) return answer;
  const { status, body } = answer.value;
  if (status < 400) return readTokens(body);
  if (status === 429 || status >= 500) return err({ kind: 'server', status, gateway: true, detail: detailOf(body) });
  return ok(null);
}

/** Ends a session at the service: both of its tokens are worth nothing then. */
export async function revokeSession(session: OAuthSession): Promise<Result<void, MatrixFailure>> {
  if (session.revocationEndpoint === null) return ok(undefined);
  const answer = await postForm(session.revocationEndpoint, {
    token: session.refreshToken,
    token_type_hint: 'refresh_token',
    client_id: session.clientId,
  });
  if (!answer.ok) return answer;
  return answer.value.status < 400 ? ok(undefined) : err(refusal(answer.value));
}

function readTokens(body: JsonObject): Result<Tokens, MatrixFailure> {
  const accessToken = textOf(body['access_token'], '');
  if (accessToken === '') return err(bad('an answer without access_token'));
  const refreshToken = textOf(body['refresh_token'], '');
  return ok({ accessToken, refreshToken: refreshToken === '' ? null : refreshToken });
}

function secondsOf(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : fallback;
}

interface Answer {
  readonly status: number;
  readonly body: JsonObject;
}

function postForm(url: string, fields: Readonly<Record<string, string>>): Promise<Result<Answer, MatrixFailure>> {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  return post(url, headers, new URLSearchParams(fields).toString());
}

/** The service is no homeserver: its errors have a form of their own, and it may lie elsewhere. */
async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<Result<Answer, MatrixFailure>> {
  try {
    const signal = AbortSignal.timeout(30_000);
    const sent = { method: 'POST', headers: { ...headers, Accept: 'application/json' }, body, signal };
    const response = await fetch(url, { ...sent, redirect: 'error' });
    const said = await response.text();
    return ok({ status: response.status, body: parse(said) });
  } catch (error) {
    const cause: unknown = error instanceof Error ? (error.cause ?? error) : error;
    return err({ kind: 'offline', detail: cause instanceof Error ? cause.message : String(cause) });
  }
}

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function refusal({ status, body }: Answer): MatrixFailure {
  const errcode = textOf(body['error'], 'unknown');
  if (status >= 500) return { kind: 'server', status, gateway: true, detail: detailOf(body) };
  return { kind: 'refused', status, errcode, detail: detailOf(body), body: {} };
}

function detailOf(body: JsonObject): string {
  return textOf(body['error_description'], textOf(body['error'], 'no reason given'));
}

function bad(detail: string): MatrixFailure {
  return { kind: 'bad-answer', detail };
}

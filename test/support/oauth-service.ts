import { randomBytes } from 'node:crypto';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A homeserver whose accounts live in an OAuth 2.0 service: a real Synapse behind, and before it the few endpoints that such a
 * service has. Synapse has none of its own, and the real one needs a database server; what cis says to it is checked strictly here.
 */
export interface OAuthService extends AsyncDisposable {
  readonly url: string;
  /** What was asked of the service, one word each. */
  readonly asked: readonly string[];
  /** The person confirms, or denies, in the browser. */
  decide(how: 'confirm' | 'deny' | 'expire'): void;
  /** Resolves once somebody waits for the person. */
  readonly waiting: Promise<void>;
  /** Access tokens that were given out are no longer taken. */
  expireTokens(): void;
  /** No refresh token is taken any more. */
  endSession(): void;
}

export interface OAuthServiceOptions {
  /** The homeserver behind. */
  readonly target: string;
  /** A token of the account behind, made for the device that is asked for. */
  readonly tokenFor: (deviceId: string) => Promise<string>;
}

export async function openOAuthService({ target, tokenFor }: OAuthServiceOptions): Promise<OAuthService> {
  const asked: string[] = [];
  const waiting = Promise.withResolvers<void>();
  let decision: 'confirm' | 'deny' | 'expire' | null = null;
  let device = '';
  let behind: string | null = null;
  let valid = new Set<string>();
  let refreshToken = '';
  const clientId = 'client-7';
  let url = '';

  function json(response: ServerResponse, status: number, body: object): void {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  }

  function giveTokens(response: ServerResponse): void {
    const accessToken = `access-${randomBytes(4).toString('hex')}`;
    refreshToken = `refresh-${randomBytes(4).toString('hex')}`;
    valid.add(accessToken);
    json(response, 200, {
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: 300,
    });
  }

  async function token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const fail = (error: string): void => json(response, 400, { error });
    if (form.get('client_id') !== clientId) return fail('invalid_client');
    if (form.get('grant_type') === 'refresh_token') {
      asked.push('refresh');
      // Good once, as the specification of Matrix has it for public clients.
      return form.get('refresh_token') === refreshToken && refreshToken !== ''
        ? giveTokens(response)
        : fail('invalid_grant');
    }
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:device_code')
      return fail('unsupported_grant_type');
    if (form.get('device_code') !== 'secret-device-code') return fail('invalid_grant');
    waiting.resolve();
    if (decision === null) return fail('authorization_pending');
    if (decision !== 'confirm') return fail(decision === 'deny' ? 'access_denied' : 'expired_token');
    behind = await tokenFor(device);
    giveTokens(response);
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(incoming.url ?? '/', url).pathname;
    switch (path) {
      case '/_matrix/client/v1/auth_metadata':
        return json(response, 200, {
          issuer: `${url}/`,
          device_authorization_endpoint: `${url}/oauth/device`,
          token_endpoint: `${url}/oauth/token`,
          registration_endpoint: `${url}/oauth/register`,
          revocation_endpoint: `${url}/oauth/revoke`,
          grant_types_supported: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        });
      case '/oauth/register': {
        asked.push('register');
        const client = JSON.parse(await text(incoming)) as Record<string, unknown>;
        const isGood =
          String(client['client_uri']).startsWith('https://') && client['token_endpoint_auth_method'] === 'none';
        return isGood
          ? json(response, 201, { client_id: clientId })
          : json(response, 400, { error: 'invalid_client_metadata' });
      }
      case '/oauth/device': {
        asked.push('device');
        const form = new URLSearchParams(await text(incoming));
        const scope = (form.get('scope') ?? '').split(' ');
        device = /^urn:matrix:client:device:([A-Za-z0-9._~-]{10,})$/.exec(scope[1] ?? '')?.[1] ?? '';
        if (scope[0] !== 'urn:matrix:client:api:*' || device === '')
          return json(response, 400, { error: 'invalid_scope' });
        return json(response, 200, {
          device_code: 'secret-device-code',
          user_code: 'ABCD-1234',
          verification_uri: `${url}/link`,
          verification_uri_complete: `${url}/link?code=ABCD-1234`,
          expires_in: 60,
          interval: 0,
        });
      }
      case '/oauth/token':
        return token(new URLSearchParams(await text(incoming)), response);
      case '/oauth/revoke': {
        asked.push('revoke');
        const form = new URLSearchParams(await text(incoming));
        if (form.get('token') === refreshToken) valid = new Set();
        return json(response, 200, {});
      }
      default:
        return forward(incoming, response);
    }
  }

  function forward(incoming: IncomingMessage, response: ServerResponse): void {
    const headers = { ...incoming.headers };
    const given = headers.authorization?.replace('Bearer ', '');
    if (given !== undefined) {
      if (!valid.has(given))
        return json(response, 401, { errcode: 'M_UNKNOWN_TOKEN', error: 'expired', soft_logout: true });
      headers.authorization = `Bearer ${behind ?? ''}`;
    }
    const upstream = request(new URL(incoming.url ?? '/', target), { method: incoming.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    incoming.pipe(upstream);
    response.on('close', () => upstream.destroy());
  }

  const server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    waiting: waiting.promise,
    decide(how) {
      decision = how;
    },
    expireTokens() {
      valid = new Set();
    },
    endSession() {
      refreshToken = '';
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

import { createServer, type RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';

/** A server that answers wrongly on purpose: what a real Synapse does is shown by the other tests. */
async function served(listener: RequestListener): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const get = { method: 'GET', path: '/x' } as const;

test.each([
  [429, { retry_after_ms: 4710 }, { kind: 'rate-limited', retryAfterMs: 4710 }],
  [429, { retry_after_ms: -1 }, { kind: 'rate-limited', retryAfterMs: 5000 }],
  [401, { errcode: 'M_UNKNOWN_TOKEN' }, { kind: 'unauthorized' }],
  [401, { flows: [], session: 's' }, { kind: 'refused', status: 401 }],
  [403, { errcode: 'M_FORBIDDEN', error: 'not in room' }, { kind: 'forbidden', detail: 'not in room' }],
  [404, { errcode: 'M_NOT_FOUND' }, { kind: 'not-found' }],
  [413, { errcode: 'M_TOO_LARGE' }, { kind: 'too-large' }],
  [400, { errcode: 'M_BAD_JSON' }, { kind: 'refused', errcode: 'M_BAD_JSON' }],
  [500, {}, { kind: 'server', gateway: false }],
  [502, {}, { kind: 'server', gateway: true }],
])('an answer of %i with %j is a failure of its kind', async (status, body, failure) => {
  await using server = await served((_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  expect(await openHttp(server.url, null).json(get)).toMatchObject({ ok: false, error: failure });
});

test('the whole seconds of the header count when the body says nothing', async () => {
  await using server = await served((_, response) => void response.writeHead(429, { 'Retry-After': '7' }).end('busy'));
  expect(await openHttp(server.url, null).json(get)).toEqual({
    ok: false,
    error: { kind: 'rate-limited', retryAfterMs: 7000 },
  });
});

test('a web page is not taken for a homeserver, and a redirect is not followed with the token', async () => {
  const seen: string[] = [];
  await using other = await served((request, response) => {
    seen.push(String(request.headers.authorization));
    response.end('{}');
  });
  await using server = await served((request, response) => {
    if (request.url === '/x') response.end('<html>');
    else response.writeHead(302, { Location: `${other.url}/steal` }).end();
  });
  const http = openHttp(server.url, 'secret');
  expect(await http.json(get)).toMatchObject({ ok: false, error: { kind: 'bad-answer' } });
  expect(await http.json({ ...get, path: '/away' })).toMatchObject({ ok: false, error: { kind: 'offline' } });
  expect(seen).toEqual([]);
});

test('a server that never answers is given up, one that is gone is offline, one that floods is cut off', async () => {
  await using server = await served((request, response) => {
    if (request.url === '/x') return;
    response.end('x'.repeat(100_000));
  });
  const http = openHttp(server.url, null);
  expect(await http.json({ ...get, timeoutMs: 50 })).toEqual({ ok: false, error: { kind: 'timeout', afterMs: 50 } });
  expect(await http.bytes({ ...get, path: '/flood' }, 1000)).toMatchObject({ ok: false, error: { kind: 'too-large' } });
  await server[Symbol.asyncDispose]();
  expect(await http.json(get)).toMatchObject({ ok: false, error: { kind: 'offline' } });
});

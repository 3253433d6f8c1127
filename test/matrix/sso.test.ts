import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import type { Account } from '../../src/matrix/secrets.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld } from '../support/world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver({ login_via_existing_session: { enabled: true, require_ui_auth: false } });
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/**
 * The web page of a homeserver with single sign-on, at which this person is logged in already: it sends the browser on at once. The
 * token that it hands over and all that follows are the real Synapse's; only the page itself needs an identity provider.
 */
async function openWebLogin(person: Account): Promise<{ readonly url: string } & AsyncDisposable> {
  const page = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', server.url);
    if (url.pathname.endsWith('/login/sso/redirect')) {
      void loginToken(person).then((token) => {
        const back = new URL(url.searchParams.get('redirectUrl') ?? '');
        back.searchParams.set('loginToken', token);
        outgoing.writeHead(302, { Location: back.href }).end();
      });
      return;
    }
    if (url.pathname.endsWith('/login') && incoming.method === 'GET') {
      const flows = [{ type: 'm.login.sso' }, { type: 'm.login.token' }];
      outgoing.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ flows }));
      return;
    }
    const upstream = request(url, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => void page.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(page.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      page.closeAllConnections();
      await new Promise((resolve) => void page.close(resolve));
    },
  };
}

async function loginToken(person: Account): Promise<string> {
  const http = openHttp(person.homeserver, person.accessToken);
  const answer = await http.json({ method: 'POST', path: '/_matrix/client/v1/login/get_token', body: {} });
  return String(must(answer)['login_token']);
}

test('the web page of a homeserver logs in: the link is shown, the browser comes back with a token, once', async () => {
  await using world = openWorld();
  const person = await server.user('sofie');
  await using page = await openWebLogin(person);
  const login = world.terminal(['matrix', 'login', '--homeserver', page.url, '--sso'], { cols: 250 });
  const link = await login.waitFor((screen) => /http:\S*sso\/redirect\S*/.exec(screen)?.[0]);
  const back = new URL(link).searchParams.get('redirectUrl') ?? '';
  expect(new URL(back).hostname).toBe('127.0.0.1');
  expect((await fetch(back)).status).toBe(404);
  expect(await (await fetch(link)).text()).toBe('Logged in: go back to the terminal.\n');
  await login.waitForText(`logged in as ${person.userId}`);
  expect((await login.ended).code).toBe(0);
  const who = await world.cis(['matrix', 'whoami', '--json']);
  expect(JSON.parse(who.stdout)).toMatchObject({ user_id: person.userId });
  const password = await openWorldWithoutPassword(page.url);
  expect(password).toContain('log in by its web page: --sso');
});

async function openWorldWithoutPassword(url: string): Promise<string> {
  await using world = openWorld();
  const args = ['matrix', 'login', '--homeserver', url, '--user', 'sofie', '--password-stdin'];
  const ended = await world.cis(args, { stdin: 'x\n' });
  expect(ended.code).toBe(6);
  return ended.stderr;
}

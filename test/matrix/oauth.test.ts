import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import { credentialsOf } from '../../src/matrix/token.ts';
import { matrixFiles, readAccount, type Account } from '../../src/matrix/secrets.ts';
import { openStorage } from '../../src/storage/open.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openOAuthService, type OAuthService } from '../support/oauth-service.ts';
import { joinAs, makeRoom, message } from '../bridge/rooms.ts';
import { openWorld, type Ended, type World } from '../support/world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A service before the homeserver, for one user of it. */
async function serviceFor(name: string): Promise<OAuthService> {
  await server.user(name);
  return openOAuthService({ target: server.url, tokenFor: (device) => logIn(name, device) });
}

/** What the service does at its homeserver when a device was confirmed. */
async function logIn(name: string, device: string): Promise<string> {
  const answer = await openHttp(server.url, null).json({
    method: 'POST',
    path: '/_matrix/client/v3/login',
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: name },
      password: `${name}-password`,
      device_id: device,
    },
  });
  return String(must(answer)['access_token']);
}

async function login(world: World, service: OAuthService): Promise<Ended> {
  const ended = world.cis(['matrix', 'login', '--homeserver', service.url, '--device-code', '--json']);
  await Promise.race([service.waiting, ended]);
  service.decide('confirm');
  return ended;
}

const accountOf = (world: World): Account => {
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('not logged in');
  return account;
};

test('a code confirmed in a browser logs in; its tokens are kept 0600 and renewed by whoever needs one', async () => {
  await using world = openWorld();
  await using service = await serviceFor('dora');
  const ended = await login(world, service);
  expect(ended.stderr).toBe(
    `open this address in a browser, on any machine:\n  ${service.url}/link?code=ABCD-1234\nand check that it shows, or type, the code ABCD-1234\n`,
  );
  expect(ended.code).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ homeserver: service.url, signed: true });
  const path = matrixFiles(world.home.dir).account;
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const before = accountOf(world);
  expect(before.oauth?.refreshToken).toMatch(/^refresh-/);

  service.expireTokens();
  expect(JSON.parse((await world.cis(['matrix', 'whoami', '--json'])).stdout)).toMatchObject({
    user_id: before.userId,
  });
  const after = accountOf(world);
  expect(after.accessToken).not.toBe(before.accessToken);
  expect(after.oauth?.refreshToken).not.toBe(before.oauth?.refreshToken);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const log = readFileSync(world.home.database).toString('latin1');
  expect(log.includes(after.accessToken) || log.includes(String(after.oauth?.refreshToken))).toBe(false);

  expect((await world.cis(['matrix', 'logout', '--yes'])).code).toBe(0);
  expect(service.asked).toEqual(['register', 'device', 'refresh', 'revoke']);
});

test('many who need a new token at once use the refresh token once', async () => {
  await using world = openWorld();
  await using service = await serviceFor('emma');
  expect((await login(world, service)).code).toBe(0);
  const files = matrixFiles(world.home.dir);
  const account = accountOf(world);
  service.expireTokens();
  // Sources of their own, as several processes have them.
  const clients = Array.from({ length: 6 }, () => openHttp(service.url, credentialsOf(files, account)));
  const ask = { method: 'GET', path: '/_matrix/client/v3/account/whoami' } as const;
  const answers = await Promise.all(clients.flatMap((http) => [http.json(ask), http.json(ask)]));
  expect(answers.map((answer) => answer.ok)).toEqual(answers.map(() => true));
  expect(service.asked.filter((word) => word === 'refresh')).toHaveLength(1);
});

test(
  'a hybrid run outlives its access token; when the session is over it says so and the run goes on',
  { timeout: 60_000 },
  async () => {
    await using world = openWorld();
    await using service = await serviceFor('fred');
    expect((await login(world, service)).code).toBe(0);
    const db = must(openStorage(world.home.database));
    db.prepare('UPDATE matrix_device SET limit_json = NULL').run();
    db.close();
    const person = await server.user('flora');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using flora = await joinAs(person, room);
    const file = join(world.dir, 'dag.toml');
    const step = (id: string, after: string): string =>
      `[[dag.tasks]]\nid = "${id}"\n${after}level = { type = "confirmed" }\ncommand = "true"\n`;
    writeFileSync(file, `[dag]\nname = "d"\n${step('a', '')}${step('b', 'deps = ["a"]\n')}`);
    const env = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' };
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'r', '--flush'], { env });
    await flora.seen(message('a waits for you'));
    service.expireTokens();
    expect((await world.cis(['dag', 'confirm', 'r:a'], { env })).code).toBe(0);
    await flora.seen(message('b waits for you'));
    expect((await world.cis(['dag', 'confirm', 'r:b'], { env })).code).toBe(0);
    const ended = await run;
    expect(ended.code, ended.stderr).toBe(0);
    expect(service.asked).toContain('refresh');

    service.expireTokens();
    service.endSession();
    const status = JSON.parse((await world.cis(['matrix', 'status', '--json'])).stdout) as { problem: string };
    expect(status.problem).toContain("no longer accepts this device's access token");
    const local = await world.cis(['dag', 'run', file, '--room', room, '--run-id', 's', '--detach'], { env });
    expect(local.stderr).toContain('log in again with `cis matrix login`');
  },
);

test('what is denied, not confirmed in time, or not offered ends with a line that says so', async () => {
  await using world = openWorld();
  for (const [how, words] of [
    ['deny', 'the login was denied in the browser'],
    ['expire', 'the code was not confirmed in time'],
  ] as const) {
    await using service = await serviceFor(`user-${how}`);
    service.decide(how);
    const ended = await world.cis(['matrix', 'login', '--homeserver', service.url, '--device-code']);
    expect(ended.code).toBe(6);
    expect(ended.stderr).toContain(words);
  }
  const none = await world.cis(['matrix', 'login', '--homeserver', server.url, '--device-code']);
  expect(none).toMatchObject({ code: 6, stdout: '' });
  expect(none.stderr).toContain('does not offer a login by device code');
  const both = await world.cis(['matrix', 'login', '--homeserver', server.url, '--device-code', '--sso']);
  expect(both).toMatchObject({ code: 2 });
  const web = await world.cis(['matrix', 'login', '--homeserver', server.url, '--sso']);
  expect(web).toMatchObject({ code: 6, stderr: expect.stringContaining('no web page to log in by') });
});

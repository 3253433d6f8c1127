import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodePaths } from '../../src/bridge/paths.ts';
import { fingerprintOf, type Did } from '../../src/domain/fleet/did.ts';
import { newTicketKeys, parseTicket, renderTicket, type Ticket } from '../../src/federation/node/ticket.ts';
import { openHttp, type Http } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount } from '../../src/matrix/secrets.ts';
import { loggedIn, makeRoom } from '../bridge/rooms.ts';
import {
  installTimeoutMs,
  must,
  sharedEngine,
  sharedInstall,
  startTestHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { openWorld, type World } from '../support/world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const quick = { CIS_NODE_AGENTS: 'none' };

async function json(world: World, ...args: string[]): Promise<Record<string, unknown>> {
  const ended = await world.cis([...args, '--json'], { env: quick });
  if (ended.code !== 0) throw new Error(`cis ${args.join(' ')} (${ended.code}): ${ended.stderr}`);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

/** Asks until it is so; the test's own time limit is the limit. */
async function until<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await ask();
    if (isSo(value)) return value;
  }
}

function clientOf({ home }: World): Http {
  const account = must(readAccount(matrixFiles(home.dir)));
  return openHttp(account?.homeserver ?? '', account?.accessToken ?? null);
}

interface ListedNode {
  readonly did: string;
  readonly node: string;
  readonly trusted_as: readonly string[];
  readonly alive: boolean;
  readonly draining: boolean;
  readonly unable: readonly string[];
}

async function nodes(world: World, room: string): Promise<ListedNode[]> {
  return (await json(world, 'node', 'list', '--room', room))['nodes'] as ListedNode[];
}

test('a ticket makes two homes trust each other, once; the node is seen, drained and stopped', async () => {
  await using boss = openWorld();
  await using worker = openWorld();
  await using third = openWorld();
  await loggedIn(boss, server, 'boss');
  const workerUser = await loggedIn(worker, server, 'worker');
  const thirdUser = await loggedIn(third, server, 'third');
  const room = await makeRoom(boss, 'fleet', '--invite', thirdUser);
  const { did: bossDid } = await json(boss, 'node', 'id');
  const { did: workerDid } = await json(worker, 'node', 'id');

  // The inviter listens in the foreground, as one does who runs no node.
  const inviting = boss.terminal(['node', 'invite', '--room', room, '--for', workerUser], { cols: 1_000 });
  const screen = await inviting.waitForText('waiting until somebody joins');
  const ticket = /cis1-\S+/.exec(screen)?.[0] ?? '';
  const joined = await json(worker, 'node', 'join', ticket);
  expect(joined).toMatchObject({ did: workerDid, room_id: room, trusts: bossDid, roles: ['worker', 'coordinator'] });
  await inviting.waitForText('joined with a ticket and is trusted');
  expect((await inviting.ended).code).toBe(0);
  // As a coordinator it may give work in the room, which is kept from others there.
  const levels = must(await openRooms(clientOf(boss)).powerLevels(room));
  expect([levels.levelOf(workerUser), levels.levelOf(thirdUser)]).toEqual([50, 0]);
  expect((await json(boss, 'node', 'trust'))['trusted']).toMatchObject([
    {
      did: workerDid,
      user_id: workerUser,
      roles: ['worker', 'coordinator'],
      how: 'ticket',
      fingerprint: fingerprintOf(workerDid as Did),
    },
  ]);
  expect((await json(worker, 'node', 'trust'))['trusted']).toMatchObject([{ did: bossDid, how: 'ticket' }]);
  expect((await json(worker, 'node', 'status'))['tickets']).toEqual([
    { from: bossDid, room_id: room, welcomed: false },
  ]);

  // The same ticket in other hands is worth nothing: it is told so when the inviter hears of it.
  await json(third, 'node', 'join', ticket);
  const answering = boss.terminal(['node', 'start', '--room', room], { cols: 400, env: quick });
  await answering.waitForText('was not let in: the ticket was used by another');
  expect((await json(boss, 'node', 'trust'))['trusted']).toHaveLength(1);

  const started = await json(worker, 'node', 'start', '--room', room, '--detach');
  await until(
    () => json(worker, 'node', 'status'),
    ({ tickets }) => (tickets as { welcomed: boolean }[]).every(({ welcomed }) => welcomed),
  );
  const seen = await until(
    () => nodes(boss, room),
    (all) => all.some(({ did }) => did === workerDid),
  );
  expect(seen.find(({ did }) => did === workerDid)).toMatchObject({
    alive: true,
    trusted_as: ['worker', 'coordinator'],
    draining: false,
    unable: [],
  });
  const again = await worker.cis(['node', 'start', '--room', room]);
  expect([again.code, again.stderr]).toEqual([6, expect.stringContaining('this home is a node already')]);

  await json(worker, 'node', 'drain');
  await until(
    () => nodes(boss, room),
    (all) => all.some(({ did, draining }) => did === workerDid && draining),
  );
  expect(await json(worker, 'node', 'stop')).toEqual({ stopped: started['pid'], left: [] });
  expect(existsSync(nodePaths(worker.home).lock)).toBe(false);
  const stopped = await until(
    () => nodes(boss, room),
    (all) => all.some(({ did, unable }) => did === workerDid && unable.length > 0),
  );
  expect(stopped.find(({ did }) => did === workerDid)?.unable).toEqual(['it was stopped']);
  answering.signal('SIGINT');
  await answering.ended;
  expect(readFileSync(nodePaths(worker.home).log, 'utf8')).toContain('trusts this node');
}, 180_000);

test('on a private homeserver the ticket brings an account, whose password is of no use afterwards', async () => {
  await using boss = openWorld();
  await using worker = openWorld();
  await sharedEngine();
  const files = matrixFiles(boss.home.dir);
  mkdirSync(files.dir, { recursive: true, mode: 0o700 });
  symlinkSync(sharedInstall(), join(files.dir, basename(sharedInstall())));
  try {
    await json(boss, 'matrix', 'up', '--user', 'dora');
    const invited = await json(boss, 'node', 'invite', '--no-wait', '--as', 'worker');
    const ticket = parseTicket(String(invited['ticket']));
    if (!ticket.ok) throw new Error(ticket.error);
    expect(ticket.value.account).toMatchObject({ user: invited['account'] });
    const joining = await worker.cis(['node', 'join', '-', '--as', 'coordinator', '--json'], {
      stdin: `${String(invited['ticket'])}\n`,
    });
    expect([joining.code, joining.stderr]).toEqual([0, '']);
    expect(JSON.parse(joining.stdout)).toMatchObject({ user_id: invited['account'], roles: ['coordinator'] });
    expect((await json(worker, 'matrix', 'status'))['limit']).toBeNull();
    const http = openHttp(ticket.value.homeserver, null);
    const identifier = { type: 'm.id.user', user: ticket.value.account?.user };
    const login = { type: 'm.login.password', identifier, password: ticket.value.account?.password };
    const later = await http.json({ method: 'POST', path: '/_matrix/client/v3/login', body: login });
    expect(later).toMatchObject({ ok: false, error: { kind: 'forbidden' } });

    // Nobody waited: the node that starts later finds the join in its inbox.
    await json(boss, 'node', 'start', '--detach');
    const trusted = await until(
      () => json(boss, 'node', 'trust'),
      ({ trusted }) => (trusted as object[]).length > 0,
    );
    expect(trusted['trusted']).toMatchObject([{ user_id: invited['account'], roles: ['worker'], how: 'ticket' }]);
    await json(boss, 'node', 'stop');
  } finally {
    await boss.cis(['matrix', 'reset', '--yes']);
  }
}, 180_000);

test('tickets that are damaged, expired or of this home are refused, and what is no ticket', async () => {
  await using world = openWorld();
  const { did } = await json(world, 'node', 'id');
  const ticket: Ticket = {
    ...newTicketKeys(),
    homeserver: 'http://127.0.0.1:9',
    room: '!fleet:example.org',
    node: 'boss',
    did: did as Did,
    userId: '@boss:example.org',
    deviceId: 'DEVICE',
    expiresAt: Date.now() + 60_000,
    account: null,
  };
  const join = async (text: string): Promise<string> => (await world.cis(['node', 'join', text])).stderr;
  expect(parseTicket(renderTicket(ticket))).toEqual({ ok: true, value: ticket });
  expect(await join('hello')).toContain('a ticket begins with cis1-');
  expect(await join(renderTicket(ticket).slice(0, -9))).toContain('the ticket is damaged');
  expect(await join(renderTicket({ ...ticket, expiresAt: Date.now() - 3_600_000 }))).toContain('has expired');
  expect(await join(renderTicket(ticket))).toContain('made by this very home');
  const strange = { ...ticket, did: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK' as Did };
  expect(await join(renderTicket(strange))).toContain('not logged in, and this ticket has no account');
});

test('a node that was in the room starts while the homeserver is away, and is heard when it is back', async () => {
  await using world = openWorld();
  const lone = await startTestHomeserver();
  try {
    await loggedIn(world, lone, 'lone');
    const room = await makeRoom(world, 'fleet');
    const start = () => world.cis(['node', 'start', '--room', room, '--detach', '--json'], { env: quick });
    await lone.stop();
    const never = await start();
    expect([never.code, never.stderr]).toEqual([1, expect.stringContaining('cannot work in')]);
    await lone.start();
    expect((await start()).code).toBe(0);
    await json(world, 'node', 'stop');
    await lone.stop('SIGKILL');
    const again = await start();
    expect([again.code, again.stderr]).toEqual([0, '']);
    expect(readFileSync(nodePaths(world.home).log, 'utf8')).toContain('the homeserver is away');
    await json(world, 'node', 'drain');
    await lone.start();
    await until(
      () => nodes(world, room),
      (all) => all.some(({ draining, alive }) => draining && alive),
    );
    await json(world, 'node', 'stop');
  } finally {
    await lone[Symbol.asyncDispose]();
  }
}, 180_000);

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { loggedIn, makeRoom } from '../bridge/rooms.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld, type World } from '../support/world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  const often = { per_second: 100, burst_count: 100 };
  server = await startTestHomeserver({ rc_login: { address: often, account: often, failed_attempts: often } });
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

function writeDag(world: World): string {
  const path = join(world.dir, 'dag.toml');
  writeFileSync(
    path,
    '[dag]\nname = "two"\n[[dag.tasks]]\nid = "a"\ncommand = "true"\n[[dag.tasks]]\nid = "b"\ndeps = ["a"]\ncommand = "false"\n',
  );
  return path;
}

test('a room that is not there is made only when the config says so, with those who may answer invited', async () => {
  await using world = openWorld();
  await loggedIn(world, server, 'maker');
  const person = await server.user('mona');
  const alias = `#fresh:localhost:${new URL(server.url).port}`;
  const run = (id: string, env: Record<string, string>) =>
    world.cis(['dag', 'run', writeDag(world), '--room', alias, '--run-id', id, '--flush'], { env });
  const refused = await run('no', {});
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(`cannot use the room ${alias}`) });
  const env = { CIS_DAG_MATRIX_AUTO_CREATE_ROOM: 'true', CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
  expect(await run('yes', env)).toMatchObject({ code: 1, stderr: expect.stringContaining(`made the room ${alias}`) });
  const again = await run('again', env);
  expect(again.stderr).not.toContain('made the room');
  const rooms = openRooms(openHttp(server.url, person.accessToken));
  must(await rooms.join(alias));
  const listed = JSON.parse((await world.cis(['matrix', 'list-rooms', '--json'])).stdout) as { rooms: object[] };
  expect(listed.rooms).toMatchObject([{ name: 'fresh', alias, encrypted: false }]);
  const off = await run('off', { ...env, CIS_DAG_MATRIX_ENABLED: 'false' });
  expect(off.stderr).toContain('nothing is sent to a room');
  expect((await world.cis(['dag', 'show', 'off', '--json'])).stdout).not.toContain(alias);
});

test.for(['plain', 'encrypted'] as const)(
  'who runs nothing follows one run of several in a room that is %s, as JSON',
  { timeout: 60_000 },
  async (how) => {
    await using machine = openWorld();
    await using desk = openWorld();
    await loggedIn(machine, server, `runner-${how}`);
    const reader = await loggedIn(desk, server, `reader-${how}`);
    const room = await makeRoom(machine, 'dags', ...(how === 'plain' ? [] : ['--encrypted']), '--invite', reader);
    expect((await desk.cis(['matrix', 'join', room])).code).toBe(0);
    const args = ['matrix', 'subscribe', room, '--run', 'wanted', '--format', 'json', '--since', '1h'];
    const follower = desk.terminal(args, { cols: 3000, rows: 50 });
    if (how === 'encrypted') await joinedCompanion(machine, reader);
    for (const id of ['other', 'wanted-1']) {
      expect(
        (await machine.cis(['dag', 'run', writeDag(machine), '--room', room, '--run-id', id, '--flush'])).code,
      ).toBe(1);
    }
    const screen = await follower.waitForText('cis.dag.run.failed');
    const events = screen.split('\n').flatMap((line) => (line.startsWith('{"event_id"') ? [line] : []));
    expect(events.length).toBeGreaterThan(2);
    for (const line of events) expect(line).toContain('"wanted-1"');
    follower.type('\u0003');
    expect((await follower.ended).code).toBe(130);
  },
);

/** Whoever joins later cannot read what was sent before. */
async function joinedCompanion(machine: World, user: string): Promise<void> {
  const { rooms } = JSON.parse((await machine.cis(['matrix', 'list-rooms', '--json'])).stdout) as {
    rooms: { room_id: string; name: string }[];
  };
  const companion = rooms.find(({ name }) => name.endsWith('(machines)'))?.room_id ?? '';
  const account = JSON.parse(readFileSync(join(machine.home.dir, 'matrix/account.json'), 'utf8')) as {
    accessToken: string;
  };
  const asked = openRooms(openHttp(server.url, account.accessToken));
  await expect
    .poll(async () => must(await asked.members(companion)).map(({ userId }) => userId), { timeout: 20_000 })
    .toContain(user);
}

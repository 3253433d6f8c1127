import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openIdentity } from '../../src/federation/identity.ts';
import { signContent } from '../../src/federation/sign.ts';
import { isObject, openHttp, type Http, type JsonObject } from '../../src/matrix/http.ts';
import { raiseLevel } from '../../src/matrix/raise-level.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount, type Account } from '../../src/matrix/secrets.ts';
import { takeSeq } from '../../src/storage/trust.ts';
import { signedContent } from '../../src/bridge/carry.ts';
import { installTimeoutMs, must } from '../support/homeserver.ts';
import { makeNode } from './support.ts';
import { openDb, openFleetWorld, type FleetWorld, type NodeMember } from './world.ts';

const assigned = 'cis.dag.task.assigned';

function clientOf({ homeserver, accessToken }: Account): Http {
  return openHttp(homeserver, accessToken);
}

/** Sends into the room as whoever has the token, past everything that cis checks. */
async function send(http: Http, room: string, type: string, content: JsonObject): Promise<void> {
  const txn = Math.random().toString(36).slice(2);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/${type}/${txn}`;
  must(await http.json({ method: 'PUT', path, body: content }));
}

/** The newest event of a type in the room, as it was signed. */
async function newest(http: Http, room: string, type: string): Promise<JsonObject> {
  const page = must(await openRooms(http).messages(room, { direction: 'back', limit: 20, filter: { types: [type] } }));
  const content = page.events[0]?.['content'];
  if (!isObject(content)) throw new Error(`no ${type} in the room`);
  return signedContent(content);
}

async function said(node: NodeMember, words: string, from: number): Promise<void> {
  while (!node.log().slice(from).includes(words)) await new Promise((resolve) => void setTimeout(resolve, 50));
}

/** A DAG of one task that leaves a line each time it runs, in a place that all homes of the test can write. */
function dagOf(fleet: FleetWorld, name: string): string {
  const line = `echo ${name} >> '${join(fleet.coordinator.world.dir, 'ran')}'`;
  return `[dag]\nname = "${name}"\n[[dag.tasks]]\nid = "only"\nidempotent = true\ncommand = "${line}"\n`;
}

test(
  'a node in a room does once what its coordinator ordered, and nothing that was forged, altered, replayed or sent by strangers',
  { timeout: installTimeoutMs },
  async () => {
    await using fleet = await openFleetWorld({ nodes: 1, env: { CIS_NODE_AGENTS: 'none' } });
    const { server, room, coordinator } = fleet;
    const [node] = fleet.nodes;
    if (node === undefined) throw new Error('no node');
    await node.start();
    const first = await fleet.run(dagOf(fleet, 'first'), '--run-id', 'first');
    expect([first.code, first.stderr]).toEqual([0, '']);

    const boss = clientOf(must(readAccount(matrixFiles(coordinator.world.home.dir))) as Account);
    const account = await server.user(`stranger-${process.pid}`);
    const stranger = clientOf(account);
    must(await openRooms(boss).invite(room, account.userId));
    must(await openRooms(stranger).join(room));
    // The room itself lets nobody else order; here the stranger may, so that it is the node that refuses.
    must(await raiseLevel(openRooms(boss), room, account.userId, assigned));
    const order = await newest(boss, room, assigned);
    const { signature, ...bare } = order;
    using thief = makeNode('thief');

    const attacks: readonly (readonly [kind: string, by: Http, content: JsonObject])[] = [
      ['replayed', boss, order],
      ['wrong-sender', stranger, order],
      ['unsigned', boss, bare],
      ['altered', boss, { ...order, epoch_base: 9_000_001 }],
      ['unknown-version', boss, { ...order, v: 2 }],
      ['untrusted', stranger, signedBy(thief.identity, account.userId, room, 1, bare)],
      ['forged', boss, forge(signedBy(thief.identity, coordinator.userId, room, 99, bare), coordinator.did)],
      ['wrong-room', boss, bySelf(fleet, '!elsewhere:example.org', bare)],
    ];
    for (const [kind, by, content] of attacks) {
      const from = node.log().length;
      await send(by, room, assigned, content);
      await said(node, `not taken (${kind})`, from);
    }

    // The node still works, and what was really ordered was done once each.
    const second = await fleet.run(dagOf(fleet, 'second'), '--run-id', 'second');
    expect([second.code, second.stderr]).toEqual([0, '']);
    expect(readFileSync(join(coordinator.world.dir, 'ran'), 'utf8')).toBe('first\nsecond\n');
    expect(isObject(signature)).toBe(true);
  },
);

function signedBy(
  identity: ReturnType<typeof openIdentity>,
  userId: string,
  room: string,
  seq: number,
  content: JsonObject,
): JsonObject {
  return must(signContent(identity, { type: assigned, room, userId, seq, content }));
}

/** Puts the name of another key under a signature. */
function forge(content: JsonObject, did: string): JsonObject {
  return { ...content, signature: { ...(content['signature'] as JsonObject), did } };
}

/** Really signed by the coordinator, for another room. */
function bySelf({ coordinator }: FleetWorld, room: string, content: JsonObject): JsonObject {
  const db = openDb(coordinator.world);
  const seq = takeSeq(db, room, Date.now());
  db.close();
  return signedBy(openIdentity(coordinator.world.home), coordinator.userId, room, seq, content);
}

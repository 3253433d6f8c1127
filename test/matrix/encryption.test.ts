import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectDevice } from '../../src/bridge/connect.ts';
import { ensureCrossSigning } from '../../src/matrix/crypto/cross-signing.ts';
import type { RoomEvent } from '../../src/matrix/port.ts';
import { matrixFiles } from '../../src/matrix/secrets.ts';
import { putIntoOutbox } from '../../src/storage/outbox.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  startTestHomeserver,
  type TestDevice,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { openSdkClient } from '../support/sdk.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const idle = { signal: AbortSignal.timeout(60_000), untilEmpty: true } as const;

async function say(device: TestDevice, room: string, body: string): Promise<void> {
  const content = { msgtype: 'm.text', body };
  putIntoOutbox(device.db, { room, lane: 'question', type: 'm.room.message', content }, Date.now());
  must(await device.transport.drain(idle));
}

/** Syncs until an event fits. */
async function hear(device: TestDevice, fits: (event: RoomEvent) => boolean): Promise<RoomEvent> {
  const until = performance.now() + 20_000;
  let found: RoomEvent | undefined;
  while (found === undefined && performance.now() < until) {
    must(
      await device.transport.syncOnce((batch) => {
        found = batch.events.find(fits) ?? found;
      }, 2000),
    );
  }
  if (found === undefined) throw new Error('the event did not come');
  return found;
}

test('an encrypted room is read and written by cis and by matrix-js-sdk, and a restart stays the same device', async () => {
  const bot = await openTestDevice(await server.user('bot'));
  const person = await server.user('person');
  must(await bot.transport.syncOnce(() => {}, 0));
  expect(must(await ensureCrossSigning(bot.crypto, bot.http, null))).toEqual({ kind: 'signed' });
  await using sdk = await openSdkClient(person);
  const room = must(await bot.transport.rooms.create({ name: 'r', encrypted: true, invite: [person.userId] }));
  await sdk.client.joinRoom(room);

  await say(bot, room, 'from cis');
  const got = await sdk.seen((event) => event.getContent()['body'] === 'from cis');
  expect(got.isEncrypted()).toBe(true);
  const trust = await sdk.client.getCrypto()?.getDeviceVerificationStatus(bot.account.userId, bot.account.deviceId);
  expect(trust?.signedByOwner).toBe(true);

  await sdk.client.sendTextMessage(room, 'from the sdk');
  const heard = await hear(bot, (event) => event.content['body'] === 'from the sdk');
  expect(heard.protection).toMatchObject({ kind: 'encrypted', device: person.deviceId });

  const identity = bot.crypto.machine.identityKeys.ed25519.toBase64();
  await bot[Symbol.asyncDispose]();
  await sdk.client.sendTextMessage(room, 'while away');
  await using again = await openTestDevice(bot.account, { home: bot.home });
  expect(again.crypto.machine.identityKeys.ed25519.toBase64()).toBe(identity);
  await hear(again, (event) => event.content['body'] === 'while away');
  await say(again, room, 'after the restart');
  await sdk.seen((event) => event.getContent()['body'] === 'after the restart');
  expect(must(await ensureCrossSigning(again.crypto, again.http, null))).toEqual({ kind: 'signed' });
  const raw = must(await again.transport.rooms.messages(room, { direction: 'back' })).events;
  expect(raw.filter((event) => event['type'] === 'm.room.message')).toEqual([]);
});

test('the keys are for one process and one person only', async () => {
  await using device = await openTestDevice(await server.user('alone'));
  const files = matrixFiles(device.home);
  const second = await connectDevice(files, device.account, device.db);
  expect(second).toMatchObject({ ok: false, error: { kind: 'locked' } });
  for (const path of [files.crypto, files.storeKey, files.account]) expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(files.dir).mode & 0o777).toBe(0o700);
});

test('a room recorded as encrypted stays so, whatever the server says, and cis does not send in plain', async () => {
  await using device = await openTestDevice(await server.user('careful'));
  must(await device.transport.syncOnce(() => {}, 0));
  const room = must(await device.transport.rooms.create({ name: 'plain', encrypted: false, invite: [] }));
  device.db.prepare(`INSERT INTO matrix_rooms (room_id, encryption) VALUES (?, 'encrypted')`).run(room);
  await say(device, room, 'secret');
  const events = must(await device.transport.rooms.messages(room, { direction: 'back', limit: 1 })).events;
  expect(events[0]).toMatchObject({ type: 'm.room.encrypted' });
});

test('a retry sends the same ciphertext: no message is encrypted twice', async () => {
  await using device = await openTestDevice(await server.user('frugal'));
  must(await device.transport.syncOnce(() => {}, 0));
  const room = must(await device.transport.rooms.create({ name: 'r', encrypted: true, invite: [] }));
  await say(device, room, 'once');
  const first = device.db.prepare('SELECT ciphertext, event_id FROM outbox').get();
  device.db.exec(`UPDATE outbox SET state = 'waiting', event_id = NULL`);
  must(await device.transport.drain(idle));
  expect(device.db.prepare('SELECT ciphertext, event_id FROM outbox').get()).toEqual(first);
});

test('device messages arrive encrypted, from device to device', async () => {
  await using alice = await openTestDevice(await server.user('alice'));
  await using bob = await openTestDevice(await server.user('bob'));
  for (const device of [alice, bob]) must(await device.transport.syncOnce(() => {}, 0));
  const to = { [bob.account.userId]: [bob.account.deviceId] };
  must(await alice.transport.sendToDevices('cis.node.heartbeat', to, { v: 1, load: 3 }));
  const got: unknown[] = [];
  must(await bob.transport.syncOnce((batch) => void got.push(...batch.deviceMessages), 5000));
  expect(got).toContainEqual({
    sender: alice.account.userId,
    type: 'cis.node.heartbeat',
    content: { v: 1, load: 3 },
    encrypted: true,
  });
});

test('an event whose key comes late is handed on as unreadable first, and once more, readable, when the key is there', async () => {
  await using sender = await openTestDevice(await server.user('early'));
  await using reader = await openTestDevice(await server.user('late'));
  const room = must(
    await sender.transport.rooms.create({ name: 'r', encrypted: true, invite: [reader.account.userId] }),
  );
  must(await reader.transport.rooms.join(room));
  for (const device of [sender, reader]) must(await device.transport.syncOnce(() => {}, 0));
  await say(sender, room, 'patience');
  await throwKeysAway(reader);
  const got: RoomEvent[] = [];
  const sync = async (): Promise<void> => {
    must(
      await reader.transport.syncOnce((batch) => {
        const ofSender = batch.events.filter((event) => event.sender === sender.account.userId);
        got.push(...ofSender.filter((event) => event.stateKey === null));
      }, 0),
    );
  };
  await sync();
  expect(got).toMatchObject([{ type: 'm.room.encrypted', protection: { kind: 'undecryptable' } }]);
  const keys = await sender.crypto.machine.exportRoomKeys(() => true);
  await reader.crypto.machine.importExportedRoomKeys(keys, () => {});
  // Any message to the device is a reason to try again.
  must(await sender.transport.sendToDevices('cis.test', { [reader.account.userId]: ['*'] }, { v: 1 }));
  await sync();
  await sync();
  expect(got.slice(1)).toMatchObject([{ content: { body: 'patience' }, protection: { kind: 'encrypted' } }]);
});

/** Syncs past the messages to the device without processing them, as no program should. */
async function throwKeysAway(device: TestDevice): Promise<void> {
  const path = '/_matrix/client/v3/sync';
  const since = String(device.db.prepare('SELECT since FROM matrix_device').pluck().get());
  const first = must(await device.http.json({ method: 'GET', path, query: { since, timeout: 0 } }));
  must(await device.http.json({ method: 'GET', path, query: { since: String(first['next_batch']), timeout: 0 } }));
}

test('a file in an encrypted room is encrypted, and one changed on the way is refused', async () => {
  await using device = await openTestDevice(await server.user('files'));
  const bytes = Buffer.from('a result too long for an event');
  const { media } = device.transport;
  const ref = must(await media.upload(bytes, 'text/plain', { encrypt: true }));
  expect(Buffer.from(must(await media.download({ ...ref, file: null }, 1000)))).not.toEqual(bytes);
  expect(Buffer.from(must(await media.download(ref, 1000)))).toEqual(bytes);
  const forged = { ...ref, file: { ...ref.file, hashes: { sha256: Buffer.alloc(32).toString('base64') } } };
  expect(await media.download(forged, 1000)).toMatchObject({ ok: false, error: { kind: 'bad-answer' } });
  expect(await media.download(ref, 5)).toMatchObject({ ok: false, error: { kind: 'too-large' } });
});

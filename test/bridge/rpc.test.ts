import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRpc, type Rpc } from '../../src/bridge/rpc.ts';
import type { FromBridge, ToBridge } from '../../src/bridge/rpc-protocol.ts';
import { err, ok, type Result } from '../../src/domain/result.ts';
import { frameJson, openFrameReader } from '../../src/host/frame.ts';
import type { MatrixFailure } from '../../src/matrix/failure.ts';
import type { JsonObject } from '../../src/matrix/http.ts';

interface Sent {
  readonly to: string;
  readonly packets: readonly { readonly c: string; readonly n?: number }[];
  readonly txn: string;
}

let dir: string;
let rpc: Rpc;
let sent: Sent[];
/** Answers of the homeserver, one a message; a message waits until it has one. */
let answers: ((given: Result<void, MatrixFailure>) => void)[];
let isHeld: boolean;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'cis-rpc-'));
  sent = [];
  answers = [];
  isHeld = false;
  const opened = await openRpc({
    path: join(dir, 'run', 'bridge.sock'),
    signal: new AbortController().signal,
    transport: {
      userId: '@me:test',
      deviceId: 'ME',
      sendSealed(_, to, content: JsonObject, txn) {
        const [user = '', devices = []] = Object.entries(to)[0] ?? [];
        sent.push({ to: `${user} ${devices.join()}`, packets: content['packets'] as Sent['packets'], txn });
        if (!isHeld) return Promise.resolve(ok(undefined));
        return new Promise((resolve) => void answers.push(resolve));
      },
    },
  });
  if (opened === null) throw new Error('no socket');
  rpc = opened;
});

afterEach(() => {
  rpc[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

interface Client {
  readonly socket: Socket;
  readonly heard: FromBridge[];
  readonly closed: Promise<void>;
  say(message: ToBridge): void;
}

async function open(): Promise<Client> {
  const socket = connect(join(dir, 'run', 'bridge.sock'));
  const heard: FromBridge[] = [];
  const read = openFrameReader();
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    for (const frame of read(chunk)) if (frame.kind === 'json') heard.push(JSON.parse(frame.text) as FromBridge);
  });
  await expect.poll(() => heard.length).toBe(1);
  return { socket, heard, closed, say: (message) => void socket.write(frameJson(message)) };
}

const packet = (c: string, n: number, size = 1) => ({ k: 'data', c, n, body: 'x'.repeat(size) });
const send = (c: string, n: number, size = 1): ToBridge => {
  return { kind: 'send', user: '@node:test', device: 'NODE', packet: packet(c, n, size) };
};

function receive(sender: string, ...packets: readonly unknown[]): void {
  rpc.take([{ sender, type: 'cis.rpc', content: { v: 1, packets }, encrypted: false }]);
}

test('only its owner may use the socket', async () => {
  expect(statSync(join(dir, 'run', 'bridge.sock')).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, 'run')).mode & 0o777).toBe(0o700);
  expect((await open()).heard).toEqual([{ kind: 'hello', userId: '@me:test', deviceId: 'ME' }]);
});

test('one message is under way at a time; what comes meanwhile goes together, in order, as far as it fits', async () => {
  const client = await open();
  isHeld = true;
  for (let n = 0; n < 40; n += 1) client.say(send('a', n, 2_000));
  await expect.poll(() => sent.length).toBe(1);
  while (answers.length > 0) {
    answers.shift()?.(ok(undefined));
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await expect.poll(() => sent.flatMap(({ packets }) => packets).length).toBe(40);
  expect(sent.flatMap(({ packets }) => packets.map(({ n }) => n))).toEqual(Array.from({ length: 40 }, (_, at) => at));
  expect(sent.length).toBeLessThan(6);
  for (const { packets } of sent) expect(Buffer.byteLength(JSON.stringify(packets))).toBeLessThan(40_960);
});

test('packets reach the process that has the channel; beginnings reach the one that serves; the rest nobody', async () => {
  const [caller, server] = [await open(), await open()];
  server.say({ kind: 'serve' });
  caller.say(send('mine', 0));
  await expect.poll(() => sent.length).toBe(1);
  receive('@node:test', packet('mine', 0), packet('unknown', 0), { k: 'open', c: 'new' }, 7, null, { k: 'data' });
  await expect.poll(() => [caller.heard.length, server.heard.length]).toEqual([2, 2]);
  expect(caller.heard[1]).toEqual({ kind: 'packet', sender: '@node:test', packet: packet('mine', 0) });
  expect(server.heard[1]).toMatchObject({ packet: { k: 'open', c: 'new' } });
  caller.socket.destroy();
  await caller.closed;
  await expect.poll(() => rpc.isBusy).toBe(true); // the other one is there
  server.socket.destroy();
  await expect.poll(() => rpc.isBusy).toBe(false);
});

test('a message that passes later is the same message; one that cannot be delivered is told', async () => {
  const client = await open();
  isHeld = true;
  client.say(send('a', 0));
  await expect.poll(() => answers.length).toBe(1);
  answers.shift()?.(err({ kind: 'offline', detail: 'ECONNREFUSED' }));
  await expect.poll(() => answers.length).toBe(1);
  expect(sent[1]).toEqual(sent[0]);
  answers.shift()?.(err({ kind: 'forbidden', errcode: 'M_FORBIDDEN', detail: 'no' }));
  await expect.poll(() => client.heard.length).toBe(2);
  expect(client.heard[1]).toMatchObject({ kind: 'undelivered', channel: 'a' });
});

test('what is larger than a message, or no frame, cuts its sender off', async () => {
  const large = await open();
  large.say(send('a', 0, 50_000));
  await large.closed;
  const odd = await open();
  odd.socket.write(Buffer.alloc(8, 255));
  await odd.closed;
  expect(sent).toEqual([]);
});

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { err, ok, type Result } from '../../src/domain/result.ts';
import type { Channel } from '../../src/federation/remote/channel.ts';
import { Line, type Caller, type LineLimits } from '../../src/federation/remote/line.ts';
import type { Packet } from '../../src/federation/remote/packet.ts';
import { must } from '../support/homeserver.ts';
import { openNetwork, type Network } from './lines.ts';

let network: Network;

beforeEach(() => {
  network = openNetwork();
});

afterEach(() => network[Symbol.dispose]());

function openPair(judge: (caller: Caller) => Result<null, string> = () => ok(null), limits: Partial<LineLimits> = {}) {
  const ada = network.join('ada');
  const node = network.join('node');
  const served: { readonly channel: Channel; readonly caller: Caller }[] = [];
  const caller = new Line({ ...ada, limits });
  const answer = { judge, serve: (channel: Channel, who: Caller) => void served.push({ channel, caller: who }) };
  const server = new Line({ ...node, answer, limits });
  return { ada, node, caller, server, served };
}

/** The next bytes of a channel, as text. */
async function next(channel: Channel): Promise<string> {
  const [chunk] = (await once(channel, 'data')) as [Buffer];
  return chunk.toString();
}

test('bytes go both ways, and nobody between can read them', async () => {
  const { caller, node, ada, served } = openPair();
  const here = must(await caller.dial(node.address));
  const there = served[0]?.channel;
  if (there === undefined) throw new Error('nobody was served');
  expect(served[0]?.caller).toEqual({ did: ada.identity.did, userId: '@ada:test' });
  here.write('a question');
  expect(await next(there)).toBe('a question');
  there.write('an answer');
  expect(await next(here)).toBe('an answer');
  const seen = network.sent.map(({ packet }) =>
    packet.k === 'data' ? Buffer.from(packet.body, 'base64url') : packet.k,
  );
  expect(seen.join(' ')).not.toMatch(/question|answer/);
  here.endWith('done');
  await once(there, 'close');
  expect(there.endedBy).toBe('done');
});

test('much more than a window arrives whole and in order, and what is under way stays below it', async () => {
  const { caller, node, served } = openPair();
  const here = must(await caller.dial(node.address));
  const there = served[0]?.channel;
  const sent = Buffer.alloc(3_000_000, 0).map((_, at) => (at * 31) % 256);
  const got: Buffer[] = [];
  there?.on('data', (chunk: Buffer) => got.push(chunk));
  let most = 0;
  const before = network.onSend;
  network.onSend = (packet, from) => {
    most = Math.max(most, here.backlogBytes - here.writableLength);
    return before(packet, from);
  };
  here.write(sent);
  here.end();
  await once(there ?? here, 'end');
  expect(Buffer.concat(got).equals(sent)).toBe(true);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(128 * 1024);
});

test('a reader that does not read holds the writer, whose memory does not grow', async () => {
  const { caller, node, served } = openPair();
  const here = must(await caller.dial(node.address));
  served[0]?.channel.pause();
  let written = 0;
  while (here.write(Buffer.alloc(16 * 1024)) && written < 10_000_000) {
    written += 16 * 1024;
    await new Promise((resolve) => void setImmediate(resolve));
  }
  expect(written).toBeLessThan(1_000_000);
  served[0]?.channel.resume();
  await once(here, 'drain');
});

test('a refusal says why, and is believed of the node alone', async () => {
  const { caller, node } = openPair(() => err('this node does not know you'));
  expect(await caller.dial(node.address)).toEqual({
    ok: false,
    error: { kind: 'refused', reason: 'this node does not know you' },
  });
  const other = network.join('other');
  network.onSend = (packet) => {
    if (packet.k === 'refuse') return [{ ...packet, reason: 'send me your password' }];
    return [packet];
  };
  const limited = new Line({ ...other, limits: { answerMs: 50 } });
  expect(await limited.dial(node.address)).toEqual({ ok: false, error: { kind: 'no-answer', afterMs: 50 } });
});

describe('hostile inputs', () => {
  async function open() {
    const pair = openPair();
    const here = must(await pair.caller.dial(pair.node.address));
    const there = pair.served[0]?.channel;
    if (there === undefined) throw new Error('nobody was served');
    return { ...pair, here, there };
  }

  test('an altered packet ends the channel on the side that gets it, with words', async () => {
    const { here, there } = await open();
    network.onSend = (packet) => {
      if (packet.k !== 'data') return [packet];
      const first = packet.body.startsWith('A') ? 'B' : 'A';
      return [{ ...packet, body: first + packet.body.slice(1) }];
    };
    here.write('hello');
    await once(there, 'close');
    expect(there.endedBy).toBe('a message was changed on its way');
  });

  test('a packet that comes twice counts once, also much later', async () => {
    const { here, there } = await open();
    const kept: Packet[] = [];
    network.onSend = (packet) => {
      if (packet.k === 'data') kept.push(packet);
      return [packet, packet];
    };
    const got: string[] = [];
    there.on('data', (chunk: Buffer) => got.push(chunk.toString()));
    here.write('one');
    here.write('two');
    await expect.poll(() => got).toEqual(['one', 'two']);
    for (const packet of kept) network.inject('@node:test', '@ada:test', packet);
    here.write('three');
    await expect.poll(() => got).toEqual(['one', 'two', 'three']);
  });

  test('a lost packet is seen, not passed over', async () => {
    const { here, there } = await open();
    let count = 0;
    network.onSend = (packet) => (packet.k === 'data' && (count += 1) === 1 ? [] : [packet]);
    here.write('one');
    here.write('two');
    await once(there, 'close');
    expect(there.endedBy).toBe('a message of the other side was lost');
  });

  test('a channel that was opened once is not opened by repeating it, nor its packets said again', async () => {
    const { here, there, served, server } = await open();
    here.write('kill it');
    await next(there);
    here.endWith('done');
    await once(there, 'close');
    const before = served.length;
    for (const { packet, from } of network.sent.filter((one) => one.from === '@ada:test')) {
      network.inject('@node:test', from, packet);
    }
    // the repeated question is answered with a new key, which the repeated packets do not have
    await expect.poll(() => served.length).toBe(before + 1);
    const again = served.at(-1)?.channel;
    const got: Buffer[] = [];
    again?.on('data', (chunk: Buffer) => got.push(chunk));
    if (again !== undefined && !again.destroyed) await once(again, 'close');
    expect(got).toEqual([]);
    expect(again?.endedBy).toBe('a message was changed on its way');
    expect(server.channelCount).toBe(0);
  });

  test('packets of a stranger do not reach a channel, though he knows its name', async () => {
    const { here, there } = await open();
    const got: string[] = [];
    there.on('data', (chunk: Buffer) => got.push(chunk.toString()));
    network.inject('@node:test', '@mallory:test', { k: 'data', c: there.id, n: 0, body: 'x'.repeat(40) });
    here.write('still here');
    await expect.poll(() => got).toEqual(['still here']);
  });

  test('nobody opens a channel in the name of another, or with an altered question', async () => {
    const { served, ada, node } = await open();
    const opened = network.sent.find(({ packet }) => packet.k === 'open')?.packet;
    if (opened?.k !== 'open') throw new Error('nothing was opened');
    const mallory = network.join('mallory');
    const c = 'AAAAAAAAAAAAAAAAAAAAAA';
    for (const forged of [
      { ...opened, c },
      { ...opened, c, from: mallory.identity.did },
      { ...opened, c, device: 'EVIL' },
      { ...opened, c, key: Buffer.alloc(32).toString('base64url') },
      { ...opened, c, to: mallory.identity.did },
    ]) {
      network.inject('@node:test', '@mallory:test', forged);
    }
    const line = new Line(mallory);
    must(await line.dial(node.address)); // comes after all of them
    expect(served.map(({ caller }) => caller.did)).toEqual([ada.identity.did, mallory.identity.did]);
  });

  test('what is too large or no packet is nothing', async () => {
    const { here, there } = await open();
    const data = { k: 'data', c: there.id, n: 0 };
    for (const raw of [null, 7, {}, { ...data, body: 'x'.repeat(50_000) }, { ...data, n: -1, body: 'x'.repeat(30) }]) {
      network.inject('@node:test', '@ada:test', raw);
    }
    here.write('fine');
    expect(await next(there)).toBe('fine');
  });

  test('one caller has so many channels and no more, and a flood of questions is met with silence', async () => {
    const { caller, node } = openPair(undefined, { perCaller: 2, opensPerSecond: 3, answerMs: 50 });
    must(await caller.dial(node.address));
    must(await caller.dial(node.address));
    expect(await caller.dial(node.address)).toMatchObject({
      error: { kind: 'refused', reason: 'too many connections are open to this node' },
    });
    expect(await caller.dial(node.address)).toMatchObject({ error: { kind: 'no-answer' } });
  });
});

test('a bridge that ends ends its channels and what waits for an answer', async () => {
  const { caller, node, ada } = openPair();
  const here = must(await caller.dial(node.address));
  network.onSend = () => [];
  const waiting = caller.dial(node.address);
  ada.carrier[Symbol.dispose]();
  expect(await waiting).toEqual({ ok: false, error: { kind: 'bridge-gone' } });
  if (!here.destroyed) await once(here, 'close');
  expect(here.endedBy).toBe('the bridge to the room ended');
});

import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openFrameReader } from '../../src/host/frame.ts';
import { Peer } from '../../src/host/peer.ts';
import type { Message } from '../../src/host/protocol.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A client's side of a connection: each write that reached it, as the kinds of its messages. */
function openPeer(follows: readonly string[]) {
  const writes: string[][] = [];
  const take = (chunks: readonly Buffer[]): void => {
    const frames = openFrameReader()(Buffer.concat(chunks));
    const messages = frames.flatMap((frame) => (frame.kind === 'json' ? [JSON.parse(frame.text) as Message] : []));
    writes.push(messages.map((message) => (message.kind === 'journal' ? message.entry.event.kind : message.kind)));
  };
  const socket = new Writable({
    write: (chunk: Buffer, _, done) => (take([chunk]), done()),
    writev: (chunks, done) => (take(chunks.map(({ chunk }) => chunk as Buffer)), done()),
  });
  const peer = new Peer(socket as Socket);
  for (const run of follows) peer.follows.add(run as never);
  return { peer, writes };
}

const entry = (event: object) => ({ kind: 'journal', run: 'brave-otter', entry: { seq: 1, at: 0, event } }) as never;
const spawned = entry({ kind: 'spawned', pid: 1 });
const ended = entry({ kind: 'ended', end: { kind: 'exited', code: 0 } });
const reply = { kind: 'reply', id: 1, ok: true, value: { kind: 'spawned', pid: 1 } } as never;
const turn = () => new Promise((done) => void setImmediate(done));

test('an executor is woken once by a session that starts and ends in a moment', async () => {
  const { peer, writes } = openPeer(['brave-otter']);
  peer.send(spawned);
  await turn();
  peer.send(reply);
  await turn();
  expect(writes).toEqual([]);
  peer.send(ended);
  await turn();
  expect(writes).toEqual([['spawned', 'reply', 'ended']]);
});

test('that a session has started comes by itself when nothing else does', async () => {
  const { peer, writes } = openPeer(['brave-otter']);
  peer.send(spawned);
  vi.advanceTimersByTime(10);
  await turn();
  expect(writes).toEqual([['spawned']]);
});

test('what came before it in the same turn does not wait with it', async () => {
  const { peer, writes } = openPeer(['brave-otter']);
  peer.send(ended);
  peer.send(spawned);
  await turn();
  expect(writes).toEqual([['ended', 'spawned']]);
});

test('a client that follows nothing gets its answer at once', async () => {
  const { peer, writes } = openPeer([]);
  peer.send(reply);
  await turn();
  expect(writes).toEqual([['reply']]);
});

import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { frameJson, openFrameReader, type Frame } from '../host/frame.ts';
import { openPrivateDir } from '../host/paths.ts';
import { describeFailure, isPassing, type MatrixFailure } from '../matrix/failure.ts';
import { isObject } from '../matrix/http.ts';
import type { DeviceMessage, RoomTransport } from '../matrix/port.ts';
import { dirname } from 'node:path';
import { rpcType, type CarriedPacket, type FromBridge, type ToBridge } from './rpc-protocol.ts';

export interface RpcOptions {
  readonly path: string;
  readonly transport: Pick<RoomTransport, 'userId' | 'deviceId' | 'sendSealed'>;
  readonly signal: AbortSignal;
}

/** Carries sealed packets between the processes of this home and the devices of other nodes. */
export interface Rpc extends Disposable {
  /** Whether a process of this home wants something carried. */
  readonly isBusy: boolean;
  take(messages: readonly DeviceMessage[]): void;
}

/** What fits a message with its frame, see `maxContentBytes`. */
const maxMessageBytes = 38_000;
/** A process that does not take, or one that gives more than can be sent, is cut off: its channels' windows are far below. */
const maxBacklogBytes = 8 * 1024 * 1024;
/** So long a message is tried: whoever waits for it has given up by then. */
const patienceMs = 40_000;

/** Opens the socket of a home's bridge; null, when it cannot be had, which costs only what needs it. */
export async function openRpc(options: RpcOptions): Promise<Rpc | null> {
  const rpc = new RpcServer(options);
  return (await rpc.listen()) ? rpc : null;
}

interface Lane {
  readonly user: string;
  readonly device: string;
  readonly waiting: { readonly text: string; readonly channel: string }[];
  isSending: boolean;
}

class RpcServer implements Rpc {
  readonly #options: RpcOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #channels = new Map<string, Socket>();
  readonly #lanes = new Map<string, Lane>();
  #serving: Socket | null = null;
  #inode: number | null = null;
  #backlogBytes = 0;

  constructor(options: RpcOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Listens under a name of our own first: the socket appears in its place ready and with its mode. */
  async listen(): Promise<boolean> {
    const { path } = this.#options;
    if (openPrivateDir(dirname(path)) !== null) return false;
    const draft = `${path}.${process.pid % 1000}`;
    rmSync(draft, { force: true });
    const isUp = await new Promise<boolean>((resolve) => {
      this.#server.once('error', () => resolve(false));
      this.#server.listen(draft, () => resolve(true));
    });
    if (!isUp) return false;
    chmodSync(draft, 0o600);
    this.#inode = lstatSync(draft).ino;
    renameSync(draft, path);
    return true;
  }

  get isBusy(): boolean {
    return this.#sockets.size > 0;
  }

  take(messages: readonly DeviceMessage[]): void {
    for (const { type, sender, content } of messages) {
      if (type !== rpcType || !Array.isArray(content['packets'])) continue;
      for (const packet of content['packets'] as unknown[]) {
        if (!isCarried(packet)) continue;
        const socket = this.#channels.get(packet.c) ?? (packet.k === 'open' ? this.#serving : null);
        if (socket !== null) this.#say(socket, { kind: 'packet', sender, packet });
      }
    }
  }

  [Symbol.dispose](): void {
    const { path } = this.#options;
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === this.#inode) rmSync(path, { force: true });
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    const { userId, deviceId } = this.#options.transport;
    const read = openFrameReader();
    this.#sockets.add(socket);
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of read(chunk)) this.#hear(socket, frame);
      } catch {
        socket.destroy(); // what it says cannot be told apart from here on
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#drop(socket));
    this.#say(socket, { kind: 'hello', userId, deviceId });
  }

  #hear(socket: Socket, frame: Frame): void {
    if (frame.kind !== 'json') return;
    const message = JSON.parse(frame.text) as ToBridge;
    if (message.kind === 'serve') this.#serving = socket;
    else this.#send(socket, message);
  }

  #drop(socket: Socket): void {
    this.#sockets.delete(socket);
    if (this.#serving === socket) this.#serving = null;
    for (const [channel, owner] of this.#channels) if (owner === socket) this.#channels.delete(channel);
  }

  #say(socket: Socket, message: FromBridge): void {
    if (socket.destroyed) return;
    if (socket.writableLength > maxBacklogBytes) return void socket.destroy();
    socket.write(frameJson(message));
  }

  #send(socket: Socket, { user, device, packet }: Extract<ToBridge, { kind: 'send' }>): void {
    this.#channels.set(packet.c, socket);
    const text = JSON.stringify(packet);
    if (this.#backlogBytes + text.length > maxBacklogBytes || text.length > maxMessageBytes)
      return void socket.destroy();
    const key = JSON.stringify([user, device]);
    const lane = this.#lanes.get(key) ?? { user, device, waiting: [], isSending: false };
    this.#lanes.set(key, lane);
    lane.waiting.push({ text, channel: packet.c });
    this.#backlogBytes += text.length;
    if (!lane.isSending) void this.#empty(lane, key);
  }

  /** One message at a time, in order; what comes meanwhile goes into the next, so that many packets cost few requests. */
  async #empty(lane: Lane, key: string): Promise<void> {
    lane.isSending = true;
    while (lane.waiting.length > 0 && !this.#options.signal.aborted) {
      const batch = [];
      for (let bytes = 0; lane.waiting.length > 0;) {
        const [next] = lane.waiting;
        if (next === undefined || (batch.length > 0 && bytes + next.text.length > maxMessageBytes)) break;
        bytes += next.text.length + 1;
        batch.push(next);
        lane.waiting.shift();
      }
      for (const { text } of batch) this.#backlogBytes -= text.length;
      const failure = await this.#deliver(lane, batch);
      if (failure !== null) this.#tellUndelivered(batch, describeFailure(failure));
    }
    lane.isSending = false;
    this.#lanes.delete(key);
  }

  async #deliver({ user, device }: Lane, batch: readonly { readonly text: string }[]): Promise<MatrixFailure | null> {
    const { transport, signal } = this.#options;
    const content = { v: 1, packets: batch.map(({ text }) => JSON.parse(text) as unknown) };
    const txn = randomBytes(12).toString('hex'); // the same for all tries: the server takes it once
    const giveUpAt = performance.now() + patienceMs;
    for (let pauseMs = 200; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      const sent = await transport.sendSealed(rpcType, { [user]: [device] }, content, txn);
      if (sent.ok) return null;
      if (!isPassing(sent.error) || performance.now() > giveUpAt || signal.aborted) return sent.error;
      await sleep(sent.error.kind === 'rate-limited' ? sent.error.retryAfterMs : pauseMs);
    }
  }

  #tellUndelivered(batch: readonly { readonly channel: string }[], reason: string): void {
    for (const channel of new Set(batch.map((one) => one.channel))) {
      const socket = this.#channels.get(channel);
      if (socket !== undefined) this.#say(socket, { kind: 'undelivered', channel, reason });
    }
  }
}

function isCarried(packet: unknown): packet is CarriedPacket {
  return isObject(packet) && typeof packet['c'] === 'string' && typeof packet['k'] === 'string';
}

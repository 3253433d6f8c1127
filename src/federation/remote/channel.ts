import { Duplex } from 'node:stream';
import { maxBodyBytes, type PacketOf } from './packet.ts';
import { seal, unseal, type ChannelKeys } from './seal.ts';

/** What may be on its way unanswered: enough for the round trip of a homeserver, and all that a slow one has to keep. */
const windowBytes = 128 * 1024;
/** A reader says how far it is at the latest after so much, or so long. */
const ackAfterBytes = windowBytes / 4;
const ackAfterMs = 500;
/** Kinds of what is sealed, before the place up to which the sender has read (6 bytes) and the content. */
const kinds = { bytes: 0, read: 1, end: 2, ping: 3 } as const;
const headBytes = 7;

export interface ChannelOptions {
  readonly id: string;
  readonly keys: ChannelKeys;
  readonly send: (packet: PacketOf<'data'>) => void;
  readonly onGone: () => void;
  /** Without a word from the other side for so long it is gone. */
  readonly idleMs?: number;
}

/**
 * A stream of bytes to another node, both ways, in sealed packets. It is a `Duplex`, so that what speaks to a socket speaks to a
 * node. Each packet has the next number: one that comes twice is passed over, a gap or a forged one ends the channel. No more is
 * under way than the reader has room for.
 */
export class Channel extends Duplex {
  readonly id: string;
  /** Why it ended, in words for a person; null while it lives. */
  endedBy: string | null = null;
  readonly #options: ChannelOptions;
  readonly #queue: Buffer[] = [];
  #written: (() => void)[] = [];
  #sentCount = 0;
  #sentBytes = 0;
  #confirmedBytes = 0;
  #receivedCount = 0;
  #receivedBytes = 0;
  #readBytes = 0;
  #toldBytes = 0;
  #heardAt = performance.now();
  #spokeAt = performance.now();
  #ackTimer: NodeJS.Timeout | null = null;
  readonly #pulse: NodeJS.Timeout;

  constructor(options: ChannelOptions) {
    super({ allowHalfOpen: false, writableHighWaterMark: windowBytes / 2, readableHighWaterMark: windowBytes });
    this.#options = options;
    this.id = options.id;
    const idleMs = options.idleMs ?? 45_000;
    this.#pulse = setInterval(() => this.#beat(idleMs), idleMs / 5);
  }

  /** Bytes that wait here or are not confirmed yet. */
  get backlogBytes(): number {
    return this.writableLength + this.#sentBytes - this.#confirmedBytes;
  }

  receive({ n, body }: PacketOf<'data'>): void {
    if (this.destroyed || n < this.#receivedCount) return; // what came before comes again
    if (n > this.#receivedCount) return this.#fail('a message of the other side was lost');
    const plain = unseal(this.#options.keys.receive, this.id, n, body);
    if (plain === null || plain.length < headBytes) return this.#fail('a message was changed on its way');
    this.#receivedCount += 1;
    this.#heardAt = performance.now();
    this.#confirm(plain.readUIntBE(1, 6));
    const content = plain.subarray(headBytes);
    switch (plain[0]) {
      case kinds.bytes:
        return this.#take(content);
      case kinds.end:
        this.endedBy ??= content.toString('utf8');
        this.push(null);
        return void (this.destroyed || this.destroy());
      default:
        return; // a confirmation, a ping, or something newer
    }
  }

  /** Ends with words for the person at the other side. */
  endWith(reason: string): void {
    this.endedBy ??= reason;
    this.destroy();
  }

  override _read(): void {
    this.#readBytes = this.#receivedBytes;
    this.#tellSoon();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#queue.push(chunk);
    this.#written.push(done);
    this.#pump();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', done);
  }

  override _final(done: () => void): void {
    this.#send(kinds.end, Buffer.from(this.endedBy ?? ''));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.writableFinished) this.#send(kinds.end, Buffer.from(this.endedBy ?? error?.message ?? ''));
    clearInterval(this.#pulse);
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
    const waiting = this.#written;
    this.#written = [];
    this.#options.onGone();
    done(error);
    for (const call of waiting) call();
  }

  #take(content: Buffer): void {
    this.#receivedBytes += content.length;
    if (this.#receivedBytes - this.#toldBytes > windowBytes + maxBodyBytes) {
      return this.#fail('the other side sends more than it may');
    }
    const wantsMore = this.push(content);
    if (wantsMore) this.#readBytes = this.#receivedBytes;
    this.#tellSoon();
  }

  #confirm(bytes: number): void {
    if (bytes > this.#sentBytes) return this.#fail('the other side confirms what was never sent');
    if (bytes <= this.#confirmedBytes) return;
    this.#confirmedBytes = bytes;
    this.#pump();
  }

  #pump(): void {
    for (;;) {
      const [next] = this.#queue;
      const room = windowBytes - (this.#sentBytes - this.#confirmedBytes);
      if (next === undefined || room <= 0 || this.destroyed) break;
      const size = Math.min(next.length, room, maxBodyBytes);
      if (size === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(size);
      this.#sentBytes += size;
      this.#send(kinds.bytes, next.subarray(0, size));
    }
    if (this.#queue.length > 0) return;
    const written = this.#written;
    this.#written = [];
    for (const call of written) call();
  }

  #tellSoon(): void {
    const untold = this.#readBytes - this.#toldBytes;
    if (untold === 0 || this.destroyed) return;
    if (untold >= ackAfterBytes) return this.#tell();
    this.#ackTimer ??= setTimeout(() => this.#tell(), ackAfterMs);
  }

  #tell(): void {
    if (this.#readBytes > this.#toldBytes) this.#send(kinds.read, Buffer.alloc(0));
  }

  #send(kind: number, content: Buffer): void {
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    this.#toldBytes = this.#readBytes;
    const head = Buffer.alloc(headBytes);
    head[0] = kind;
    head.writeUIntBE(this.#readBytes, 1, 6);
    const n = this.#sentCount;
    this.#sentCount += 1;
    this.#spokeAt = performance.now();
    const body = seal(this.#options.keys.send, this.id, n, Buffer.concat([head, content]));
    this.#options.send({ k: 'data', c: this.id, n, body });
  }

  #beat(idleMs: number): void {
    const now = performance.now();
    if (now - this.#heardAt > idleMs)
      return this.#fail(`the other side did not answer for ${Math.round(idleMs / 1000)} s`);
    if (now - this.#spokeAt > idleMs / 3) this.#send(kinds.ping, Buffer.alloc(0));
  }

  #fail(reason: string): void {
    this.endedBy ??= reason;
    this.destroy();
  }
}

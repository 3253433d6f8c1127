import type { Did } from '../../domain/fleet/did.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { parseDid } from '../../domain/fleet/did.ts';
import type { Identity } from '../identity.ts';
import type { Carrier, DeviceAddress } from './carrier.ts';
import { Channel } from './channel.ts';
import type { Packet, PacketOf } from './packet.ts';
import { accept, ask, finish, isAnswerTo, isAskedOf, refuse, type Asked, type ChannelKeys } from './seal.ts';

/** Who opened a channel: the key by its signature, the account by the homeserver. */
export interface Caller {
  readonly did: Did;
  readonly userId: string;
}

export interface NodeAddress extends DeviceAddress {
  readonly did: Did;
}

export type DialError =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'no-answer'; readonly afterMs: number }
  | { readonly kind: 'undelivered'; readonly reason: string }
  | { readonly kind: 'bridge-gone' };

export interface LineOptions {
  readonly carrier: Carrier;
  readonly identity: Identity;
  /** Takes channels of others; without it none are. */
  readonly answer?: {
    /** An error is what the caller is told. */
    readonly judge: (caller: Caller) => Result<null, string>;
    readonly serve: (channel: Channel, caller: Caller) => void;
  };
  readonly limits?: Partial<LineLimits>;
}

export interface LineLimits {
  readonly perCaller: number;
  readonly all: number;
  /** Words to those who are turned away, and channels that nobody has used yet, by the second: a flood is met with silence. */
  readonly opensPerSecond: number;
  readonly answerMs: number;
}

const defaultLimits: LineLimits = { perCaller: 16, all: 128, opensPerSecond: 20, answerMs: 15_000 };

/** All channels that go through one carrier. */
export class Line {
  readonly #options: LineOptions;
  readonly #limits: LineLimits;
  readonly #channels = new Map<
    string,
    { readonly channel: Channel; readonly peer: string; readonly caller: Did | null }
  >();
  readonly #asked = new Map<
    string,
    { readonly asked: Asked; readonly to: NodeAddress; readonly resolve: (answer: Result<Channel, DialError>) => void }
  >();
  readonly #bucket: { left: number; at: number };

  constructor(options: LineOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#bucket = { left: this.#limits.opensPerSecond, at: performance.now() };
    options.carrier.listen({
      packet: (sender, packet) => this.#take(sender, packet),
      undelivered: (channel, reason) => this.#undelivered(channel, reason),
    });
    void options.carrier.closed.then(() => this.#bridgeGone());
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  /** Ends all channels. */
  close(): void {
    this.#bridgeGone();
  }

  /** Opens a channel to a node, or says why there is none. */
  async dial(to: NodeAddress): Promise<Result<Channel, DialError>> {
    const { identity, carrier } = this.#options;
    const asked = ask(identity, to.did, carrier.own.deviceId);
    const { promise, resolve } = Promise.withResolvers<Result<Channel, DialError>>();
    const id = asked.packet.c;
    const { answerMs } = this.#limits;
    const timer = setTimeout(() => resolve(err({ kind: 'no-answer', afterMs: answerMs })), answerMs);
    this.#asked.set(id, { asked, to, resolve });
    carrier.send(to, asked.packet);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  #take(sender: string, packet: Packet): void {
    switch (packet.k) {
      case 'open':
        return this.#takeOpen(sender, packet);
      case 'accept':
      case 'refuse':
        return this.#takeAnswer(sender, packet);
      case 'data': {
        const found = this.#channels.get(packet.c);
        return found?.peer === sender ? found.channel.receive(packet) : undefined;
      }
    }
  }

  #takeOpen(userId: string, packet: PacketOf<'open'>): void {
    const { identity, answer } = this.#options;
    const from = parseDid(packet.from);
    if (answer === undefined || !from.ok || this.#channels.has(packet.c) || !this.#mayOpen()) return;
    if (!isAskedOf(identity, packet)) return; // nobody we know of said it: nobody to tell
    const caller: Caller = { did: from.value, userId };
    const address = { userId, deviceId: packet.device };
    const verdict = this.#judge(caller);
    if (!verdict.ok) return this.#options.carrier.send(address, refuse(identity, packet, verdict.error));
    const accepted = accept(identity, packet);
    if (!accepted.ok) return;
    this.#options.carrier.send(address, accepted.value.packet);
    const channel = this.#open(packet.c, address, accepted.value.keys, caller.did);
    answer.serve(channel, caller);
  }

  #judge(caller: Caller): Result<null, string> {
    const { perCaller, all } = this.#limits;
    const theirs = [...this.#channels.values()].filter((one) => one.caller === caller.did).length;
    if (theirs >= perCaller || this.#channels.size >= all) return err('too many connections are open to this node');
    return this.#options.answer?.judge(caller) ?? err('this node takes no connections');
  }

  #takeAnswer(sender: string, packet: PacketOf<'accept'> | PacketOf<'refuse'>): void {
    const waiting = this.#asked.get(packet.c);
    if (waiting === undefined || waiting.to.userId !== sender || !isAnswerTo(waiting.asked, packet)) return;
    if (packet.k === 'refuse') return waiting.resolve(err({ kind: 'refused', reason: packet.reason }));
    const keys = finish(waiting.asked, packet);
    if (keys.ok && !this.#channels.has(packet.c)) {
      waiting.resolve(ok(this.#open(packet.c, waiting.to, keys.value, null)));
    }
  }

  #open(id: string, to: DeviceAddress, keys: ChannelKeys, caller: Did | null): Channel {
    const channel = new Channel({
      id,
      keys,
      send: (packet) => this.#options.carrier.send(to, packet),
      onGone: () => void this.#channels.delete(id),
    });
    channel.on('error', () => {});
    this.#channels.set(id, { channel, peer: to.userId, caller });
    return channel;
  }

  #undelivered(id: string, reason: string): void {
    this.#asked.get(id)?.resolve(err({ kind: 'undelivered', reason }));
    this.#channels.get(id)?.channel.endWith(reason);
  }

  #bridgeGone(): void {
    for (const { resolve } of this.#asked.values()) resolve(err({ kind: 'bridge-gone' }));
    for (const { channel } of this.#channels.values()) channel.endWith('the bridge to the room ended');
  }

  #mayOpen(): boolean {
    const now = performance.now();
    const { opensPerSecond } = this.#limits;
    this.#bucket.left = Math.min(opensPerSecond, this.#bucket.left + ((now - this.#bucket.at) / 1000) * opensPerSecond);
    this.#bucket.at = now;
    if (this.#bucket.left < 1) return false;
    this.#bucket.left -= 1;
    return true;
  }
}

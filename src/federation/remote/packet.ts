import * as v from 'valibot';
import { err, ok, type Result } from '../../domain/result.ts';

/** Most bytes that one packet carries: in base64 and with its frame it stays below the 40 KiB of a message. */
export const maxBodyBytes = 24 * 1024;

const key = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/));
const signature = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{86}$/));
const channel = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/));
const did = v.pipe(v.string(), v.startsWith('did:key:z'), v.maxLength(80));
const device = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
const parties = { c: channel, from: did, to: did };

const packet = v.variant('k', [
  /** Asks for a channel. `key` is of this channel alone; `device` is where answers go. */
  v.object({ k: v.literal('open'), ...parties, key, device, sig: signature }),
  v.object({ k: v.literal('accept'), ...parties, key, sig: signature }),
  v.object({ k: v.literal('refuse'), ...parties, reason: v.pipe(v.string(), v.maxLength(500)), sig: signature }),
  /** Sealed; `n` counts from 0 in each direction, without a gap. */
  v.object({
    k: v.literal('data'),
    c: channel,
    n: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    body: v.pipe(v.string(), v.minLength(22), v.maxLength(40_000)),
  }),
]);

/** What travels in a to-device message: the ways to a channel in the clear and signed, all else sealed. */
export type Packet = v.InferOutput<typeof packet>;
export type PacketOf<Kind extends Packet['k']> = Extract<Packet, { k: Kind }>;

/** Anybody may send one: it is looked at before anything is done with it. */
export function readPacket(raw: unknown): Result<Packet, string> {
  const one = v.safeParse(packet, raw);
  return one.success ? ok(one.output) : err('a malformed packet');
}

/**
 * What is said on `run/bridge.sock`, in the frames of the host's socket. The bridge carries packets between local processes and
 * other devices and knows nothing of what is in them: they are sealed. `channel` is the `c` of a packet.
 */
export type ToBridge =
  /** Packets that begin a channel come to me: a node's process. */
  | { readonly kind: 'serve' }
  | { readonly kind: 'send'; readonly user: string; readonly device: string; readonly packet: CarriedPacket };

export type FromBridge =
  | { readonly kind: 'hello'; readonly userId: string; readonly deviceId: string }
  | { readonly kind: 'packet'; readonly sender: string; readonly packet: CarriedPacket }
  | { readonly kind: 'undelivered'; readonly channel: string; readonly reason: string };

export interface CarriedPacket {
  readonly k: string;
  readonly c: string;
}

/** The type of the to-device messages that carry packets. */
export const rpcType = 'cis.rpc';

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity, type Identity } from '../../src/federation/identity.ts';
import type { Carrier, CarrierListeners } from '../../src/federation/remote/carrier.ts';
import type { NodeAddress } from '../../src/federation/remote/line.ts';
import { readPacket, type Packet } from '../../src/federation/remote/packet.ts';

/** What stands between nodes in these tests: as a homeserver it carries in order, and can be told to do worse. */
export interface Network extends Disposable {
  join(name: string): { readonly carrier: Carrier; readonly identity: Identity; readonly address: NodeAddress };
  /** All that was sent, in order. */
  readonly sent: { readonly from: string; readonly to: string; readonly packet: Packet }[];
  /** Changes, repeats or swallows what is sent. */
  onSend: (packet: Packet, from: string) => readonly Packet[];
  /** Gives a packet to a node as if a user had sent it. */
  inject(to: string, sender: string, packet: unknown): void;
}

export function openNetwork(): Network {
  const dirs: string[] = [];
  const listeners = new Map<string, CarrierListeners>();
  const network: Network = {
    sent: [],
    onSend: (packet) => [packet],
    join(name) {
      const dir = mkdtempSync(join(tmpdir(), 'cis-line-'));
      dirs.push(dir);
      const identity = openIdentity({ dir });
      const own = { userId: `@${name}:test`, deviceId: name.toUpperCase() };
      const closed = Promise.withResolvers<void>();
      const carrier: Carrier = {
        own,
        send(to, packet) {
          network.sent.push({ from: own.userId, to: to.userId, packet });
          for (const one of network.onSend(packet, own.userId)) network.inject(to.userId, own.userId, one);
        },
        listen: (given) => void listeners.set(own.userId, given),
        closed: closed.promise,
        [Symbol.dispose]: () => closed.resolve(),
      };
      return { carrier, identity, address: { ...own, did: identity.did } };
    },
    inject(to, sender, raw) {
      const packet = readPacket(JSON.parse(JSON.stringify(raw)));
      if (packet.ok) setImmediate(() => listeners.get(to)?.packet(sender, packet.value));
    },
    [Symbol.dispose]: () => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })),
  };
  return network;
}

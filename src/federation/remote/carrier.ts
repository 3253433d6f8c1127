import { lstatSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Home } from '../../config/home.ts';
import { bridgePaths } from '../../bridge/paths.ts';
import type { FromBridge, ToBridge } from '../../bridge/rpc-protocol.ts';
import { startBridge } from '../../bridge/start.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { frameJson, openFrameReader } from '../../host/frame.ts';
import { readPacket, type Packet } from './packet.ts';

/** Where a node is reached. */
export interface DeviceAddress {
  readonly userId: string;
  readonly deviceId: string;
}

/** Carries packets to other nodes: the bridge of this home, by its socket. */
export interface Carrier extends Disposable {
  readonly own: DeviceAddress;
  send(to: DeviceAddress, packet: Packet): void;
  listen(listeners: CarrierListeners): void;
  readonly closed: Promise<void>;
}

export interface CarrierListeners {
  readonly packet: (sender: string, packet: Packet) => void;
  readonly undelivered: (channel: string, reason: string) => void;
}

export interface CarrierOptions {
  /** Takes channels that others open: one process of a home at a time. */
  readonly serve: boolean;
  /** How long a bridge may take to come up. */
  readonly patienceMs?: number;
}

/** Connects to the bridge, which is started when there is none. */
export async function connectCarrier(home: Home, options: CarrierOptions): Promise<Result<Carrier, string>> {
  const path = bridgePaths(home).socket;
  const giveUpAt = performance.now() + (options.patienceMs ?? 20_000);
  for (let pauseMs = 20; ; pauseMs = Math.min(250, pauseMs * 2)) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && stat.uid !== process.geteuid?.()) return err(`${path} belongs to user ${stat.uid}`);
    const socket = stat === undefined ? null : await openSocket(path);
    if (socket !== null) {
      const carrier = await openCarrier(socket, options.serve);
      if (carrier !== null) return ok(carrier);
    }
    if (performance.now() > giveUpAt) {
      return err(`the bridge to the room does not come up: see ${bridgePaths(home).log} and cis matrix status`);
    }
    startBridge(home);
    await sleep(pauseMs);
  }
}

function openSocket(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}

/** Null: the bridge ended before it said who it is. */
function openCarrier(socket: Socket, serve: boolean): Promise<Carrier | null> {
  const read = openFrameReader();
  const closed = Promise.withResolvers<void>();
  const started = Promise.withResolvers<Carrier | null>();
  let listeners: CarrierListeners = { packet: () => {}, undelivered: () => {} };
  const say = (message: ToBridge): void => void (socket.destroyed || socket.write(frameJson(message)));

  function hear(message: FromBridge): void {
    switch (message.kind) {
      case 'hello':
        if (serve) say({ kind: 'serve' });
        return started.resolve({
          own: { userId: message.userId, deviceId: message.deviceId },
          send: ({ userId, deviceId }, packet) => say({ kind: 'send', user: userId, device: deviceId, packet }),
          listen: (given) => {
            listeners = given;
          },
          closed: closed.promise,
          [Symbol.dispose]: () => void socket.end(),
        });
      case 'packet': {
        const packet = readPacket(message.packet);
        return packet.ok ? listeners.packet(message.sender, packet.value) : undefined;
      }
      case 'undelivered':
        return listeners.undelivered(message.channel, message.reason);
      default:
        return; // a newer bridge says more than we know
    }
  }

  socket.on('data', (chunk: Buffer) => {
    for (const frame of read(chunk)) if (frame.kind === 'json') hear(JSON.parse(frame.text) as FromBridge);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed.resolve();
    started.resolve(null);
  });
  return started.promise;
}

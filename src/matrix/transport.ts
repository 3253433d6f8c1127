import { randomBytes } from 'node:crypto';
import { ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import type { Http, JsonObject } from './http.ts';
import { openMedia } from './media.ts';
import { openPause } from './pause.ts';
import type { DeviceTargets, RoomCrypto, Rooms, RoomTransport, TransportStore } from './port.ts';
import { drain, type SendContext } from './send.ts';
import { follow, look, readEvent, syncOnce, type SyncContext } from './sync.ts';

export interface TransportParts {
  readonly userId: string;
  readonly deviceId: string;
  readonly http: Http;
  readonly rooms: Rooms;
  readonly store: TransportStore;
  readonly crypto: RoomCrypto | null;
}

/** A transport, and the bell that tells its sender of new rows. */
export interface WakeableTransport extends RoomTransport {
  wake(): void;
  /** A room that refused us may be tried again at once, as after an invitation. */
  release(room: string): void;
}

/** Puts one device together. Only one process at a time may have it: two would take each other's keys. */
export function openTransport(parts: TransportParts): WakeableTransport {
  const { http, crypto } = parts;
  const pause = openPause();
  const clocks = { now: Date.now, random: Math.random };
  const sync: SyncContext = { ...parts, ...clocks };
  const released = new Set<string>();
  const send: SendContext = { ...parts, ...clocks, pause, released };
  return {
    userId: parts.userId,
    deviceId: parts.deviceId,
    rooms: parts.rooms,
    media: openMedia(http),
    follow: (handler, options) => follow(sync, handler, options),
    syncOnce: (handler, timeoutMs, signal) => syncOnce(sync, handler, timeoutMs, signal),
    look: (since, timeoutMs, signal) => look(sync, since, timeoutMs, signal),
    read: (room, event) => readEvent(crypto, room, event),
    drain: (options) => drain(send, options),
    wake: () => pause.wake(),
    release(room) {
      released.add(room);
      pause.wake();
    },
    sendToDevices: (type, to, content) => sendToDevices(http, crypto, type, to, content),
    sendSealed: (type, to, content, txnId) => putToDevices(http, type, plainMessages(to, content), txnId),
    async close() {
      await crypto?.close();
    },
  };
}

async function sendToDevices(
  http: Http,
  crypto: RoomCrypto | null,
  type: string,
  to: DeviceTargets,
  content: JsonObject,
): Promise<Result<void, MatrixFailure>> {
  const messages = crypto === null ? ok(plainMessages(to, content)) : await encrypted(crypto, type, to, content);
  if (!messages.ok) return messages;
  return putToDevices(
    http,
    crypto === null ? type : 'm.room.encrypted',
    messages.value,
    randomBytes(12).toString('hex'),
  );
}

async function putToDevices(
  http: Http,
  type: string,
  messages: JsonObject,
  txnId: string,
): Promise<Result<void, MatrixFailure>> {
  const path = `/_matrix/client/v3/sendToDevice/${encodeURIComponent(type)}/${txnId}`;
  const answer = await http.json({ method: 'PUT', path, body: { messages } });
  return answer.ok ? ok(undefined) : answer;
}

async function encrypted(
  crypto: RoomCrypto,
  type: string,
  to: DeviceTargets,
  content: JsonObject,
): Promise<Result<JsonObject, MatrixFailure>> {
  const made = await crypto.encryptToDevice(type, to, content);
  if (!made.ok) return made;
  return ok(Object.fromEntries(Array.from(made.value, ([user, devices]) => [user, Object.fromEntries(devices)])));
}

function plainMessages(to: DeviceTargets, content: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(to).map(([user, devices]) => [user, Object.fromEntries(devices.map((device) => [device, content]))]),
  );
}

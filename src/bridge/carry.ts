import { backoffMs, openPause, type Pause } from '../matrix/pause.ts';
import { textOf, type JsonObject } from '../matrix/http.ts';
import type { DeviceMessage, RoomEvent, RoomTransport, SyncBatch } from '../matrix/port.ts';
import {
  dropExpiredToDevice,
  listFleetRooms,
  listToDevice,
  pruneFleetInbox,
  putIntoDeviceInbox,
  putIntoFleetInbox,
  readFleetLink,
  removeToDevice,
  writeFleetLink,
  type DeviceOutboxMessage,
} from '../storage/fleet.ts';
import type { Db } from '../storage/open.ts';
import { rpcType } from './rpc-protocol.ts';

export interface CarrierOptions {
  readonly db: Db;
  readonly transport: RoomTransport;
  readonly now: () => number;
}

/**
 * Carries what nodes and coordinators say to each other, both ways, without a look at what it means: who may say what is judged by
 * whoever reads it.
 */
export interface Carrier {
  /** What a sync brought for them; run in the transaction that moves on. */
  take(batch: SyncBatch): (() => void) | null;
  /** Sends to devices until the signal; `wake` when there is something new. */
  send(signal: AbortSignal): Promise<void>;
  wake(): void;
  /** The homeserver answers, or it does not. */
  heard(isUp: boolean): void;
}

/** The longest sleep: rows that another process wrote are found at the latest then. */
const longestSleepMs = 2000;
const keepForMs = 30 * 24 * 3600_000;
/** Of such messages only the newest of a sender counts. */
const newestOnly: ReadonlySet<string> = new Set(['cis.node.heartbeat', 'cis.node.work', 'cis.dag.run.alive']);

export function openCarrier({ db, transport, now }: CarrierOptions): Carrier {
  const pause = openPause();
  pruneFleetInbox(db, now() - keepForMs);
  writeFleetLink(db, null); // nothing was heard while nobody listened
  return {
    take(batch) {
      const rooms = new Set(listFleetRooms(db));
      const events = batch.events.filter((event) => rooms.has(event.room) && isMachine(event));
      const messages = batch.deviceMessages.filter(({ type }) => type.startsWith('cis.') && type !== rpcType);
      if (events.length === 0 && messages.length === 0) return null;
      return () => {
        for (const event of events) keepEvent(db, event, now());
        for (const message of messages) keepMessage(db, message, now());
      };
    },
    send: (signal) => sendToDevices(db, transport, pause, now, signal),
    wake: () => pause.wake(),
    heard(isUp) {
      const before = readFleetLink(db);
      if (isUp !== (before !== null)) writeFleetLink(db, isUp ? now() : null);
    },
  };
}

function isMachine({ type, stateKey, protection }: RoomEvent): boolean {
  return stateKey === null && protection.kind !== 'undecryptable' && type.startsWith('cis.');
}

/** What was added to the content on its way, to find it again, was not signed. */
export function signedContent(content: JsonObject): JsonObject {
  const { 'cis.txn': _, ...rest } = content;
  return rest;
}

function keepEvent(db: Db, event: RoomEvent, now: number): void {
  const { eventId, room, sender, type, at } = event;
  putIntoFleetInbox(db, { eventId, room, sender, type, content: signedContent(event.content), sentAt: at }, now);
}

function keepMessage(db: Db, { sender, type, content, encrypted }: DeviceMessage, now: number): void {
  const did = textOf(content['did'], '');
  const only = newestOnly.has(type) ? [type, sender, did, textOf(content['run_id'], '')].join(' ') : null;
  putIntoDeviceInbox(db, { sender, type, content: signedContent(content), encrypted, only }, now);
}

async function sendToDevices(
  db: Db,
  transport: RoomTransport,
  pause: Pause,
  now: () => number,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    dropExpiredToDevice(db, now());
    const [message] = listToDevice(db, now(), 1);
    if (message === undefined) {
      await pause.wait(longestSleepMs, signal);
      continue;
    }
    if (await deliver(db, transport, message, now)) {
      removeToDevice(db, [message.id]);
      failures = 0;
    } else await pause.wait(backoffMs(failures++, 0.5), signal);
  }
}

/** Messages to this device itself do not go through the homeserver: its keys are for others. */
async function deliver(
  db: Db,
  transport: RoomTransport,
  { userId, deviceId, type, content }: DeviceOutboxMessage,
  now: () => number,
): Promise<boolean> {
  if (userId === transport.userId && deviceId === transport.deviceId) {
    keepMessage(db, { sender: userId, type, content, encrypted: true }, now());
    return true;
  }
  const sent = await transport.sendToDevices(type, { [userId]: [deviceId] }, content);
  return sent.ok;
}

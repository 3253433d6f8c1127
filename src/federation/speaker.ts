import type { Did } from '../domain/fleet/did.ts';
import type { Result } from '../domain/result.ts';
import type { Lane } from '../domain/room.ts';
import { canonicalJson } from '../matrix/content.ts';
import { writeMachineEvent, type MachineContent, type MachineType } from '../matrix/events/index.ts';
import type { JsonObject } from '../matrix/http.ts';
import { putToDevice } from '../storage/fleet.ts';
import type { Db } from '../storage/open.ts';
import { putIntoOutbox } from '../storage/outbox.ts';
import { takeSeq } from '../storage/trust.ts';
import type { Identity } from './identity.ts';
import { deviceLane, signContent } from './sign.ts';

/** Who this home is in the room, and to the homeserver. */
export interface Self {
  readonly identity: Identity;
  readonly userId: string;
  readonly deviceId: string;
  /** How its user calls it. */
  readonly node: string;
}

export interface Device {
  readonly userId: string;
  readonly deviceId: string;
}

/** Signs what this home says and puts it where the bridge takes it from. Call it in the transaction that holds what was said. */
export interface Speaker extends Self {
  readonly did: Did;
  /** An event for a room; returns its row in the outbox, null when it cannot be sent (said why). */
  say<Type extends MachineType>(
    room: string,
    lane: Lane,
    type: Type,
    content: Omit<MachineContent<Type>, 'v'>,
  ): number | null;
  /** A message for one device. One of the same `only` that still waits is replaced. */
  tell(
    to: Device,
    type: string,
    content: JsonObject,
    how: { readonly only: string | null; readonly forMs: number },
  ): void;
}

export function openSpeaker(db: Db, self: Self, complain: (problem: string) => void): Speaker {
  const { identity, userId } = self;
  const signed = (type: string, room: string, content: JsonObject): Result<JsonObject, string> => {
    const seq = takeSeq(db, room, Date.now());
    return signContent(identity, { type, room, userId, seq, content });
  };
  return {
    ...self,
    did: identity.did,
    say(room, lane, type, content) {
      const checked = writeMachineEvent(type, content);
      const ready = checked.ok ? signed(type, room, checked.value) : checked;
      if (ready.ok) return putIntoOutbox(db, { room, lane, type, content: ready.value }, Date.now());
      complain(`${type} cannot be sent: ${ready.error}`);
      return null;
    },
    tell(to, type, content, { only, forMs }) {
      const ready = signed(type, deviceLane, content);
      if (!ready.ok) return complain(`${type} cannot be sent: ${ready.error}`);
      putToDevice(db, { ...to, only, type, content: ready.value, expiresAt: Date.now() + forMs }, Date.now());
    },
  };
}

/** What of the 40 KiB of an event a batch may take; the rest is for its frame and its signature. */
const batchBytes = 38_000;

/** For items that travel as they are. */
export const whole = <T extends object>(item: T): T => item;

/** Splits items into batches, each as large as an event takes. An item that is too large by itself is alone in its batch. */
export function packItems<T>(items: readonly T[], wordsOf: (item: T) => object, most = batchBytes): T[][] {
  const batches: T[][] = [];
  let room = 0;
  for (const item of items) {
    const bytes = Buffer.byteLength(canonicalJson(wordsOf(item))) + 1;
    if (bytes > room || batches.length === 0) {
      batches.push([]);
      room = most;
    }
    batches.at(-1)?.push(item);
    room -= bytes;
  }
  return batches;
}

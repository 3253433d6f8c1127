import type { Heartbeat, HeldLease, NodeFacts } from '../../domain/fleet/facts.ts';
import { isWorthTelling, nextHeartbeatIn } from '../../domain/fleet/liveness.ts';
import { writeMachineEvent } from '../../matrix/events/index.ts';
import type { JsonObject } from '../../matrix/http.ts';
import { putToDevice } from '../../storage/fleet.ts';
import { readDraining, readTold, writeTold } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { putIntoOutbox } from '../../storage/outbox.ts';
import { takeSeq } from '../../storage/trust.ts';
import { leastDiskMb, measureLoad } from '../detect/machine.ts';
import { heartbeatContent } from '../heartbeat.ts';
import type { Identity } from '../identity.ts';
import { deviceLane, signContent } from '../sign.ts';
import { heartbeatType } from './hear.ts';

/** A device that wants to know how this node does. */
export interface Listener {
  readonly userId: string;
  readonly deviceId: string;
}

export interface AnnounceOptions {
  readonly db: Db;
  readonly identity: Identity;
  /** Where machine events go. */
  readonly room: string;
  readonly facts: () => NodeFacts;
  readonly leases: () => readonly HeldLease[];
  /** Coordinators of runs that this node has something to do with. */
  readonly listeners: () => readonly Listener[];
  /** Where sessions are recorded and work lies. */
  readonly dir: string;
  readonly say: (line: string) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Says what this node is and how it does. */
export interface Announcer {
  /** Tells the coordinators, and the room if something that matters changed. Returns ms to the next time. */
  beat(): number;
  /** Tells the room if something that matters changed, now. */
  look(): void;
  /** The last word of a node that is stopped. */
  leave(reason: string): void;
}

/** A heartbeat that could not be delivered for so long is of no use: a newer one says it better. */
const usefulMs = 30_000;
/** A node that starts again and again says so seldom, as long as nothing changed. */
const sayAgainMs = 600_000;

export function openAnnouncer(options: AnnounceOptions): Announcer {
  const { db, room, say, now = Date.now, random = Math.random } = options;
  let told: Heartbeat | null = null;
  let isFirst = true;

  const current = (more: readonly string[] = []): Heartbeat => {
    const facts = options.facts();
    const leases = options.leases();
    const load = measureLoad(options.dir, Math.max(0, facts.slots - leases.length));
    const full = load.diskFreeMb < leastDiskMb ? [`its disk is full: less than ${leastDiskMb} MB free`] : [];
    return { facts, load, mood: { unable: [...full, ...more], draining: readDraining(db) }, leases };
  };

  /** In one transaction with its number: what is signed is sent, once. */
  const tell = (lane: string, heartbeat: Heartbeat, put: (content: JsonObject) => void): void => {
    const checked = writeMachineEvent(heartbeatType, heartbeatContent(heartbeat, now()));
    const signed = checked.ok
      ? signContent(options.identity, {
          type: heartbeatType,
          room: lane,
          userId: heartbeat.facts.userId,
          seq: takeSeq(db, lane, now()),
          content: checked.value,
        })
      : checked;
    if (signed.ok) put(signed.value);
    else say(`the heartbeat cannot be sent: ${signed.error}`);
  };

  const tellRoom = (heartbeat: Heartbeat): void => {
    told = heartbeat;
    tell(room, heartbeat, (content) => {
      putIntoOutbox(db, { room, lane: 'machine', type: heartbeatType, content }, now());
      writeTold(db, { room, at: now(), what: whatMatters(heartbeat) });
    });
  };

  const look = (heartbeat: Heartbeat): void => {
    const before = isFirst ? readTold(db) : null;
    isFirst = false;
    const isSame = before?.room === room && now() - before.at < sayAgainMs && before.what === whatMatters(heartbeat);
    if (isSame) told = heartbeat;
    else if (isWorthTelling(told, heartbeat)) tellRoom(heartbeat);
  };

  return {
    look: () => db.transaction(() => look(current())).immediate(),
    beat() {
      const beat = db.transaction(() => {
        const heartbeat = current();
        look(heartbeat);
        const listeners = options.listeners();
        if (listeners.length === 0) return;
        tell(deviceLane, heartbeat, (content) => {
          for (const { userId, deviceId } of listeners) {
            const only = `heartbeat ${userId} ${deviceId}`;
            const expiresAt = now() + usefulMs;
            putToDevice(db, { only, userId, deviceId, type: heartbeatType, content, expiresAt }, now());
          }
        });
      });
      beat.immediate();
      return nextHeartbeatIn(random());
    },
    leave: (reason) => db.transaction(() => tellRoom(current([reason]))).immediate(),
  };
}

function whatMatters({ facts, mood }: Heartbeat): string {
  return JSON.stringify([facts, mood]);
}

import type { Did } from '../domain/fleet/did.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { readMachineEvent, type MachineEvent } from '../matrix/events/index.ts';
import type { DeviceInboxMessage, InboxEvent } from '../storage/fleet.ts';
import type { Db } from '../storage/open.ts';
import type { TrustRole } from '../storage/trust.ts';
import { deviceLane, type Rejection } from './sign.ts';
import { admit } from './trust.ts';

export interface Heard {
  readonly did: Did;
  readonly userId: string;
  readonly event: MachineEvent;
}

/** Judges what comes: shape, signature, trust in the role, and that it was not taken before. Call it in the transaction that acts. */
export interface Ear {
  hear(event: InboxEvent, role: TrustRole): Result<Heard, Rejection>;
  /** A message to this device; of these only the newest of a sender counts. */
  hearDevice(
    message: DeviceInboxMessage,
    role: TrustRole,
  ): Result<{ readonly did: Did; readonly userId: string }, Rejection>;
}

export function openEar(db: Db, ownDid: Did, reader: string): Ear {
  return {
    hear({ type, room, sender, content }, role) {
      const read = readMachineEvent(type, content);
      if (!read.ok) return err({ kind: 'malformed', message: read.error });
      const admitted = admit({ type, room, sender, content }, { db, ownDid, role, reader });
      if (!admitted.ok) return admitted;
      return ok({ did: admitted.value.did, userId: admitted.value.userId, event: read.value.event });
    },
    hearDevice({ type, sender, content }, role) {
      const received = { type, room: deviceLane, sender, content };
      return admit(received, { db, ownDid, role, reader: `${reader} ${type}`, newestOnly: true });
    },
  };
}

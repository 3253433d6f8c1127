import type { TransportStore } from '../matrix/port.ts';
import { readDevice, readEncryption, writeBucket, writeEncryption, writeLastError } from '../storage/device.ts';
import { finishBatch, listUndecrypted, markLeft, wasSeen, wasSynced } from '../storage/inbox.ts';
import type { Db } from '../storage/open.ts';
import {
  freezeCiphertext,
  markAttempt,
  markParked,
  markSent,
  nextInOutbox,
  readOutboxState,
} from '../storage/outbox.ts';

/** Puts the database behind the transport. */
export function storeOn(db: Db): TransportStore {
  return {
    since: () => readDevice(db)?.since ?? null,
    wasSeen: (eventId) => wasSeen(db, eventId),
    wasSynced: (room) => wasSynced(db, room),
    undecrypted: () => listUndecrypted(db),
    finishBatch: (end, also) => finishBatch(db, end, also),
    markLeft: (room) => markLeft(db, room),
    encryption: (room) => readEncryption(db, room),
    recordEncryption: (room, encryption) => writeEncryption(db, room, encryption),
    limit: () => readDevice(db)?.limit ?? null,
    bucket: () => readDevice(db)?.bucket ?? null,
    nextRow: (heldRooms) => nextInOutbox(db, heldRooms),
    rowState: (id) => readOutboxState(db, id),
    freezeCiphertext: (id, ciphertext) => freezeCiphertext(db, id, ciphertext),
    markSent: (id, eventId, now, bucket) => {
      const write = db.transaction(() => {
        markSent(db, id, eventId, now);
        writeBucket(db, bucket);
      });
      write.immediate();
    },
    saveBucket: (bucket) => writeBucket(db, bucket),
    markParked: (id, reason, now) => markParked(db, id, reason, now),
    markAttempt: (id, reason) => markAttempt(db, id, reason),
    noteError: (text) => writeLastError(db, text),
  };
}

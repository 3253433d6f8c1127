import type { Db } from '../../storage/open.ts';
import { followFleetRoom, listDeviceInbox, listFleetInbox, writeFleetCursor } from '../../storage/fleet.ts';
import { deviceLane } from '../sign.ts';
import { hearHeartbeat, heartbeatType } from './hear.ts';
import { answerJoin, hearWelcome, joinType, welcomeType, type TicketSelf } from './join.ts';

export interface DirectoryOptions {
  readonly db: Db;
  readonly room: string;
  readonly self: TicketSelf;
  readonly say: (line: string) => void;
  readonly now?: () => number;
}

const reader = 'directory';

/** Keeps the list of nodes of a room: who is heard there, and who comes with a ticket. */
export function openDirectory({ db, room, self, say, now = Date.now }: DirectoryOptions): { look(): void } {
  followFleetRoom(db, reader, room);
  const page = (): boolean => {
    const events = listFleetInbox(db, reader);
    for (const { type, room: lane, sender, content, sentAt } of events) {
      if (type === heartbeatType) hearHeartbeat(db, { type, room: lane, sender, content }, Math.min(sentAt, now()));
    }
    const messages = listDeviceInbox(db, reader, [heartbeatType, joinType, welcomeType]);
    for (const { type, sender, content } of messages) {
      const received = { type, room: deviceLane, sender, content };
      if (type === heartbeatType) hearHeartbeat(db, received, now());
      if (type === joinType) say(answerJoin(db, self, received, now()));
      if (type === welcomeType) say(hearWelcome(db, self.identity.did, received, now()));
    }
    const inbox = events.at(-1)?.seq;
    const devices = messages.at(-1)?.seq;
    if (inbox === undefined && devices === undefined) return false;
    writeFleetCursor(db, reader, {
      ...(inbox === undefined ? {} : { inbox }),
      ...(devices === undefined ? {} : { devices }),
    });
    return true;
  };
  const take = db.transaction(page);
  return {
    look() {
      while (take.immediate());
    },
  };
}

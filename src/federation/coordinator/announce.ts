import { createHash } from 'node:crypto';
import { foldMachine, dagText, type MachineFacts } from '../../bridge/machine.ts';
import { oneLine } from '../../bridge/text.ts';
import type { LoggedEvent } from '../../domain/event.ts';
import type { RoomPlace } from '../../domain/room.ts';
import type { PictureFold } from '../../domain/picture.ts';
import type { RunSettings } from '../../domain/run.ts';
import { canonicalJson } from '../../matrix/content.ts';
import type { MachineContent } from '../../matrix/events/index.ts';
import { readFleetCursor, writeFleetCursor } from '../../storage/fleet.ts';
import type { Db } from '../../storage/open.ts';
import { isLaneWaiting } from '../../storage/outbox.ts';
import { openPictureOf } from '../../storage/read-picture.ts';
import { readEvents } from '../../storage/read.ts';
import { isRunOver } from '../../bridge/over.ts';
import type { Speaker } from '../speaker.ts';

export interface AnnounceOptions {
  readonly db: Db;
  readonly settings: RunSettings;
  readonly speaker: Speaker;
  /** Of the coordinator. */
  readonly epoch: number;
  readonly mask: (text: string) => string;
  /** The reader whose cursor in the log this is. */
  readonly reader: string;
  readonly intervalMs: number;
}

/** Tells the room what became of the run's tasks, by its log: signed, so that another can take the run over from it. */
export interface Announcer {
  /** Introduces the run and its coordinator; with each new epoch again. Returns the row. */
  introduce(place: RoomPlace): number | null;
  /** Says what is new, if it is time; returns in how many ms it wants to look again, null: when something happens. */
  look(place: RoomPlace): number | null;
}

export function openAnnouncer(options: AnnounceOptions): Announcer {
  const { db, settings, speaker, epoch, mask, reader, intervalMs } = options;
  const { run } = settings;
  let fold: PictureFold | null = null;
  let seen = 0;
  let saidAt = -Infinity;

  function catchUp(): PictureFold | null {
    if (fold === null) {
      const opened = openPictureOf(db, run);
      if (opened === null) return null;
      fold = opened.fold;
      seen = opened.seq;
    }
    for (;;) {
      const events = readEvents(db, run, seen);
      for (const event of events) fold.apply(event);
      seen = events.at(-1)?.seq ?? seen;
      if (events.length === 0) return fold;
    }
  }

  return {
    introduce(place) {
      const room = place.machineRoom ?? place.room;
      return speaker.say(room, 'work', 'cis.dag.run.created', createdWords(options, place));
    },
    look(place) {
      const room = place.machineRoom ?? place.room;
      const current = catchUp();
      if (current === null) return null;
      const { log } = readFleetCursor(db, reader);
      if (seen <= log) return null;
      const isOver = isRunOver(current.picture);
      const waitMs = saidAt + intervalMs - performance.now();
      if (!isOver && waitMs > 0) return waitMs;
      if (!isOver && isLaneWaiting(db, room, 'machine')) return null; // the bridge wakes us when it was sent
      saidAt = performance.now();
      const events: LoggedEvent[] = [];
      for (let from = log; from < seen;) {
        const some = readEvents(db, run, from).filter((event) => event.seq <= seen);
        events.push(...some);
        from = some.at(-1)?.seq ?? seen;
      }
      const facts: MachineFacts = {
        settings,
        picture: current.picture,
        place,
        userId: speaker.userId,
        deviceId: speaker.deviceId,
        node: speaker.node,
        epoch,
        mask,
        introduce: false,
      };
      const say = db.transaction(() => {
        for (const { type, content } of foldMachine(events, facts)) {
          if (notOurs.has(type)) continue;
          const { v: _, ...rest } = content;
          speaker.say(room, 'machine', type, { ...rest, did: speaker.did } as unknown as Omit<
            MachineContent<typeof type>,
            'v'
          >);
        }
        writeFleetCursor(db, reader, { log: seen });
      });
      say.immediate();
      return null;
    },
  };
}

/** What is introduced apart, and what the nodes say themselves. */
const notOurs: ReadonlySet<string> = new Set([
  'cis.dag.run.created',
  'cis.dag.session.blocked',
  'cis.dag.session.recovered',
]);

function createdWords(
  { settings, speaker, epoch, mask }: AnnounceOptions,
  { dagMedia }: RoomPlace,
): Omit<MachineContent<'cis.dag.run.created'>, 'v'> {
  const { dag, repositories: _, ...rest } = settings;
  const text = dagText(settings, mask);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return {
    at: settings.createdAt,
    run_id: settings.run,
    dag_name: oneLine(dag.name, 200),
    ...(dagMedia === null ? { dag_json: text } : { dag_media: { ...dagMedia, sha256 } }),
    dag_sha256: sha256,
    mode: 'matrix',
    settings_json: mask(canonicalJson(rest)).toWellFormed(),
    tasks: dag.tasks.length,
    coordinator: { user_id: speaker.userId, device_id: speaker.deviceId, did: speaker.did },
    epoch,
  };
}

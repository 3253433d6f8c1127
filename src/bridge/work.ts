import { ok, type Result } from '../domain/result.ts';
import type { Home } from '../config/home.ts';
import { describeFailure, type MatrixFailure } from '../matrix/failure.ts';
import { backoffMs } from '../matrix/pause.ts';
import type { RoomEvent, SyncBatch } from '../matrix/port.ts';
import {
  adoptRuns,
  hasNewRuns,
  leaveRoom,
  listOpenBridgeRuns,
  listRoomsOfRuns,
  readNews,
  pruneInbox,
  putIntoInbox,
  writeBridgeProblem,
  writePlace,
  writeRoomProblem,
  type BridgeRun,
} from '../storage/bridge.ts';
import { readEncryption } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { findSentRow } from '../storage/outbox.ts';
import { readRunSettings } from '../storage/read.ts';
import { watchCommits } from '../storage/tail.ts';
import type { ActOptions } from './act.ts';
import { openAnswers, type Answers } from './answers.ts';
import type { ListedDags } from './start-dag.ts';
import { openBroadcaster, type Broadcaster } from './broadcast.ts';
import { openFiles, type Files } from './files.ts';
import { openCarrier, type Carrier } from './carry.ts';
import type { Connection } from './connect.ts';
import { mayAnswer, passingMark, prepareRoom } from './prepare.ts';
import { bridgePaths } from './paths.ts';
import { hearBatch, type Heard } from './receive.ts';
import { openRpc, type Rpc } from './rpc.ts';

export interface WorkOptions extends ActOptions {
  readonly home: Home;
  readonly db: Db;
  readonly connection: Connection;
  /** How this machine is called. */
  readonly node: string;
  readonly intervalMs: number;
  readonly broadcastOutput: boolean;
  readonly mentionOnEnd: boolean;
  readonly dags: ListedDags;
  /** Rooms to listen in, though no run is followed there. */
  readonly listenIn: readonly string[];
  readonly acceptFrom: readonly string[];
  readonly mask: (text: string) => string;
  readonly isNeeded: () => boolean;
  /** Called when it has heard what there was: from then on commands are obeyed. */
  readonly onSynced?: () => void;
  readonly signal: AbortSignal;
}

/** Looks are at least so far apart, and take at most a tenth of the time: the run goes first. */
const leastGapMs = 50;
/** How often it is looked whether anything still needs the bridge. */
const needCheckMs = 3000;
const powerLevelsForMs = 5000;
const fileRetryMs = 10_000;
const inboxForMs = 30 * 24 * 3600_000;

/** Works until nothing needs it: null; or until a failure that does not pass: its words. */
export function openWork(options: WorkOptions): Promise<string | null> {
  return new Work(options).run();
}

class Work {
  readonly #options: WorkOptions;
  readonly #stop = new AbortController();
  readonly #broadcaster: Broadcaster;
  readonly #answers: Answers;
  readonly #files: Files;
  readonly #carrier: Carrier;
  readonly #preparing = new Set<string>();
  readonly #waiting = new Set<() => void>();
  /** How often we were invited to something. */
  #invited = 0;
  /** Of each room that was sent to: what was noted last. */
  readonly #problems = new Map<string, string | null>();
  readonly #levels = new Map<string, { readonly at: number; readonly levelOf: (user: string) => number }>();
  #timer: NodeJS.Timeout | null = null;
  #dueAt = Infinity;
  #lookedAt = -Infinity;
  #tookMs = 0;
  /** The newest event of the log at the last look. */
  #seen: number | null = null;
  #idleChecks = 0;
  #rpc: Rpc | null = null;

  constructor(options: WorkOptions) {
    const { db, connection, acceptFrom } = options;
    const { transport } = connection;
    const { userId, deviceId } = transport;
    this.#options = options;
    this.#broadcaster = openBroadcaster({ ...options, userId, deviceId, now: Date.now });
    this.#carrier = openCarrier({ db, transport: connection.transport, now: Date.now });
    this.#answers = openAnswers({
      ...options,
      db,
      isAllowed: (room, user) => this.#isAllowed(room, user),
      allowedWords: acceptFrom.length > 0 ? acceptFrom.join(', ') : 'people with power level 50 in this room',
      serverName: userId.slice(userId.indexOf(':') + 1),
      now: Date.now,
      onWritten: () => transport.wake(),
    });
    this.#files = openFiles({
      ...options,
      transport,
      now: Date.now,
      onWritten: () => transport.wake(),
      onTrouble: () => this.#wait(fileRetryMs),
      signal: this.#stop.signal,
    });
  }

  async run(): Promise<string | null> {
    const { db, home, connection, signal } = this.#options;
    const { transport } = connection;
    const stop = (): void => this.#stop.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    pruneInbox(db, Date.now() - inboxForMs);
    using rpc = await openRpc({ path: bridgePaths(home).socket, transport, signal: this.#stop.signal });
    this.#rpc = rpc;
    using _ = watchCommits(db, home.database, () => {
      // What nodes wait for is in the outbox already: it does not wait for the look.
      transport.wake();
      this.#carrier.wake();
      this.#lookIn(0);
    });
    const checks = setInterval(() => this.#checkNeed(), needCheckMs);
    this.#lookIn(0);
    const ends = [
      transport.drain({
        signal: this.#stop.signal,
        onSent: ({ room }) => {
          this.#noteRoom(room, null);
          this.#lookIn(0);
        },
        onHeld: (room, failure) => this.#noteRoom(room, describeFailure(failure)),
      }),
      transport.follow((batch) => this.#take(batch), {
        signal: this.#stop.signal,
        onSynced: () => {
          this.#carrier.heard(true);
          this.#answers.look();
          this.#options.onSynced?.();
        },
        onTrouble: () => this.#carrier.heard(false),
      }),
    ];
    const carried = this.#carrier.send(this.#stop.signal);
    const first = await Promise.race(ends);
    stop();
    const both = await Promise.all(ends);
    await carried;
    this.#carrier.heard(false);
    clearInterval(checks);
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all([this.#answers.settled(), this.#files.settled()]);
    signal.removeEventListener('abort', stop);
    return wordsOf([first, ...both]);
  }

  /** A sync: what people and nodes said goes into the inboxes in the transaction that moves on, and what became of the rooms is noted there. */
  async #take(batch: SyncBatch): Promise<(() => void) | undefined> {
    const { db, connection, listenIn } = this.#options;
    this.#rpc?.take(batch.deviceMessages);
    const rooms = new Set([...listRoomsOfRuns(db), ...listenIn]);
    await this.#rejoin(batch, rooms);
    const replaced = batch.events.filter((event) => rooms.has(event.room) && isTombstone(event));
    const left = batch.left.filter((room) => rooms.has(room));
    const heard = hearBatch(batch, connection.transport.userId, (eventId) => findSentRow(db, eventId) !== null).filter(
      (one) => rooms.has(one.event.room) && isTrusted(db, one),
    );
    const carry = this.#carrier.take(batch);
    if (heard.length + replaced.length + left.length === 0) return carry ?? undefined;
    if (replaced.length > 0) this.#lookIn(0);
    return () => {
      carry?.();
      for (const room of left) this.#noteRoom(room, putOut(room, connection.transport.userId));
      for (const { room } of replaced) leaveRoom(db, room, 'The room was replaced by another one: it is asked there.');
      for (const { event, said } of heard) {
        putIntoInbox(db, {
          eventId: event.eventId,
          room: event.room,
          sender: event.sender,
          at: Date.now(),
          body: said,
        });
      }
    };
  }

  /** What keeps us from sending to a room stands with its runs while it does. */
  #noteRoom(room: string, problem: string | null): void {
    if (this.#problems.get(room) === problem) return;
    this.#problems.set(room, problem);
    writeRoomProblem(this.#options.db, room, problem);
  }

  /** Who was put out of a room of ours and is invited again goes on there; other invitations are answered by `cis matrix join`. */
  async #rejoin({ invites }: SyncBatch, rooms: ReadonlySet<string>): Promise<void> {
    const { connection } = this.#options;
    if (invites.length === 0) return;
    this.#invited += 1;
    for (const { room } of invites) {
      if (!rooms.has(room)) continue;
      const joined = await connection.transport.rooms.join(room);
      if (!joined.ok) continue;
      this.#noteRoom(room, null);
      connection.transport.release(room);
    }
    // It may be the room that a run waits for.
    for (const wake of this.#waiting) wake();
  }

  #lookIn(ms: number): void {
    const gap = Math.max(leastGapMs, this.#tookMs * 10);
    // Not by the clock of the day, which may be set back by minutes.
    const now = performance.now();
    const dueAt = Math.max(now + ms, this.#lookedAt + gap);
    if (this.#timer !== null && this.#dueAt <= dueAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#look(), dueAt - now);
  }

  #look(): void {
    const { db, connection } = this.#options;
    this.#timer = null;
    if (this.#stop.signal.aborted) return;
    const started = performance.now();
    const written = changesOf(db);
    const news = this.#seen === null ? null : readNews(db, this.#seen);
    this.#seen = news?.seq ?? readNews(db, 0).seq;
    if ((news === null || news.isAboutRuns) && hasNewRuns(db)) adoptRuns(db);
    for (const run of listOpenBridgeRuns(db)) {
      if (run.place === null) void this.#prepare(run);
      const waitMs = this.#broadcaster.look(run);
      if (waitMs !== null) this.#lookIn(waitMs);
    }
    this.#files.look();
    this.#tookMs = performance.now() - started;
    this.#lookedAt = performance.now();
    if (changesOf(db) !== written) connection.transport.wake();
  }

  /** Asks the homeserver about the room until it knows, or says that there is none. */
  async #prepare({ run, wanted }: BridgeRun): Promise<void> {
    const { db, connection } = this.#options;
    const settings = readRunSettings(db, run);
    if (settings === null || this.#preparing.has(run)) return;
    this.#preparing.add(run);
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      const invited = this.#invited;
      const place = await prepareRoom({ ...this.#options, transport: connection.transport }, settings, wanted);
      if (this.#stop.signal.aborted) return;
      if (place.ok) {
        writePlace(db, run, place.value);
        break;
      }
      const { passing, said } = place.error;
      writeBridgeProblem(db, run, `${passing ? passingMark : ''}${said}`);
      // Somebody may invite us, or make the room: it is asked for again, but not often.
      if (this.#invited === invited) await this.#wait(passing ? backoffMs(failures, 0) : 30_000);
    }
    this.#preparing.delete(run);
    this.#lookIn(0);
  }

  #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#waiting.add(end);
      signal.addEventListener('abort', end);
    });
  }

  async #isAllowed(room: string, user: string): Promise<boolean | null> {
    const { acceptFrom, connection } = this.#options;
    const known = this.#levels.get(room);
    if (acceptFrom.length > 0 || (known !== undefined && performance.now() - known.at < powerLevelsForMs)) {
      return mayAnswer(user, acceptFrom, known?.levelOf ?? (() => 0));
    }
    const levels = await connection.transport.rooms.powerLevels(room);
    if (!levels.ok) return null;
    const levelOf = (one: string): number => levels.value.levelOf(one);
    this.#levels.set(room, { at: performance.now(), levelOf });
    return mayAnswer(user, acceptFrom, levelOf);
  }

  /** Twice in a row: what a driver writes when it ends is seen by the second. */
  #checkNeed(): void {
    this.#answers.look();
    if (this.#answers.isBusy || this.#rpc?.isBusy === true || this.#options.isNeeded()) this.#idleChecks = 0;
    else if (++this.#idleChecks === 2) this.#stop.abort();
  }
}

function isTombstone({ type, stateKey, content }: RoomEvent): boolean {
  return type === 'm.room.tombstone' && stateKey === '' && typeof content['replacement_room'] === 'string';
}

function putOut(room: string, userId: string): string {
  return `${userId} is no longer in ${room}: it goes on when it is invited again`;
}

/** In an encrypted room only encrypted messages count; reactions are in the clear everywhere. */
function isTrusted(db: Db, { event, said }: Heard): boolean {
  if (event.protection.kind === 'undecryptable') return false;
  return (
    said.kind === 'reaction' || event.protection.kind === 'encrypted' || readEncryption(db, event.room) !== 'encrypted'
  );
}

/** Grows with every row that this process writes. */
function changesOf(db: Db): number {
  return db.prepare('SELECT total_changes()').pluck().get() as number;
}

function wordsOf(ends: readonly Result<void, MatrixFailure>[]): string | null {
  const failed = ends.find((end) => !end.ok) ?? ok(undefined);
  return failed.ok ? null : describeFailure(failed.error);
}

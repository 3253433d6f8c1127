import type { BucketState, OutboxRow, OutboxState, RateLimit, RoomEncryption } from '../domain/room.ts';
import type { Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import type { JsonObject } from './http.ts';

/** One event of a room, decrypted where it was encrypted. */
export interface RoomEvent {
  readonly room: string;
  readonly eventId: string;
  readonly sender: string;
  readonly type: string;
  readonly content: JsonObject;
  /** The server's word, ms since 1970. */
  readonly at: number;
  readonly stateKey: string | null;
  /** Set on what this device sent itself: the transaction id of the outbox row. */
  readonly txnId: string | null;
  readonly redacts: string | null;
  readonly protection: Protection;
}

export type Protection =
  | { readonly kind: 'plain' }
  /** `signed`: its sender's own cross-signing identity vouches for the device. */
  | { readonly kind: 'encrypted'; readonly device: string | null; readonly signed: boolean }
  /** Its key has not come; it comes again, readable, once it has. */
  | { readonly kind: 'undecryptable'; readonly reason: string };

/** A message from device to device: not limited, not kept, not seen by people. */
export interface DeviceMessage {
  readonly sender: string;
  readonly type: string;
  readonly content: JsonObject;
  readonly encrypted: boolean;
}

/** What one sync brought, complete and in order: gaps are filled, what was handed on before is left out. */
export interface SyncBatch {
  readonly events: readonly RoomEvent[];
  readonly deviceMessages: readonly DeviceMessage[];
  /** Rooms this account was invited to, and by whom. */
  readonly invites: readonly { readonly room: string; readonly by: string }[];
  readonly left: readonly string[];
  /** True for the first sync of a device, whose events are history. */
  readonly initial: boolean;
}

/**
 * Takes a batch. What it returns is run in the transaction that moves `since` on: effects written there happen exactly once;
 * anything else may happen again after a crash.
 */
export type BatchHandler = (batch: SyncBatch) => Promise<(() => void) | void> | (() => void) | void;

/** What the rest of cis sees of Matrix: one device of one account. */
export interface RoomTransport {
  readonly userId: string;
  readonly deviceId: string;
  readonly rooms: Rooms;
  readonly media: Media;
  /**
   * Syncs until the signal, or until a failure that does not pass. Other failures are waited out (`onTrouble` hears of them).
   */
  follow(handler: BatchHandler, options: FollowOptions): Promise<Result<void, MatrixFailure>>;
  /** Syncs once and hands on what there is; `timeoutMs` is how long the server may wait for something new. */
  syncOnce(handler: BatchHandler, timeoutMs: number, signal?: AbortSignal): Promise<Result<void, MatrixFailure>>;
  /** Takes keys and shows what is new without moving the device's place in the sync, for those who only look. */
  look(since: string | null, timeoutMs: number, signal?: AbortSignal): Promise<Result<Look, MatrixFailure>>;
  /** One event as `rooms.messages` gives it, decrypted where it is encrypted. */
  read(room: string, event: JsonObject): Promise<RoomEvent>;
  /** Sends what is in the outbox until the signal; with `untilEmpty`, until nothing waits. */
  drain(options: DrainOptions): Promise<Result<void, MatrixFailure>>;
  /** Sends one to-device message to each named device of each user (`*` for all), encrypted when there is a crypto store. */
  sendToDevices(type: string, to: DeviceTargets, content: JsonObject): Promise<Result<void, MatrixFailure>>;
  /** Sends what its sender has sealed already, as it is; the server takes a transaction id once. */
  sendSealed(type: string, to: DeviceTargets, content: JsonObject, txnId: string): Promise<Result<void, MatrixFailure>>;
  close(): Promise<void>;
}

/** What a look showed, and where the next one goes on. */
export interface Look {
  readonly next: string;
  readonly events: readonly RoomEvent[];
  readonly deviceMessages: readonly DeviceMessage[];
}

export type DeviceTargets = Readonly<Record<string, readonly string[]>>;

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onTrouble?: (failure: MatrixFailure, retryInMs: number) => void;
  readonly onSynced?: () => void;
}

export interface DrainOptions {
  readonly signal: AbortSignal;
  readonly untilEmpty?: boolean;
  readonly onTrouble?: (failure: MatrixFailure, retryInMs: number) => void;
  readonly onSent?: (row: OutboxRow, eventId: string) => void;
  readonly onParked?: (row: OutboxRow, reason: string) => void;
  /** A room refuses us: its rows wait a minute, the others do not. */
  readonly onHeld?: (room: string, failure: MatrixFailure) => void;
}

/** What the transport keeps; `bridge/` puts the database behind it. */
export interface TransportStore {
  since(): string | null;
  wasSeen(eventId: string): boolean;
  wasSynced(room: string): boolean;
  undecrypted(): readonly { readonly eventId: string; readonly room: string; readonly event: JsonObject }[];
  finishBatch(end: BatchEnd, also: (() => void) | undefined): void;
  markLeft(room: string): void;
  encryption(room: string): RoomEncryption;
  recordEncryption(room: string, encryption: 'encrypted' | 'plain'): void;
  limit(): RateLimit | null;
  bucket(): BucketState | null;
  nextRow(heldRooms: ReadonlySet<string>): OutboxRow | null;
  rowState(id: number): OutboxState | null;
  freezeCiphertext(id: number, ciphertext: JsonObject): void;
  /** One transaction: the row is sent, the bucket is what it is now. */
  markSent(id: number, eventId: string, now: number, bucket: BucketState | null): void;
  saveBucket(bucket: BucketState): void;
  markParked(id: number, reason: string, now: number): void;
  markAttempt(id: number, reason: string): number;
  noteError(text: string | null): void;
}

interface BatchEnd {
  readonly since: string;
  readonly seen: readonly string[];
  readonly undecrypted: readonly { readonly eventId: string; readonly room: string; readonly event: JsonObject }[];
  readonly rooms: readonly string[];
  readonly now: number;
}

/** End-to-end encryption of one device. */
export interface RoomCrypto {
  /** Takes what a sync has for encryption and returns the to-device messages, decrypted; must be done before `since` is kept. */
  takeSync(sync: CryptoSync): Promise<Result<readonly DeviceMessage[], MatrixFailure>>;
  /** Encrypts for everybody who is joined now. Each call uses up a ratchet index: the caller keeps the result. */
  encrypt(room: string, type: string, content: JsonObject): Promise<Result<JsonObject, MatrixFailure>>;
  decrypt(room: string, event: JsonObject): Promise<Result<DecryptedEvent, string>>;
  encryptToDevice(
    type: string,
    to: DeviceTargets,
    content: JsonObject,
  ): Promise<Result<ReadonlyMap<string, ReadonlyMap<string, JsonObject>>, MatrixFailure>>;
  close(): Promise<void>;
}

export interface CryptoSync {
  readonly toDevice: readonly unknown[];
  readonly changed: readonly string[];
  readonly left: readonly string[];
  readonly oneTimeKeys: JsonObject;
  readonly fallbackKeys: readonly string[];
}

export interface DecryptedEvent {
  readonly type: string;
  readonly content: JsonObject;
  readonly device: string | null;
  readonly signed: boolean;
}

export interface Member {
  readonly userId: string;
  readonly displayName: string | null;
}

export interface NewRoom {
  readonly name: string;
  readonly topic?: string;
  readonly alias?: string;
  readonly encrypted: boolean;
  readonly invite: readonly string[];
  /** Members of this room may join without an invitation. */
  readonly membersOf?: string;
}

export interface RoomListing {
  readonly room: string;
  readonly name: string | null;
  readonly alias: string | null;
  readonly encrypted: boolean;
}

export interface PowerLevels {
  levelOf(userId: string): number;
  neededFor(type: string, isState: boolean): number;
}

/** Rooms as the client-server API has them; every call is one or few requests, and none is retried but for 429. */
export interface Rooms {
  /** A room id for an id or an alias. */
  resolve(idOrAlias: string): Promise<Result<string, MatrixFailure>>;
  create(room: NewRoom): Promise<Result<string, MatrixFailure>>;
  join(idOrAlias: string): Promise<Result<string, MatrixFailure>>;
  leave(room: string): Promise<Result<void, MatrixFailure>>;
  invite(room: string, userId: string): Promise<Result<void, MatrixFailure>>;
  joined(): Promise<Result<readonly string[], MatrixFailure>>;
  describe(room: string): Promise<Result<RoomListing, MatrixFailure>>;
  members(room: string): Promise<Result<readonly Member[], MatrixFailure>>;
  powerLevels(room: string): Promise<Result<PowerLevels, MatrixFailure>>;
  readState(room: string, type: string, key: string): Promise<Result<JsonObject | null, MatrixFailure>>;
  writeState(room: string, type: string, key: string, content: JsonObject): Promise<Result<string, MatrixFailure>>;
  redact(room: string, eventId: string, txnId: string, reason?: string): Promise<Result<string, MatrixFailure>>;
  /** One event as it lies on the server, encrypted where it is. */
  event(room: string, eventId: string): Promise<Result<JsonObject, MatrixFailure>>;
  /** A page of history from a token (the newest, or the oldest, without one). */
  messages(room: string, page: PageRequest): Promise<Result<Page, MatrixFailure>>;
}

export interface PageRequest {
  readonly direction: 'back' | 'forward';
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly filter?: JsonObject;
  readonly signal?: AbortSignal | undefined;
}

export interface Page {
  readonly start: string | null;
  readonly end: string | null;
  readonly events: readonly JsonObject[];
}

/** Files in rooms. `encrypt` gives what an encrypted room's event needs under `file`. */
export interface Media {
  upload(bytes: Uint8Array, contentType: string, options: UploadOptions): Promise<Result<MediaRef, MatrixFailure>>;
  download(ref: MediaRef, maxBytes: number): Promise<Result<Uint8Array, MatrixFailure>>;
  /** The largest file that the homeserver takes; null: it does not say. */
  maxBytes(): Promise<Result<number | null, MatrixFailure>>;
}

export interface UploadOptions {
  readonly name?: string;
  readonly encrypt: boolean;
}

export interface MediaRef {
  readonly mxc: string;
  /** Key, counter and hash of an encrypted file (`EncryptedFile` of the specification). */
  readonly file: JsonObject | null;
}

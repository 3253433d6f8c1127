import { randomBytes } from 'node:crypto';
import * as wasm from '@matrix-org/matrix-sdk-crypto-wasm';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import { isObject, textOf, type Http, type JsonObject } from '../http.ts';
import type { CryptoSync, DecryptedEvent, DeviceMessage, DeviceTargets, RoomCrypto, Rooms } from '../port.ts';
import { openTurns } from '../turns.ts';
import { sendCryptoRequests, sendOne } from './requests.ts';
import { loadFakeIndexedDb, openPersistentIndexedDb, type PersistError } from './persist.ts';

export interface CryptoOptions {
  readonly path: string;
  /** 32 bytes, kept elsewhere than the store. */
  readonly storeKey: Uint8Array;
  readonly userId: string;
  readonly deviceId: string;
  readonly http: Http;
  readonly rooms: Rooms;
}

/** The crypto of one device and, for those who verify or sign, the machine itself. */
export interface OpenCrypto extends RoomCrypto {
  readonly machine: wasm.OlmMachine;
  /** Sends what the machine wants sent. */
  flush(): Promise<Result<void, MatrixFailure>>;
}

const storeName = 'cis';

/** Opens the keys of this device, making them at the first call. Fails with `locked` when another process has them. */
export async function openCrypto(options: CryptoOptions): Promise<Result<OpenCrypto, PersistError>> {
  const persistent = await openPersistentIndexedDb(options.path);
  if (!persistent.ok) return persistent;
  provideIndexedDb(persistent.value.factory);
  await wasm.initAsync();
  try {
    const handle = await wasm.StoreHandle.openWithKey(storeName, options.storeKey, quiet);
    const user = new wasm.UserId(options.userId);
    const device = new wasm.DeviceId(options.deviceId);
    const machine = await wasm.OlmMachine.initFromStore(user, device, handle, quiet);
    handle.free();
    machine.roomKeyRequestsEnabled = true;
    return ok(cryptoOf(options, machine, persistent.value.broken, () => persistent.value.close()));
  } catch (error) {
    persistent.value.close();
    return err({ kind: 'damaged', path: options.path, detail: String(error) });
  }
}

function cryptoOf(
  options: CryptoOptions,
  machine: wasm.OlmMachine,
  broken: Promise<never>,
  closeStore: () => void,
): OpenCrypto {
  const turns = openTurns();
  // A store that fell behind its disk must never produce another message: every call races with that news.
  const safely = <T>(work: () => Promise<T>): Promise<T> => turns.next(() => Promise.race([work(), broken]));
  const { http, rooms } = options;
  return {
    machine,
    flush: () => safely(() => sendCryptoRequests(machine, http)),
    takeSync: (sync) => safely(() => takeSync(machine, http, sync)),
    encrypt: (room, type, content) => safely(() => encrypt(machine, http, rooms, room, type, content)),
    decrypt: (room, event) => decrypt(machine, room, event),
    encryptToDevice: (type, to, content) => safely(() => encryptToDevice(machine, http, type, to, content)),
    async close() {
      await turns.next(async () => {
        machine.close();
        closeStore();
      });
    },
  };
}

async function takeSync(
  machine: wasm.OlmMachine,
  http: Http,
  sync: CryptoSync,
): Promise<Result<readonly DeviceMessage[], MatrixFailure>> {
  const counts = Object.entries(sync.oneTimeKeys).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  const processed = await machine.receiveSyncChanges(
    JSON.stringify(sync.toDevice),
    new wasm.DeviceLists(sync.changed.map(userId), sync.left.map(userId)),
    new Map(counts),
    new Set(sync.fallbackKeys),
    new wasm.DecryptionSettings(wasm.TrustRequirement.Untrusted),
  );
  // What cannot be sent now stays in the machine and goes out with the next sync: the messages were taken, so this sync counts.
  await sendCryptoRequests(machine, http);
  return ok(processed.flatMap(deviceMessage));
}

function deviceMessage(event: wasm.ProcessedToDeviceEvent): DeviceMessage[] {
  const isDecrypted = event.type === wasm.ProcessedToDeviceEventType.Decrypted;
  if (!isDecrypted && event.type !== wasm.ProcessedToDeviceEventType.PlainText) return [];
  const raw: unknown = JSON.parse(event.rawEvent);
  if (!isObject(raw)) return [];
  const content = isObject(raw['content']) ? raw['content'] : {};
  return [{ sender: textOf(raw['sender'], ''), type: textOf(raw['type'], ''), content, encrypted: isDecrypted }];
}

async function encrypt(
  machine: wasm.OlmMachine,
  http: Http,
  rooms: Rooms,
  room: string,
  type: string,
  content: JsonObject,
): Promise<Result<JsonObject, MatrixFailure>> {
  // The server's list of now, not what a sync said once: whoever joined since must be able to read this.
  const members = await rooms.members(room);
  if (!members.ok) return members;
  const ids = (): wasm.UserId[] => members.value.map((member) => userId(member.userId));
  const ready = await prepare(machine, http, ids);
  if (!ready.ok) return ready;
  const requests = await machine.shareRoomKey(new wasm.RoomId(room), ids(), new wasm.EncryptionSettings());
  for (const request of requests) {
    const sent = await sendOne(machine, http, request);
    if (!sent.ok) return sent;
  }
  const ciphertext: unknown = JSON.parse(
    await machine.encryptRoomEvent(new wasm.RoomId(room), type, JSON.stringify(content)),
  );
  return isObject(ciphertext)
    ? ok(ciphertext)
    : err({ kind: 'bad-answer', detail: 'the crypto library gave no ciphertext' });
}

/** Devices known, and a session with each. The wasm calls take the ids for good, so each gets new ones. */
async function prepare(
  machine: wasm.OlmMachine,
  http: Http,
  ids: () => wasm.UserId[],
): Promise<Result<void, MatrixFailure>> {
  await machine.updateTrackedUsers(ids());
  const flushed = await sendCryptoRequests(machine, http);
  if (!flushed.ok) return flushed;
  const claim = await machine.getMissingSessions(ids());
  return claim === null ? ok(undefined) : sendOne(machine, http, claim);
}

async function decrypt(
  machine: wasm.OlmMachine,
  room: string,
  event: JsonObject,
): Promise<Result<DecryptedEvent, string>> {
  try {
    const settings = new wasm.DecryptionSettings(wasm.TrustRequirement.Untrusted);
    const opened = await machine.decryptRoomEvent(JSON.stringify(event), new wasm.RoomId(room), settings);
    const clear: unknown = JSON.parse(opened.event);
    if (!isObject(clear)) return err('the decrypted event is no object');
    return ok({
      type: textOf(clear['type'], ''),
      content: isObject(clear['content']) ? clear['content'] : {},
      device: opened.senderDevice?.toString() ?? null,
      signed: opened.shieldState(false).color === wasm.ShieldColor.None,
    });
  } catch (error) {
    return err(error instanceof wasm.MegolmDecryptionError ? error.description : String(error));
  }
}

async function encryptToDevice(
  machine: wasm.OlmMachine,
  http: Http,
  type: string,
  to: DeviceTargets,
  content: JsonObject,
): Promise<Result<ReadonlyMap<string, ReadonlyMap<string, JsonObject>>, MatrixFailure>> {
  const ready = await prepare(machine, http, () => Object.keys(to).map(userId));
  if (!ready.ok) return ready;
  const all = new Map<string, Map<string, JsonObject>>();
  for (const [user, wanted] of Object.entries(to)) {
    const mine = new Map<string, JsonObject>();
    const devices = await machine.getUserDevices(userId(user));
    for (const device of devices.devices()) {
      const id = device.deviceId.toString();
      if (!wanted.includes('*') && !wanted.includes(id)) continue;
      if (user === machine.userId.toString() && id === machine.deviceId.toString()) continue;
      const ciphertext: unknown = JSON.parse(await device.encryptToDeviceEvent(type, content));
      if (isObject(ciphertext)) mine.set(id, { ...ciphertext, 'org.matrix.msgid': randomBytes(8).toString('hex') });
    }
    all.set(user, mine);
  }
  return ok(all);
}

export function userId(text: string): wasm.UserId {
  return new wasm.UserId(text);
}

/** The library looks for IndexedDB among the globals, once, when a store is opened. */
function provideIndexedDb(factory: object): void {
  const fake = loadFakeIndexedDb();
  const globals = {
    IDBCursor: fake.IDBCursor,
    IDBCursorWithValue: fake.IDBCursorWithValue,
    IDBDatabase: fake.IDBDatabase,
    IDBFactory: fake.IDBFactory,
    IDBIndex: fake.IDBIndex,
    IDBKeyRange: fake.IDBKeyRange,
    IDBObjectStore: fake.IDBObjectStore,
    IDBOpenDBRequest: fake.IDBOpenDBRequest,
    IDBRequest: fake.IDBRequest,
    IDBTransaction: fake.IDBTransaction,
    IDBVersionChangeEvent: fake.IDBVersionChangeEvent,
    indexedDB: factory,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

/** The library's log names users and sessions; nobody asked for it. */
const nothing = (): void => {};
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing };

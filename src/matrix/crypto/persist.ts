import { chmodSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import Database from 'better-sqlite3';
import { err, ok, type Result } from '../../domain/result.ts';

const require = createRequire(import.meta.url);

/**
 * IndexedDB for the crypto store, which knows nothing else: fake-indexeddb in memory, and every transaction written through
 * to SQLite, with FULL durability, before whoever waits for it hears that it is complete. Snapshots now and then would not do:
 * after a crash they make the store use ratchet indexes a second time, and two messages share a key.
 *
 * It reaches into fake-indexeddb (`storeRecord`, `deleteRecord`, `clear`, `_markFinished`), whose version is therefore exact;
 * the crash test guards it.
 */
export interface PersistentIndexedDb {
  /** What `globalThis.indexedDB` must be while the crypto store opens. */
  readonly factory: object;
  /** Settles when a write failed: what is in memory is ahead of the disk, and nothing more may be sent. */
  readonly broken: Promise<never>;
  close(): void;
}

export type PersistError =
  | { readonly kind: 'locked'; readonly path: string }
  | { readonly kind: 'damaged'; readonly path: string; readonly detail: string };

/** Opens the file, exclusively: a second process gets `locked` at once. */
export async function openPersistentIndexedDb(path: string): Promise<Result<PersistentIndexedDb, PersistError>> {
  const file = openFile(path);
  if (!file.ok) return file;
  const parts = loadParts();
  const factory = new parts.Factory();
  try {
    await restore(factory, file.value);
  } catch (error) {
    file.value.close();
    return err({ kind: 'damaged', path, detail: error instanceof Error ? error.message : String(error) });
  }
  return ok(writeThrough(parts, factory, file.value));
}

export function describePersistError(error: PersistError): string {
  switch (error.kind) {
    case 'locked':
      return `the keys of this device (${error.path}) are in use by another cis process`;
    case 'damaged':
      return `the keys of this device (${error.path}) cannot be read: ${error.detail}`;
  }
}

function openFile(path: string): Result<Database.Database, PersistError> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new Database(path, { timeout: 0 });
  try {
    chmodSync(path, 0o600);
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec(`BEGIN EXCLUSIVE;
      CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY, schema TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS records (db TEXT NOT NULL, store TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (db, store, key)) STRICT, WITHOUT ROWID;
      COMMIT`);
    return ok(db);
  } catch (error) {
    db.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      return err({ kind: 'locked', path });
    return err({ kind: 'damaged', path, detail: error instanceof Error ? error.message : String(error) });
  }
}

/** How a database is laid out, as IndexedDB's own calls can make it again. */
interface Schema {
  readonly version: number;
  readonly stores: readonly {
    readonly name: string;
    readonly keyPath: string | string[] | null;
    readonly autoIncrement: boolean;
    readonly indexes: readonly {
      readonly name: string;
      readonly keyPath: string | string[];
      readonly unique: boolean;
      readonly multiEntry: boolean;
    }[];
  }[];
}

async function restore(factory: FakeFactory, file: Database.Database): Promise<void> {
  const rows = file.prepare('SELECT name, schema FROM databases').all() as { name: string; schema: string }[];
  for (const row of rows) await restoreDatabase(factory, file, row.name, JSON.parse(row.schema) as Schema);
}

function restoreDatabase(factory: FakeFactory, file: Database.Database, name: string, schema: Schema): Promise<void> {
  const records = file.prepare('SELECT key, value FROM records WHERE db = ? AND store = ?');
  return new Promise((resolve, reject) => {
    const request = factory.open(name, schema.version);
    request.addEventListener('upgradeneeded', () => {
      for (const shape of schema.stores) {
        const { keyPath, autoIncrement } = shape;
        const store = request.result.createObjectStore(shape.name, { keyPath, autoIncrement });
        for (const index of shape.indexes) store.createIndex(index.name, index.keyPath, index);
        for (const row of records.iterate(name, shape.name) as Iterable<{ key: Buffer; value: Buffer }>) {
          const value: unknown = deserialize(row.value);
          if (keyPath === null) store.put(value, deserialize(row.key));
          else store.put(value);
        }
      }
    });
    request.addEventListener('success', () => {
      request.result.close();
      resolve();
    });
    request.addEventListener('error', () =>
      reject(new Error(`database ${name} cannot be restored: ${String(request.error)}`)),
    );
  });
}

/** What changed in one object store since its last commit, by the serialized key. */
type Changes = Map<string, { readonly key: Buffer; readonly value: Buffer | null }>;

function writeThrough(parts: FakeParts, factory: FakeFactory, file: Database.Database): PersistentIndexedDb {
  const failed = Promise.withResolvers<never>();
  // Nobody may be listening yet when it happens.
  failed.promise.catch(() => {});
  const upsert = file.prepare('INSERT OR REPLACE INTO records (db, store, key, value) VALUES (?, ?, ?, ?)');
  const remove = file.prepare('DELETE FROM records WHERE db = ? AND store = ? AND key = ?');
  const commit = file.transaction((raw: RawDatabase, transaction: FakeTransaction) => {
    if (transaction.mode === 'versionchange') rewrite(file, raw, upsert);
    for (const name of transaction._scope) {
      const store = raw.rawObjectStores.get(name);
      const changes = store === undefined ? undefined : takeChanges(store);
      for (const { key, value } of changes?.values() ?? []) {
        if (value === null) remove.run(raw.name, name, key);
        else upsert.run(raw.name, name, key, value);
      }
    }
  });
  let isClosed = false;
  homes.set(factory, (raw, transaction) => {
    if (transaction.mode === 'readonly' || isClosed) return;
    try {
      commit(raw, transaction);
    } catch (cause) {
      const error = new Error('the keys of this device could not be written to disk', { cause });
      failed.reject(error);
      throw error;
    }
  });
  patch(parts);
  return {
    factory,
    broken: failed.promise,
    close() {
      isClosed = true;
      homes.delete(factory);
      if (file.open) file.close();
    },
  };
}

/** Writes a whole database anew, as after a change of its layout: rare, and small then. */
function rewrite(file: Database.Database, raw: RawDatabase, upsert: Database.Statement): void {
  file.prepare('DELETE FROM records WHERE db = ?').run(raw.name);
  file
    .prepare('INSERT OR REPLACE INTO databases (name, schema) VALUES (?, ?)')
    .run(raw.name, JSON.stringify(shapeOf(raw)));
  for (const [name, store] of raw.rawObjectStores) {
    takeChanges(store);
    for (const record of store.records.values()) {
      upsert.run(raw.name, name, serialize(record.key), serialize(record.value));
    }
  }
}

function shapeOf(raw: RawDatabase): Schema {
  return {
    version: raw.version,
    stores: [...raw.rawObjectStores.values()].map((store) => ({
      name: store.name,
      keyPath: store.keyPath,
      autoIncrement: store.autoIncrement,
      indexes: [...store.rawIndexes.values()].map(({ name, keyPath, unique, multiEntry }) => ({
        name,
        keyPath,
        unique,
        multiEntry,
      })),
    })),
  };
}

const pending = new WeakMap<RawStore, Changes>();

function takeChanges(store: RawStore): Changes | undefined {
  const changes = pending.get(store);
  pending.delete(store);
  return changes;
}

function note(store: RawStore, key: unknown): void {
  const changes = pending.get(store) ?? new Map();
  pending.set(store, changes);
  const bytes = serialize(key);
  const record = store.records.get(key);
  changes.set(bytes.toString('latin1'), { key: bytes, value: record === undefined ? null : serialize(record.value) });
}

/** Which file the databases of a factory belong to. */
const homes = new Map<object, (raw: RawDatabase, transaction: FakeTransaction) => void>();

let isPatched = false;

/**
 * Changes are noted per object store and written when the transaction that has the store in its scope ends; IndexedDB lets no
 * two writing transactions overlap. After an abort its rollback ran through the same methods, so what is written is what was.
 */
function patch({ ObjectStore, Transaction }: FakeParts): void {
  if (isPatched) return;
  isPatched = true;
  const { storeRecord, deleteRecord, clear } = ObjectStore.prototype;
  const { _markFinished: markFinished } = Transaction.prototype;
  ObjectStore.prototype.storeRecord = function (this: RawStore, record, noOverwrite, log) {
    const key = storeRecord.call(this, record, noOverwrite, log);
    note(this, key);
    return key;
  };
  ObjectStore.prototype.deleteRecord = function (this: RawStore, range, log) {
    const keys = keysIn(this, range);
    deleteRecord.call(this, range, log);
    for (const key of keys) note(this, key);
  };
  ObjectStore.prototype.clear = function (this: RawStore, log) {
    const keys = keysIn(this, undefined);
    clear.call(this, log);
    for (const key of keys) note(this, key);
  };
  Transaction.prototype._markFinished = function (this: FakeTransaction) {
    const raw = this.db._rawDatabase;
    for (const [factory, commit] of homes) {
      if ((factory as FakeFactory)._databases.get(raw.name) === raw) commit(raw, this);
    }
    markFinished.call(this);
  };
}

/** A range stays a range; a bare key, as the rollback passes it, is one record. */
function keysIn(store: RawStore, range: unknown): unknown[] {
  if (range === undefined) return Array.from(store.records.values(), (record) => record.key);
  const isRange = typeof range === 'object' && range !== null && 'lower' in range;
  if (!isRange) return [range];
  return Array.from(store.records.values(range), (record) => record.key);
}

// What is used of fake-indexeddb's inside.

interface RawStore {
  readonly name: string;
  readonly keyPath: string | string[] | null;
  readonly autoIncrement: boolean;
  readonly rawIndexes: Map<string, { name: string; keyPath: string | string[]; unique: boolean; multiEntry: boolean }>;
  readonly records: {
    get(key: unknown): { readonly value: unknown } | undefined;
    values(range?: unknown): Iterable<{ readonly key: unknown; readonly value: unknown }>;
  };
  storeRecord: (this: RawStore, record: unknown, noOverwrite: boolean, log?: unknown) => unknown;
  deleteRecord: (this: RawStore, range: unknown, log?: unknown) => void;
  clear: (this: RawStore, log?: unknown) => void;
}

interface RawDatabase {
  readonly name: string;
  readonly version: number;
  readonly rawObjectStores: Map<string, RawStore>;
}

interface FakeTransaction {
  readonly mode: 'readonly' | 'readwrite' | 'versionchange';
  readonly _scope: ReadonlySet<string>;
  readonly db: { readonly _rawDatabase: RawDatabase };
  _markFinished: (this: FakeTransaction) => void;
}

interface FakeStore {
  put(value: unknown, key?: unknown): void;
  createIndex(name: string, keyPath: string | string[], options: object): void;
}

interface FakeRequest {
  result: { createObjectStore(name: string, options: object): FakeStore; close(): void };
  error: unknown;
  addEventListener(type: 'upgradeneeded' | 'success' | 'error', listener: () => void): void;
}

interface FakeFactory {
  readonly _databases: Map<string, RawDatabase>;
  open(name: string, version: number): FakeRequest;
}

interface FakeParts {
  readonly Factory: new () => FakeFactory;
  readonly ObjectStore: { readonly prototype: RawStore };
  readonly Transaction: { readonly prototype: FakeTransaction };
}

/** The package, always in the one of its two forms that `loadParts` reaches into: the other has classes of its own. */
export function loadFakeIndexedDb(): typeof import('fake-indexeddb') {
  return require('fake-indexeddb') as typeof import('fake-indexeddb');
}

/** The package's exports have no types for these, or leave them out: they are loaded by their paths. */
function loadParts(): FakeParts {
  const dir = dirname(require.resolve('fake-indexeddb'));
  const load = (path: string): unknown => {
    const file = require(join(dir, path)) as { readonly default?: unknown };
    return file.default ?? file;
  };
  return {
    Factory: load('FDBFactory.js') as FakeParts['Factory'],
    Transaction: load('FDBTransaction.js') as FakeParts['Transaction'],
    ObjectStore: load('lib/ObjectStore.js') as FakeParts['ObjectStore'],
  };
}

import { accessSync, chmodSync, existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { err, ok, type Result } from '../domain/result.ts';
import { schemaVersion, upgradeSchema } from './schema.ts';

export type StorageError =
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'newer'; readonly path: string; readonly version: number; readonly known: number }
  | { readonly kind: 'corrupt'; readonly path: string; readonly detail: string }
  | { readonly kind: 'unwritable'; readonly path: string; readonly detail: string };

export type Db = Database.Database;

/**
 * Opens the database of a home for its writer, making or upgrading it. A file of a newer cis and a broken one are refused
 * and left as they are. synchronous=FULL: a task's result must survive a power cut, or the task would run again.
 */
export function openStorage(path: string): Result<Db, StorageError> {
  return guarded(path, () => {
    const isNew = !existsSync(path);
    const db = new Database(path, { timeout: 10_000 });
    if (isNew) chmodSync(path, 0o600);
    const version = versionOf(db);
    if (version > schemaVersion) return refuseNewer(db, path, version);
    db.pragma('journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    if (version < schemaVersion) upgradeSchema(db);
    return ok(db);
  });
}

/** Opens the database for reading only, without making one: `missing` means that nothing ever ran in this home. */
export function openStorageToRead(path: string): Result<Db, StorageError> {
  const hidden = whyHidden(path);
  if (hidden !== null) return err(hidden);
  return guarded(path, () => {
    const db = new Database(path, { readonly: true, timeout: 10_000 });
    const version = versionOf(db);
    if (version > schemaVersion) return refuseNewer(db, path, version);
    if (version < schemaVersion) {
      db.close();
      const upgraded = openStorage(path);
      if (!upgraded.ok) return upgraded;
      upgraded.value.close();
      return ok(new Database(path, { readonly: true, timeout: 10_000 }));
    }
    return ok(db);
  });
}

export function describeStorageError(error: StorageError): string {
  switch (error.kind) {
    case 'missing':
      return `no database at ${error.path}: nothing has run in this home yet`;
    case 'newer':
      return `${error.path} was written by a newer cis (version ${error.version}, this one knows ${error.known}): upgrade cis; the file was left as it is`;
    case 'corrupt':
      return `${error.path} is damaged (${error.detail}): it was left as it is; move it away to start afresh, or restore a copy`;
    case 'unwritable':
      return `cannot open ${error.path} (${error.detail}): check the directory's permissions and free space, or set CIS_HOME to another one`;
  }
}

/** Why there is no file to be seen: it is not there, or we may not look, or the home is no directory. */
function whyHidden(path: string): StorageError | null {
  try {
    accessSync(path);
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { kind: 'missing', path } : { kind: 'unwritable', path, detail: message };
  }
}

function versionOf(db: Db): number {
  return Number(db.pragma('user_version', { simple: true }));
}

function refuseNewer(db: Db, path: string, version: number): Result<Db, StorageError> {
  db.close();
  return err({ kind: 'newer', path, version, known: schemaVersion });
}

function guarded(path: string, open: () => Result<Db, StorageError>): Result<Db, StorageError> {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) {
      if (error instanceof TypeError) return err({ kind: 'unwritable', path, detail: error.message });
      throw error;
    }
    const broken = error.code.startsWith('SQLITE_NOTADB') || error.code.startsWith('SQLITE_CORRUPT');
    return err({ kind: broken ? 'corrupt' : 'unwritable', path, detail: error.message });
  }
}

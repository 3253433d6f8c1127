import { chmodSync, mkdirSync } from 'node:fs';
import type { Home } from '../../config/home.ts';
import { describeStorageError, openStorage, type Db } from '../../storage/open.ts';
import { CommandError } from '../exit.ts';

/** Opens the database for writing, making the home when there is none yet. */
export function openToWrite(home: Home): Db {
  makeHome(home);
  const opened = openStorage(home.database);
  if (opened.ok) return opened.value;
  throw new CommandError('failed', describeStorageError(opened.error));
}

function makeHome(home: Home): void {
  try {
    if (mkdirSync(home.dir, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(home.dir, 0o700);
  } catch (error) {
    const hint = 'set CIS_HOME to a directory that you may write to';
    throw new CommandError('failed', `cannot make ${home.dir} (${(error as Error).message})`, [hint]);
  }
}

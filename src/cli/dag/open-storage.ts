import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
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
    makePrivateDir(home.dir);
  } catch (error) {
    const hint = 'set CIS_HOME to a directory that you may write to';
    throw new CommandError('failed', `cannot make ${home.dir} (${(error as Error).message})`, [hint]);
  }
}

import { join } from 'node:path';
import { connectDevice, type Connection } from '../../src/bridge/connect.ts';
import { matrixFiles, readAccount } from '../../src/matrix/secrets.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';

/** Opens the device a home is logged in with, for fixture programs. */
export async function openHomeDevice(home: string): Promise<Connection & { readonly db: Db }> {
  const files = matrixFiles(home);
  const db = openStorage(join(home, 'cis.db'));
  const account = readAccount(files);
  if (!db.ok || !account.ok || account.value === null) throw new Error(`no account in ${home}`);
  const connection = await connectDevice(files, account.value, db.value);
  if (!connection.ok) throw new Error(connection.error.detail);
  return { ...connection.value, db: db.value };
}

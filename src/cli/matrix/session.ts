import { randomBytes } from 'node:crypto';
import type { RateLimit } from '../../domain/room.ts';
import type { CrossSigning } from '../../matrix/crypto/cross-signing.ts';
import { writeAccount, type Account } from '../../matrix/secrets.ts';
import { writeDevice } from '../../storage/device.ts';
import { startBridgeIfOwing } from '../../bridge/start.ts';
import { home } from '../context.ts';
import { failed, files, openWriter } from './context.ts';
import { CommandError } from '../exit.ts';

/**
 * Makes this home the device that logged in: token kept, row in the database, keys made and uploaded, and the device signed by
 * the account where that can be done without a person.
 */
export async function settleDevice(
  account: Account,
  limit: RateLimit | null,
  password: string | null,
): Promise<CrossSigning> {
  const { connectDevice } = await import('../../bridge/connect.ts');
  const { ensureCrossSigning } = await import('../../matrix/crypto/cross-signing.ts');
  const db = openWriter();
  try {
    writeAccount(files(), account);
    writeDevice(db, { ...account, txnPrefix: `cis${randomBytes(6).toString('hex')}`, limit });
    const connection = await connectDevice(files(), account, db);
    if (!connection.ok) throw new CommandError('refused', connection.error.detail);
    const { crypto, http, transport } = connection.value;
    try {
      const signing = await ensureCrossSigning(crypto, http, password);
      if (!signing.ok) throw failed(signing.error, 'logged in, but the keys of this device could not be uploaded');
      return signing.value;
    } finally {
      await transport.close();
      startBridgeIfOwing(home(), db);
    }
  } finally {
    db.close();
  }
}

/** What a person does about a device that is not signed yet. */
export function signingHint(signing: CrossSigning, { oauth }: Pick<Account, 'oauth'> = {}): string | null {
  switch (signing.kind) {
    case 'signed':
      return null;
    case 'needs-verification':
      return 'other clients warn about this device until you compare emoji with one of them: cis matrix verify';
    case 'needs-password':
      return oauth === undefined
        ? 'other clients warn about this device: log in once more with the password to sign it'
        : 'other clients warn about this device: allow a reset of its identity on the page of your account, then log in again';
  }
}

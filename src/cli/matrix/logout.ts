import type { Command } from 'commander';
import type { Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../../matrix/failure.ts';
import { revokeSession } from '../../matrix/oauth.ts';
import { removeAccount } from '../../matrix/secrets.ts';
import { forgetDevice, listEncryptedRooms } from '../../storage/device.ts';
import { summarizeOutbox } from '../../storage/outbox.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { failed, files, findAccount, openClient, openWriter } from './context.ts';

export function command(into: Command): Command {
  return into
    .option('--yes', 'lose the keys of encrypted rooms without being asked')
    .option('--json', 'print JSON')
    .action(logout);
}

/** Logs the device out and forgets its keys: the device reset. It says first what is lost. */
export async function logout(options: { readonly yes?: true; readonly json?: true }): Promise<void> {
  const before = findAccount();
  if (before === null) {
    if (options.json) printJson({ logged_out: false });
    else print(['not logged in']);
    return;
  }
  const db = openWriter();
  try {
    const rooms = listEncryptedRooms(db);
    const { waiting } = summarizeOutbox(db);
    if (rooms.length > 0 && options.yes !== true) throw needsYes(rooms.length, waiting);
    const answer = before.oauth === undefined ? await endDevice() : await revokeSession(before.oauth);
    // A token that is gone already is what was wanted. An unreachable server is not: the token would live on there.
    if (!answer.ok && answer.error.kind !== 'unauthorized') throw failed(answer.error, 'cannot log out');
    removeAccount(files());
    forgetDevice(db);
    if (options.json) printJson({ logged_out: true, user_id: before.userId, lost_keys_of_rooms: rooms });
    else print([`logged out ${before.userId}, device ${before.deviceId}`]);
  } finally {
    db.close();
  }
}

function endDevice(): Promise<Result<unknown, MatrixFailure>> {
  const { http } = openClient();
  return http.json({ method: 'POST', path: '/_matrix/client/v3/logout', body: {} });
}

function needsYes(rooms: number, waiting: number): CommandError {
  const queue = waiting === 0 ? [] : [`${waiting} events that wait to be sent go out by the next device`];
  return new CommandError('refused', `logging out loses the keys of ${rooms} encrypted room${rooms === 1 ? '' : 's'}`, [
    'the next device of this account cannot read what was written there before it logged in',
    ...queue,
    'to do it all the same: cis matrix logout --yes',
  ]);
}

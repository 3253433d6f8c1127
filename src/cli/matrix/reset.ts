import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { eraseHomeserver } from '../../matrix/homeserver/private.ts';
import { readState } from '../../matrix/homeserver/synapse.ts';
import { removeAccount } from '../../matrix/secrets.ts';
import { forgetDevice } from '../../storage/device.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { files, findAccount, openWriter } from './context.ts';

interface Options {
  readonly yes?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into.option('--yes', 'remove it without being asked').option('--json', 'print JSON').action(reset);
}

/** Removes the private homeserver with all it holds, and this home's login at it, which is worth nothing without it. */
async function reset(options: Options): Promise<void> {
  const { homeserver: dir } = files();
  const isThere = existsSync(dir);
  if (isThere && options.yes !== true) {
    throw new CommandError('refused', 'this removes the private homeserver with its rooms, messages and accounts', [
      'to do it: cis matrix reset --yes',
      'to lose only the keys of this device: cis matrix logout',
    ]);
  }
  const port = readState(dir)?.port;
  await eraseHomeserver(dir);
  const loggedOut = isThere && findAccount()?.homeserver === `http://127.0.0.1:${port}`;
  if (loggedOut) forgetLogin();
  if (options.json) printJson({ removed: isThere, logged_out: loggedOut });
  else print([isThere ? 'removed the private homeserver' : 'there is no private homeserver in this home']);
}

function forgetLogin(): void {
  removeAccount(files());
  const db = openWriter();
  forgetDevice(db);
  db.close();
}

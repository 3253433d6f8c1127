import type { Command } from 'commander';
import { print, printJson } from '../context.ts';
import { openClient, whoAmI } from './context.ts';

export function command(into: Command): Command {
  return into.option('--json', 'print JSON').action(async (options: { readonly json?: true }) => {
    const { account, http } = openClient();
    const { userId, deviceId } = await whoAmI(http);
    if (options.json) printJson({ user_id: userId, device_id: deviceId, homeserver: account.homeserver });
    else print([`${userId}, device ${deviceId}, at ${account.homeserver}`]);
  });
}

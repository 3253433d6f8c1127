import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import type { RunSettings } from '../../domain/run.ts';
import { CommandError } from '../exit.ts';

/** Tells a process started here that it is one, and nobody sees what it prints. */
export const backgroundVariable = 'CIS_BACKGROUND';

/** Starts a process that drives the run on, and resolves once it holds the lease. */
export async function startInBackground(
  home: Home,
  settings: RunSettings,
  flags: { readonly noWait: boolean; readonly paused: boolean },
): Promise<void> {
  makePrivateDir(home.logs);
  const log = join(home.logs, `${settings.run}.log`);
  const fd = openSync(log, 'a', 0o600);
  const more = [...(flags.noWait ? ['--no-wait'] : []), ...(flags.paused ? ['--paused'] : [])];
  const args = [process.argv[1] ?? '', 'dag', 'execute', '--run-id', settings.run, ...more];
  const child = process.getBuiltinModule('node:child_process').spawn(process.execPath, args, {
    detached: true,
    env: { ...process.env, [backgroundVariable]: '1' },
    stdio: ['ignore', fd, fd, 'ipc'],
  });
  closeSync(fd);
  const drives = await new Promise<boolean>((resolve) => {
    child.once('message', () => resolve(true));
    child.once('exit', () => resolve(false));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (!drives)
    throw new CommandError('failed', `the background process of run ${settings.run} ended at once`, [`see ${log}`]);
}

import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import type { RunSettings } from '../../domain/run.ts';
import { CommandError } from '../exit.ts';

/** What a process that drives a run in the background was told by the one that started it. */
export interface BackgroundOrder extends Pick<RunSettings, 'maxWorkers' | 'defaultAgent' | 'agentMode' | 'vars'> {
  readonly noWait: boolean;
  readonly paused: boolean;
  readonly takeover: boolean;
}

/** The order goes by the environment, which only its owner can read, unlike arguments: values of `--var` may be secret. */
const orderVariable = 'CIS_BACKGROUND';

/** The order that this process was started with, if it was; taken out of the environment, which sessions inherit. */
export function takeBackgroundOrder(): BackgroundOrder | null {
  const text = process.env[orderVariable];
  delete process.env[orderVariable];
  return text === undefined ? null : (JSON.parse(text) as BackgroundOrder);
}

/** Starts a process that drives the run on, and resolves once its first turn is written. */
export async function startInBackground(
  home: Home,
  settings: RunSettings,
  { noWait, paused, takeover }: Pick<BackgroundOrder, 'noWait' | 'paused' | 'takeover'>,
): Promise<void> {
  makePrivateDir(home.logs);
  const log = join(home.logs, `${settings.run}.log`);
  const fd = openSync(log, 'a', 0o600);
  const { maxWorkers, defaultAgent, agentMode, vars } = settings;
  const order: BackgroundOrder = { maxWorkers, defaultAgent, agentMode, vars, noWait, paused, takeover };
  const child = process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [process.argv[1] ?? '', 'dag', 'execute', '--run-id', settings.run], {
      detached: true,
      env: { ...process.env, [orderVariable]: JSON.stringify(order) },
      stdio: ['ignore', fd, fd, 'ipc'],
    });
  closeSync(fd);
  const drives = await new Promise<boolean>((resolve) => {
    child.once('message', () => resolve(true));
    child.once('exit', () => resolve(false));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (drives) return;
  throw new CommandError('failed', `the background process of run ${settings.run} ended at once`, [
    ...lastLines(log),
    `see ${log}`,
  ]);
}

function lastLines(path: string): string[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-3)
    .filter((line) => line !== '');
}

import { ReadStream, WriteStream } from 'node:tty';
import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { DashboardOptions } from '../ui/dashboard/open-dashboard.ts';
import { home, openHomeRedactor, openScreenRedactor, readConfig } from './context.ts';
import { CommandError } from './exit.ts';

/** Where it is shown, and how. */
export type DashboardView = Omit<DashboardOptions, 'actions' | 'openSource'>;

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'runs of other machines, from the events of this room')
    .addHelpText('after', '\n? in the dashboard says what its keys do.')
    .action(dashboard);
}

async function dashboard(flags: { readonly room?: string }): Promise<void> {
  const { stdin, stdout } = needTerminal();
  const { config } = await readConfig();
  const { lookFor } = await import('../ui/style.ts');
  const signal = untilSignalled();
  const view = { stdin, stdout, look: lookFor(stdout, process.env), signal };
  if (flags.room === undefined) await showThisMachine(view, config);
  else {
    const { showRoom } = await import('./dashboard/show-room.ts');
    await showRoom({ ...view, mask: await openScreenRedactor(config) }, flags.room);
  }
  process.exit(); // a request that waits for an answer holds nobody up
}

async function showThisMachine(view: Omit<DashboardView, 'mask'>, config: Config): Promise<void> {
  const detach = (await import('../host/keys.ts')).parseKeys(config.attach.detach);
  if (!detach.ok) throw new CommandError('usage', `[attach] detach: ${detach.error}`);
  const { openToWrite } = await import('./dag/open-storage.ts');
  const { openLocalSource } = await import('./dashboard/local-source.ts');
  const { openActions } = await import('./dashboard/actions.ts');
  const { openDashboard } = await import('../ui/dashboard/open-dashboard.ts');
  const { stdin, stdout } = view;
  const db = openToWrite(home()); // there may be none yet, and then there is one to watch
  const mask = await openHomeRedactor(config, db);
  try {
    await openDashboard({
      ...view,
      mask,
      actions: openActions({ home: home(), config, stdin, stdout, detachKeys: detach.value }),
      openSource: (changed) => openLocalSource(home(), db, changed),
    });
  } finally {
    db.close();
  }
}

function needTerminal(): { readonly stdin: ReadStream; readonly stdout: WriteStream } {
  const { stdin, stdout } = process;
  const term = process.env['TERM'] ?? '';
  if (!(stdin instanceof ReadStream) || !(stdout instanceof WriteStream) || term === '' || term === 'dumb') {
    throw new CommandError('usage', 'the dashboard needs a terminal that can move its cursor', [
      'plain lines: cis dag status, cis dag events -f, cis dag sessions --watch',
    ]);
  }
  return { stdin, stdout };
}

/** Ends on the signals that end a program, with the exit code that tells which. */
function untilSignalled(): AbortSignal {
  const abort = new AbortController();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      process.exitCode = code;
      abort.abort();
    });
  }
  return abort.signal;
}

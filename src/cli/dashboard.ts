import { ReadStream, WriteStream } from 'node:tty';
import type { Command } from 'commander';
import { home, openHomeRedactor, readConfig } from './context.ts';
import { CommandError } from './exit.ts';

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'runs of other machines, from the events of this room')
    .addHelpText('after', '\n? in the dashboard says what its keys do.')
    .action(dashboard);
}

async function dashboard(flags: { readonly room?: string }): Promise<void> {
  if (flags.room !== undefined) {
    throw new CommandError('usage', '--room needs hybrid mode, which this version does not have yet', [
      `to follow the room as text: cis matrix subscribe ${flags.room}`,
    ]);
  }
  const { stdin, stdout } = needTerminal();
  const { config } = await readConfig();
  const detach = (await import('../host/keys.ts')).parseKeys(config.attach.detach);
  if (!detach.ok) throw new CommandError('usage', `[attach] detach: ${detach.error}`);
  const { openToWrite } = await import('./dag/open-storage.ts');
  const { openLocalSource } = await import('./dashboard/local-source.ts');
  const { openActions } = await import('./dashboard/actions.ts');
  const { openDashboard } = await import('../ui/dashboard/open-dashboard.ts');
  const { lookFor } = await import('../ui/style.ts');
  const db = openToWrite(home()); // there may be none yet, and then there is one to watch
  const mask = await openHomeRedactor(config, db);
  try {
    await openDashboard({
      stdin,
      stdout,
      look: lookFor(stdout, process.env),
      mask,
      actions: openActions({ home: home(), config, stdin, stdout, detachKeys: detach.value }),
      openSource: (changed) => openLocalSource(home(), db, changed),
      signal: untilSignalled(),
    });
  } finally {
    db.close();
  }
  process.exit(); // a request that waits for an answer holds nobody up
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

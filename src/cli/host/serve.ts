import type { Command } from 'commander';
import { findHome } from '../../config/home.ts';
import { describeConnectError } from '../../host/client.ts';
import { protocolMajor } from '../../host/protocol.ts';
import { serveHost } from '../../host/serve.ts';
import { openSpawner } from '../../host/spawner.ts';
import { CommandError } from '../exit.ts';

export function command(into: Command): Command {
  return into.option('--idle <seconds>', 'end after so long without session and connection', Number, 60).action(serve);
}

/** Runs the host in the foreground, to look at it; usually it starts by itself in the background. */
async function serve(flags: { readonly idle: number }): Promise<void> {
  using spawner = openSpawner();
  const outcome = await serveHost({
    home: findHome(process.env),
    major: protocolMajor,
    idleMs: flags.idle * 1000,
    spawner,
    onReady: () => process.stdout.write('ready\n'),
  });
  if (outcome.ok) process.exit(0);
  if (outcome.error.kind === 'not-yours') throw new CommandError('refused', describeConnectError(outcome.error));
  throw new CommandError('refused', 'a host is running already', ['see: cis host status']);
}

import type { Command } from 'commander';
import { findHome } from '../../config/home.ts';
import { connectHosts, describeHostError } from '../../host/client.ts';
import { CommandError } from '../exit.ts';

export function command(into: Command): Command {
  return into
    .option('-f, --force', 'end living sessions: politely, after 5 s firmly')
    .option('--json', 'one JSON value: {stopped: number}')
    .action(stop);
}

async function stop(flags: { readonly force?: boolean; readonly json?: boolean }): Promise<void> {
  const hosts = await connectHosts(findHome(process.env), 'host stop');
  let stopped = 0;
  for (const host of hosts) {
    const reply = await host.request({ kind: 'stop', force: flags.force ?? false });
    if (!reply.ok && reply.error.kind !== 'disconnected') {
      for (const open of hosts) open[Symbol.dispose]();
      throw new CommandError('refused', describeHostError(reply.error), ['to end them: cis host stop --force']);
    }
    await host.closed;
    stopped += 1;
  }
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ stopped })}\n`);
  else process.stdout.write(stopped === 0 ? 'no host is running\n' : 'stopped\n');
}

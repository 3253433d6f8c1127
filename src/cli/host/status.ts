import type { Command } from 'commander';
import { findHome } from '../../config/home.ts';
import { connectHosts } from '../../host/client.ts';
import { hostPaths } from '../../host/paths.ts';
import type { HostStatus } from '../../host/protocol.ts';

export function command(into: Command): Command {
  return into.option('--json', 'one JSON value: {hosts: […], socket}').action(status);
}

/** Shows every living host of this home; one of an older protocol ends with its last session. */
async function status(flags: { readonly json?: boolean }): Promise<void> {
  const home = findHome(process.env);
  const { socket } = hostPaths(home);
  const hosts = await connectHosts(home, 'host status');
  const replies = await Promise.all(hosts.map((host) => host.request({ kind: 'status' })));
  for (const host of hosts) host[Symbol.dispose]();
  const found = replies.flatMap((reply) => (reply.ok && reply.value.kind === 'status' ? [reply.value.status] : []));
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ hosts: found, socket })}\n`);
  else if (found.length === 0)
    process.stdout.write(`no host is running (socket: ${socket}); one starts with the next session\n`);
  else process.stdout.write(found.map((host) => `${renderStatus(host)}\n`).join(''));
}

function renderStatus({ pid, version, startedAt, sessions, rssBytes }: HostStatus): string {
  const since = new Date(startedAt).toISOString().replace('T', ' ').slice(0, 19);
  const memory = `${(rssBytes / 1024 / 1024).toFixed(1)} MiB`;
  return `host pid ${pid}, cis ${version}, since ${since} UTC, ${sessions} session${sessions === 1 ? '' : 's'}, ${memory}`;
}

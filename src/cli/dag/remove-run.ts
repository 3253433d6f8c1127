import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { RunId } from '../../domain/ids.ts';
import { isHolderAlive } from '../../executor/identity.ts';
import { connectHosts } from '../../host/client.ts';
import { removeRun } from '../../storage/create.ts';
import type { Db } from '../../storage/open.ts';
import { readLease } from '../../storage/read.ts';

/** Removes a run with its recordings and outputs; says why when it is still at work. */
export async function tryRemove(home: Home, db: Db, run: RunId): Promise<string | null> {
  const lease = readLease(db, run);
  if (lease !== null && isHolderAlive(lease)) return `run ${run} is being driven by process ${lease.pid}`;
  if (await hasSessions(home, run)) return `run ${run} still has living sessions`;
  removeRun(db, run);
  rmSync(join(home.sessions, run), { recursive: true, force: true });
  rmSync(join(home.logs, `${run}.log`), { force: true });
  return null;
}

async function hasSessions(home: Home, run: RunId): Promise<boolean> {
  const hosts = await connectHosts(home, `looking for sessions of ${run}`);
  try {
    const lists = await Promise.all(hosts.map((host) => host.request({ kind: 'list', run })));
    return lists.some((list) => list.ok && list.value.kind === 'sessions' && list.value.sessions.length > 0);
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
}

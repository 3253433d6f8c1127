import type { Home } from '../config/home.ts';
import { parseSessionId, type SessionId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { isInFleet } from '../federation/in-fleet.ts';
import type { RemoteHost } from '../federation/remote/connect.ts';
import type { Db } from '../storage/open.ts';
import { listPlacedSessions } from '../storage/remote-sessions.ts';

/**
 * Calls with the host of the node that has a session. Null: no other node is known to have it; an error says why the node is not
 * reached.
 */
export async function withNodeOf<T>(
  home: Home,
  db: Db,
  session: SessionId,
  use: (host: RemoteHost) => Promise<T>,
): Promise<Result<T | null, string>> {
  const parts = parseSessionId(session);
  if (!parts.ok || !isInFleet(home)) return ok(null);
  const placed = listPlacedSessions(db, parts.value.run).find((one) => one.session === session);
  if (placed === undefined) return ok(null);
  const { addressOf, openReach } = await import('../federation/remote/reach.ts');
  const address = addressOf(db, placed.did);
  const reach = openReach(home, { what: `bridge (pid ${process.pid})` });
  if (!reach.ok) return reach;
  using nodes = reach.value;
  if (placed.did === nodes.ownDid) return ok(null);
  if (address === null) return err(`nothing is known of the node ${placed.did}`);
  const host = await nodes.host(address);
  return host.ok ? ok(await use(host.value)) : host;
}

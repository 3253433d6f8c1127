import type { Home } from '../config/home.ts';
import { parseSessionId, type SessionId } from '../domain/ids.ts';
import { ok, type Result } from '../domain/result.ts';
import type { RemoteHost } from '../federation/remote/connect.ts';
import type { KnownAddress, Reach } from '../federation/remote/reach.ts';
import { isInFleet } from '../federation/in-fleet.ts';
import type { HostedSession } from '../host/protocol.ts';
import { CommandError } from './exit.ts';
import type { FoundSession } from './resolve.ts';

/** The node that has a session, or had it; without an address it was never heard of here. */
export interface NodePlace {
  readonly name: string;
  readonly known: KnownAddress | null;
}

/** Sessions on other nodes and where they are; none for a home that has to do with no other node, which costs one look at a file. */
export async function readPlaces(home: Home, run: string | null): Promise<ReadonlyMap<SessionId, NodePlace>> {
  if (!isInFleet(home)) return new Map();
  const { addressOf } = await import('../federation/remote/reach.ts');
  const { readIdentity } = await import('../federation/identity.ts');
  const { openStorageToRead } = await import('../storage/open.ts');
  const { listPlacedSessions } = await import('../storage/remote-sessions.ts');
  const db = openStorageToRead(home.database);
  if (!db.ok) return new Map();
  const own = readIdentity(home)?.did;
  const places = new Map<SessionId, NodePlace>();
  for (const { session, did } of listPlacedSessions(db.value, run)) {
    if (did === own) continue;
    const known = addressOf(db.value, did);
    places.set(session, { name: known?.name ?? did, known });
  }
  db.value.close();
  return places;
}

/** Connections to nodes, one for each that is asked for. */
export interface Nodes extends Disposable {
  host(place: NodePlace): Promise<Result<RemoteHost, string>>;
}

export async function openNodes(home: Home, what: string, answerMs?: number): Promise<Nodes> {
  const { openReach } = await import('../federation/remote/reach.ts');
  const options = answerMs === undefined ? { what } : { what, answerMs };
  const reach: Result<Reach, string> = openReach(home, options);
  const hosts = new Map<string, Promise<Result<RemoteHost, string>>>();
  return {
    async host({ name, known }) {
      if (!reach.ok) return reach;
      if (known === null) return { ok: false, error: `nothing is known here of the node ${name}` };
      const host = hosts.get(known.address.did) ?? reach.value.host(known);
      hosts.set(known.address.did, host);
      return host;
    },
    [Symbol.dispose]: () => void (reach.ok && reach.value[Symbol.dispose]()),
  };
}

/** A session on another node as it is there now; throws when the node is not reached. */
export async function reachSession(nodes: Nodes, found: FoundSession, place: NodePlace): Promise<FoundSession> {
  const host = await nodes.host(place);
  if (!host.ok) throw new CommandError('unreachable', host.error, ['see: cis node list']);
  const session = (await listOn(host.value)).find((one) => one.session === found.id);
  return { ...found, remote: host.value, living: session === undefined ? null : { host: host.value, session } };
}

export async function listOn(host: RemoteHost): Promise<readonly HostedSession[]> {
  const list = await host.request({ kind: 'list', run: null });
  return list.ok && list.value.kind === 'sessions' ? list.value.sessions : [];
}

/** Calls with the host of the node that has a session, or had it; null: none is known to. An error says why it is not reached. */
export async function withNodeOf<T>(
  home: Home,
  session: SessionId,
  what: string,
  use: (host: RemoteHost) => Promise<T>,
): Promise<Result<T | null, string>> {
  const parts = parseSessionId(session);
  const places = await readPlaces(home, parts.ok ? parts.value.run : session);
  const place = places.get(session);
  if (place === undefined) return ok(null);
  using nodes = await openNodes(home, what);
  const host = await nodes.host(place);
  return host.ok ? ok(await use(host.value)) : host;
}

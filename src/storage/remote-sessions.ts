import { parseDid, type Did } from '../domain/fleet/did.ts';
import { parseSessionId, sessionId, type RunId, type SessionId } from '../domain/ids.ts';
import { fromJson } from './json.ts';
import { listNodes } from './nodes.ts';
import type { Db } from './open.ts';

/** A session of a run of the room, and the node that has it, or had it. */
export interface PlacedSession {
  readonly session: SessionId;
  readonly run: RunId;
  readonly did: Did;
}

/**
 * Sessions that are, or were, on nodes: by the leases of runs that this home coordinates, by what nodes say they hold, and by what
 * was told in the rooms that this home reads, in this order of belief. `run` is the beginning of run ids; null is all.
 */
export function listPlacedSessions(db: Db, run: string | null): PlacedSession[] {
  const found = new Map<SessionId, PlacedSession>();
  const add = (session: string, did: unknown): void => {
    const parts = parseSessionId(session);
    const node = parseDid(String(did));
    if (!parts.ok || !node.ok || !parts.value.run.startsWith(run ?? '')) return;
    const id = sessionId(parts.value.run, parts.value.task, parts.value.attempt);
    if (!found.has(id)) found.set(id, { session: id, run: parts.value.run, did: node.value });
  };
  for (const { session, did } of leases(db)) add(session, did);
  for (const { node } of listNodes(db)) {
    for (const lease of node.leases) add(sessionId(lease.run, lease.task, lease.attempt), node.facts.did);
  }
  const dids = didsByName(db);
  for (const { tasks = [] } of statuses(db)) {
    for (const { session_id, node } of tasks) {
      if (session_id !== undefined && node !== undefined) add(session_id, dids.get(node));
    }
  }
  return [...found.values()];
}

function leases(db: Db): { readonly session: string; readonly did: string }[] {
  const query = 'SELECT session, did FROM fleet_leases WHERE did IS NOT NULL ORDER BY epoch DESC';
  return db.prepare(query).all() as { session: string; did: string }[];
}

interface StatusContent {
  readonly tasks?: readonly { readonly session_id?: string; readonly node?: string }[];
}

/** Nodes by the names that coordinators call them; two of one name are none. */
function didsByName(db: Db): ReadonlyMap<string, Did> {
  const byName = Map.groupBy(listNodes(db), ({ node }) => node.facts.node);
  return new Map(
    [...byName].flatMap(([name, [only, another]]) =>
      only === undefined || another !== undefined ? [] : [[name, only.node.facts.did] as const],
    ),
  );
}

/** What coordinators told, newest first: of a session that moved, where it is now. */
function statuses(db: Db): StatusContent[] {
  const query = `SELECT content FROM fleet_inbox WHERE type = 'cis.dag.task.status' ORDER BY seq DESC LIMIT 2000`;
  return (db.prepare(query).pluck().all() as string[]).map((content) => fromJson<StatusContent>(content));
}

/** Whether a run is one of those that gave this home's node work. */
export function hasWorkOf(db: Db, run: RunId): boolean {
  return db.prepare('SELECT 1 FROM node_runs WHERE run_id = ?').get(run) !== undefined;
}

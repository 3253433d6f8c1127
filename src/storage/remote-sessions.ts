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
  for (const content of statuses(db)) {
    for (const task of content.tasks ?? []) if (task.session_id !== undefined) add(task.session_id, content.did);
  }
  return [...found.values()];
}

function leases(db: Db): { readonly session: string; readonly did: string }[] {
  const query = 'SELECT session, did FROM fleet_leases WHERE did IS NOT NULL ORDER BY epoch DESC';
  return db.prepare(query).all() as { session: string; did: string }[];
}

interface StatusContent {
  readonly did?: string;
  readonly tasks?: readonly { readonly session_id?: string }[];
}

/** Newest first: of a session that moved, where it is now. */
function statuses(db: Db): StatusContent[] {
  const query = `SELECT content FROM fleet_inbox WHERE type = 'cis.dag.task.status' ORDER BY seq DESC LIMIT 2000`;
  return (db.prepare(query).pluck().all() as string[]).map((content) => fromJson<StatusContent>(content));
}

/** Who gave this home's node the work of a run; null: it has none of it. */
export function readCoordinatorOf(db: Db, run: RunId): string | null {
  const found = db.prepare(`SELECT coordinator ->> '$.did' FROM node_runs WHERE run_id = ?`).pluck().get(run);
  return typeof found === 'string' ? found : null;
}

import { closedBreaker, type Breaker } from '../domain/fleet/breaker.ts';
import type { Did } from '../domain/fleet/did.ts';
import type { Heartbeat, KnownNode } from '../domain/fleet/facts.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

/** A node that was heard of, trusted or not. */
export interface NodeRow {
  readonly node: KnownNode;
  /** Where it was heard last; null: by to-device messages only. */
  readonly room: string | null;
  readonly breaker: Breaker;
  /** By lane, the number of its newest heartbeat. */
  readonly seqs: Readonly<Record<string, number>>;
  /** Of the newest one; null where a coordinator of this home heard it. */
  readonly lane: string | null;
}

/** What is kept of a heartbeat, with where it came. */
interface Stored extends Heartbeat {
  readonly lane?: string;
}

interface RawNode {
  room: string | null;
  facts: string;
  heard_at: number;
  breaker: string | null;
  latency_ms: number | null;
  seqs: string | null;
}

const columns = 'room, facts, heard_at, breaker, latency_ms, seqs';

export function listNodes(db: Db): NodeRow[] {
  const query = `SELECT ${columns} FROM fleet_nodes WHERE facts IS NOT NULL ORDER BY name, did`;
  return (db.prepare(query).all() as RawNode[]).map(fromRaw);
}

export function countNodes(db: Db): number {
  return Number(db.prepare('SELECT count(*) FROM fleet_nodes').pluck().get());
}

export function readNode(db: Db, did: Did): NodeRow | null {
  const query = `SELECT ${columns} FROM fleet_nodes WHERE did = ? AND facts IS NOT NULL`;
  const row = db.prepare(query).get(did) as RawNode | undefined;
  return row === undefined ? null : fromRaw(row);
}

function fromRaw({ room, facts, heard_at, breaker, latency_ms, seqs }: RawNode): NodeRow {
  const { lane = null, ...heartbeat } = fromJson<Stored>(facts);
  return {
    node: { ...heartbeat, heardAt: heard_at, latencyMs: latency_ms },
    room,
    lane,
    breaker: breaker === null ? closedBreaker : fromJson<Breaker>(breaker),
    seqs: seqs === null ? {} : fromJson<Record<string, number>>(seqs),
  };
}

export interface HeardHeartbeat {
  readonly heartbeat: Heartbeat;
  /** The room, or `to-device`; null: it does not matter. */
  readonly lane: string | null;
  /** Its number in the lane; null: whoever heard it has seen to the order. */
  readonly seq: number | null;
  /** By the clock of this machine. */
  readonly at: number;
}

/**
 * Notes a heartbeat whose signature is right, trusted or not: discovery is not trust. False when the node said something later
 * before. Messages to the device are fresh; what a room has may be read late, and must not undo them.
 */
export function writeHeartbeat(db: Db, { heartbeat, lane, seq, at }: HeardHeartbeat): boolean {
  const { did, node, userId, deviceId } = heartbeat.facts;
  const before = readNode(db, did);
  const isRoom = lane?.startsWith('!') === true;
  if (before !== null && seq !== null && lane !== null) {
    if (seq <= (before.seqs[lane] ?? 0)) return false;
    if (isRoom && before.lane !== lane && at < before.node.heardAt) return false;
  }
  const room = isRoom ? lane : (before?.room ?? null);
  const seqs = lane === null || seq === null ? (before?.seqs ?? {}) : { ...before?.seqs, [lane]: seq };
  const facts: Stored = seq === null || lane === null ? heartbeat : { ...heartbeat, lane };
  db.prepare(
    `INSERT INTO fleet_nodes (did, name, user_id, device_id, room, facts, heard_at, seqs)
     VALUES (@did, @node, @userId, @deviceId, @room, @facts, @at, @seqs)
     ON CONFLICT (did) DO UPDATE SET name = @node, user_id = @userId, device_id = @deviceId, room = @room, facts = @facts,
       heard_at = max(heard_at, @at), seqs = @seqs`,
  ).run({ did, node, userId, deviceId, room, facts: toJson(facts), at, seqs: toJson(seqs) });
  return true;
}

export function writeLatency(db: Db, did: Did, ms: number): void {
  db.prepare('UPDATE fleet_nodes SET latency_ms = ? WHERE did = ?').run(Math.round(ms), did);
}

/** Forgets a node that was never trusted or is gone for good. */
export function removeNode(db: Db, did: Did): boolean {
  return db.prepare('DELETE FROM fleet_nodes WHERE did = ?').run(did).changes > 0;
}

const drainKey = 'node-draining';

/** Whether somebody said `cis node drain` here. It outlives a restart of the node. */
export function readDraining(db: Db): boolean {
  return db.prepare('SELECT 1 FROM settings WHERE name = ?').get(drainKey) !== undefined;
}

export function writeDraining(db: Db, draining: boolean): void {
  if (draining) db.prepare('INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?)').run(drainKey, '1');
  else db.prepare('DELETE FROM settings WHERE name = ?').run(drainKey);
}

/** A room of nodes as the homeserver described it when it was last asked. */
export interface RememberedRoom {
  readonly room: string;
  readonly machines: string;
  readonly encrypted: boolean;
}

export function readRememberedRoom(db: Db, wanted: string): RememberedRoom | null {
  const query = db.prepare('SELECT value FROM settings WHERE name = ?').pluck();
  const text = query.get(`fleet-room:${wanted}`) as string | undefined;
  return text === undefined ? null : fromJson<RememberedRoom>(text);
}

export function rememberRoom(db: Db, wanted: string, room: RememberedRoom): void {
  db.prepare(
    'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  ).run(`fleet-room:${wanted}`, toJson(room));
}

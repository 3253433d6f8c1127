import type { Did } from '../domain/fleet/did.ts';
import { memoryFrom, noMemory, type SeqMemory } from '../domain/fleet/freshness.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';

export type TrustRole = 'worker' | 'coordinator';

/** Another home's node, as far as the user of this one trusts it. */
export interface TrustRow {
  readonly did: Did;
  readonly node: string | null;
  readonly userId: string | null;
  readonly roles: readonly TrustRole[];
  readonly how: 'command' | 'ticket';
  readonly at: number;
}

interface RawTrust {
  did: string;
  node: string | null;
  user_id: string | null;
  worker: number;
  coordinator: number;
  how: string;
  at: number;
}

export function listTrust(db: Db): TrustRow[] {
  return (db.prepare('SELECT * FROM fleet_trust ORDER BY at, did').all() as RawTrust[]).map(fromRaw);
}

export function readTrust(db: Db, did: Did): TrustRow | null {
  const row = db.prepare('SELECT * FROM fleet_trust WHERE did = ?').get(did) as RawTrust | undefined;
  return row === undefined ? null : fromRaw(row);
}

function fromRaw(row: RawTrust): TrustRow {
  return {
    did: row.did as Did,
    node: row.node,
    userId: row.user_id,
    roles: [...(row.worker ? (['worker'] as const) : []), ...(row.coordinator ? (['coordinator'] as const) : [])],
    how: row.how === 'ticket' ? 'ticket' : 'command',
    at: row.at,
  };
}

/**
 * Trusts a node as given, whatever was before. `heard`: the newest number of its messages in each lane; what is older than the trust
 * is very old from now on.
 */
export function writeTrust(db: Db, row: TrustRow, heard: ReadonlyMap<string, number>): void {
  const write = db.transaction(() => {
    const { did, node, userId, roles, how, at } = row;
    const isNew = readTrust(db, did) === null;
    db.prepare(
      `INSERT INTO fleet_trust (did, node, user_id, worker, coordinator, how, at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (did) DO UPDATE SET node = excluded.node, user_id = excluded.user_id, worker = excluded.worker,
         coordinator = excluded.coordinator, how = excluded.how, at = excluded.at`,
    ).run(did, node, userId, Number(roles.includes('worker')), Number(roles.includes('coordinator')), how, at);
    if (!isNew) return;
    for (const [lane, seq] of heard) {
      // Messages that were taken while it was trusted before stay taken.
      const before = readSeen(db, did, lane);
      if (before.floor < seq && before.runs.length === 0) writeSeen(db, did, lane, memoryFrom(seq));
    }
  });
  write.immediate();
}

/** Takes trust back; what was seen of it stays remembered, so that trust given again does not open the past. */
export function removeTrust(db: Db, did: Did): boolean {
  return db.prepare('DELETE FROM fleet_trust WHERE did = ?').run(did).changes > 0;
}

/** Notes the account of a node that was trusted before it was ever heard. */
export function bindUser(db: Db, did: Did, userId: string): void {
  db.prepare('UPDATE fleet_trust SET user_id = ? WHERE did = ? AND user_id IS NULL').run(userId, did);
}

export function readSeen(db: Db, did: Did, lane: string): SeqMemory {
  const row = db.prepare('SELECT memory FROM fleet_seen WHERE did = ? AND lane = ?').get(did, lane) as
    | { memory: string }
    | undefined;
  return row === undefined ? noMemory : fromJson<SeqMemory>(row.memory);
}

export function writeSeen(db: Db, did: Did, lane: string, memory: SeqMemory): void {
  db.prepare(
    `INSERT INTO fleet_seen (did, lane, memory) VALUES (?, ?, ?)
     ON CONFLICT (did, lane) DO UPDATE SET memory = excluded.memory`,
  ).run(did, lane, toJson(memory));
}

/**
 * The number of this home's next signed message in a lane; call it in the transaction that freezes the message. A home that lost
 * its database goes on by the clock, so that its new numbers are above the old ones.
 */
export function takeSeq(db: Db, lane: string, now: number): number {
  const row = db
    .prepare(
      `INSERT INTO settings (name, value) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING value`,
    )
    .get(`fleet-seq:${lane}`, String(now)) as { value: string };
  return Number(row.value);
}

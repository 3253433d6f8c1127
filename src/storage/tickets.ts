import type { Did } from '../domain/fleet/did.ts';
import { fromJson, toJson } from './json.ts';
import type { Db } from './open.ts';
import type { TrustRole } from './trust.ts';

/** An invitation that this home gave, or the one that it came with. */
export interface TicketRow {
  readonly id: string;
  readonly direction: 'given' | 'taken';
  /** Known to who gave it and to whoever has the ticket. */
  readonly secret: string;
  readonly room: string;
  /** Who used it, or who gave it; null while nobody used it. */
  readonly peer: Did | null;
  /** What the peer is trusted as here. */
  readonly roles: readonly TrustRole[];
  readonly expiresAt: number;
  /** When it was used, or the welcome came. */
  readonly settledAt: number | null;
}

interface RawTicket {
  id: string;
  direction: string;
  secret: string;
  room: string;
  peer: string | null;
  roles: string;
  expires_at: number;
  settled_at: number | null;
}

export function writeTicket(db: Db, ticket: TicketRow): void {
  const { id, direction, secret, room, peer, roles, expiresAt, settledAt } = ticket;
  db.prepare(
    `INSERT OR REPLACE INTO fleet_tickets (id, direction, secret, room, peer, roles, expires_at, settled_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(id, direction, secret, room, peer, toJson(roles), expiresAt, settledAt);
}

export function readTicket(db: Db, id: string, direction: TicketRow['direction']): TicketRow | null {
  const query = 'SELECT * FROM fleet_tickets WHERE id = ? AND direction = ?';
  const row = db.prepare(query).get(id, direction) as RawTicket | undefined;
  return row === undefined ? null : fromRaw(row);
}

export function listTickets(db: Db, direction: TicketRow['direction']): TicketRow[] {
  const query = 'SELECT * FROM fleet_tickets WHERE direction = ? ORDER BY expires_at DESC, id';
  return (db.prepare(query).all(direction) as RawTicket[]).map(fromRaw);
}

/** Whether somebody may still come with a ticket of this home: the bridge must listen until then. */
export function hasOpenTickets(db: Db, now: number): boolean {
  const query = `SELECT 1 FROM fleet_tickets WHERE direction = 'given' AND settled_at IS NULL AND expires_at > ?`;
  return db.prepare(query).get(now) !== undefined;
}

function fromRaw(row: RawTicket): TicketRow {
  return {
    id: row.id,
    direction: row.direction === 'given' ? 'given' : 'taken',
    secret: row.secret,
    room: row.room,
    peer: row.peer as Did | null,
    roles: fromJson<TrustRole[]>(row.roles),
    expiresAt: row.expires_at,
    settledAt: row.settled_at,
  };
}

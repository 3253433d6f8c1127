import type { Config } from '../../config/config.ts';
import type { NodeFacts } from '../../domain/fleet/facts.ts';
import { detect } from '../../federation/detect/detect.ts';
import type { Identity } from '../../federation/identity.ts';
import { version } from '../../host/version.ts';
import type { Account } from '../../matrix/secrets.ts';
import { listTickets } from '../../storage/tickets.ts';
import { openDatabase } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needIdentity } from './context.ts';

export interface OwnFacts {
  readonly identity: Identity;
  readonly facts: NodeFacts;
}

/** What this node is, as it tells others. A mistake in the config ends the command. */
export async function needFacts(config: Config, { userId, deviceId }: Account): Promise<OwnFacts> {
  const identity = needIdentity();
  const found = await detect({ config, env: process.env, version });
  if (!found.ok) throw new CommandError('usage', found.error);
  return { identity, facts: { ...found.value, did: identity.did, userId, deviceId, sealKey: identity.seal.publicKey } };
}

/** The room that nodes meet in: by flag, by config, or the one of the ticket that this home came with. */
export async function findRoom(given: string | undefined, config: Config): Promise<string | null> {
  const named = given ?? config.node.room_id ?? config.dag.room_id;
  if (named !== null) return named;
  const db = await openDatabase();
  const [ticket] = db === null ? [] : listTickets(db, 'taken');
  db?.close();
  return ticket?.room ?? null;
}

export async function needFleetRoom(given: string | undefined, config: Config): Promise<string> {
  const room = await findRoom(given, config);
  if (room !== null) return room;
  throw new CommandError('usage', 'in which room? give --room ROOM', [
    'or set room_id in [node] or [dag] of the config, as cis cluster init does',
    'a ticket has one: cis node join TICKET',
  ]);
}

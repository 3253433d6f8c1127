import type { Command } from 'commander';
import { formatElapsed } from '../../domain/duration.ts';
import { breakerRefusal } from '../../domain/fleet/breaker.ts';
import { fingerprintOf, type Did } from '../../domain/fleet/did.ts';
import { judgeLiveness } from '../../domain/fleet/liveness.ts';
import { readIdentity } from '../../federation/identity.ts';
import { isTrusted } from '../../federation/trust.ts';
import { listNodes, type NodeRow } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import type { TrustRole } from '../../storage/trust.ts';
import { home, print, printJson, readConfig } from '../context.ts';
import { findAccount, openWriter } from '../matrix/context.ts';
import { findRoom } from './facts.ts';
import { refresh } from './refresh.ts';
import { nodeToJson } from './to-json.ts';

interface Options {
  readonly room?: string;
  readonly cached?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'look there too (default: that of the config, or of the ticket)')
    .option('--cached', 'ask nobody: what this home has heard')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNodes that speak in the room are listed, trusted or not: to be seen is not to be trusted.')
    .action(list);
}

interface Listed {
  readonly row: NodeRow;
  readonly roles: readonly TrustRole[];
  readonly isOwn: boolean;
}

async function list(options: Options): Promise<void> {
  const { config } = await readConfig();
  const db = openWriter();
  const room = await findRoom(options.room, config);
  if (room !== null && options.cached !== true && findAccount() !== null) await refresh(db, room);
  const own = readIdentity(home())?.did ?? null;
  const rows = listNodes(db).map((row): Listed => {
    const { did } = row.node.facts;
    return { row, roles: rolesOf(db, own, did), isOwn: did === own };
  });
  db.close();
  const now = Date.now();
  if (options.json) printJson({ nodes: rows.map((one) => toJson(one, now)) });
  else if (rows.length === 0) print(['no node was heard of: start one with `cis node start --room ROOM`']);
  else print(rows.flatMap((one) => render(one, now)));
}

function rolesOf(db: Db, own: Did | null, did: Did): TrustRole[] {
  if (own === null) return [];
  return (['worker', 'coordinator'] as const).filter((role) => isTrusted(db, own, did, role));
}

/** One line to find it by, one that says what it is. */
function render({ row, roles, isOwn }: Listed, now: number): string[] {
  const { node, breaker } = row;
  const { facts, load } = node;
  const trust = isOwn ? 'this node' : roles.length === 0 ? 'not trusted' : `trusted as ${roles.join(' and ')}`;
  const troubles = [
    ...judgeLiveness(node, now).reasons,
    ...[breakerRefusal(breaker, now)].filter((one) => one !== null),
  ];
  const agents = facts.agents.map(({ name }) => name).join(' ');
  const models = facts.models.flatMap((server) => server.models);
  return [
    `${facts.node}  ${facts.did}  ${trust}`,
    `    ${fingerprintOf(facts.did)}  ${facts.userId}  heard ${formatElapsed(now - node.heardAt)} ago`,
    `    ${facts.machine.os} ${facts.machine.arch}, ${facts.machine.cores} cores, load ${(load.loadCenti / 100).toFixed(2)}, tier ${facts.tier}, ${load.slotsFree} of ${facts.slots} slots free${agents === '' ? '' : `, ${agents}`}${models.length === 0 ? '' : `, models ${models.join(' ')}`}`,
    ...troubles.map((trouble) => `    ${trouble}`),
  ];
}

function toJson({ row, roles, isOwn }: Listed, now: number): object {
  const { alive, able, willing, reasons } = judgeLiveness(row.node, now);
  return {
    ...nodeToJson(row.node),
    fingerprint: fingerprintOf(row.node.facts.did),
    trusted_as: roles,
    own: isOwn,
    alive,
    able,
    willing,
    reasons,
    breaker: row.breaker,
    room_id: row.room,
  };
}

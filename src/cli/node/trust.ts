import { Option, type Command } from 'commander';
import { fingerprintOf, type Did } from '../../domain/fleet/did.ts';
import { readNode } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { listTrust, writeTrust, type TrustRole, type TrustRow } from '../../storage/trust.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { findAccount, openClient, openWriter } from '../matrix/context.ts';
import { needDid, needIdentity } from './context.ts';

interface Options {
  readonly as?: TrustRole;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument(
      '[node]',
      'the key of a node (did:key:…), the end of it, or its name in `cis node list`; none: list who is trusted',
    )
    .addOption(
      new Option(
        '--as <role>',
        'worker: its results count here; coordinator: it may give this node work (default: both)',
      ).choices(['worker', 'coordinator']),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nTo be seen in the room is not to be trusted, not even with the same account. Compare the fingerprint with `cis node id` there.',
    )
    .action(async (text: string | undefined, options: Options) => {
      const db = openWriter();
      if (text !== undefined) await trust(db, text, options);
      else show(db, options);
      db.close();
    });
}

async function trust(db: Db, text: string, { as, json }: Options): Promise<void> {
  const did = needDid(db, text);
  if (did === needIdentity().did) throw new CommandError('refused', 'this is the key of this node: it trusts itself');
  const heard = readNode(db, did);
  const before = listTrust(db).find((row) => row.did === did);
  const roles: readonly TrustRole[] =
    as === undefined ? ['worker', 'coordinator'] : [...new Set([...(before?.roles ?? []), as])];
  const row: TrustRow = {
    did,
    node: heard?.node.facts.node ?? before?.node ?? null,
    userId: heard?.node.facts.userId ?? null,
    roles,
    how: 'command',
    at: Date.now(),
  };
  writeTrust(db, row, new Map(Object.entries(heard?.seqs ?? {})));
  await mayOrder(row, heard?.room ?? null);
  if (json) printJson(trustToJson(row));
  else
    print([
      `trusted as ${roles.join(' and ')}: ${nameOf(row)}`,
      `fingerprint ${fingerprintOf(did)}: is it the one that \`cis node id\` shows there?`,
    ]);
}

/** Rooms that cis makes let only those with a level give work: says so, where the account of this home cannot raise it. */
async function mayOrder({ roles, userId, node }: TrustRow, room: string | null): Promise<void> {
  if (room === null || userId === null || !roles.includes('coordinator') || findAccount() === null) return;
  const { raiseLevel, orderType } = await import('../../matrix/raise-level.ts');
  const raised = await raiseLevel(openClient().rooms, room, userId, orderType);
  if (raised.ok && raised.value) return;
  const who = `${node ?? userId} (${userId})`;
  process.stderr.write(
    `${who} may give work in ${room} only with the level for ${orderType}, which this account cannot give\n`,
  );
}

function show(db: Db, { json }: Options): void {
  const rows = listTrust(db);
  if (json) printJson({ trusted: rows.map(trustToJson) });
  else if (rows.length === 0)
    print(['no other node is trusted: cis node trust NODE, or invite one with cis node invite']);
  else {
    print(
      rows.map(
        (row) =>
          `${fingerprintOf(row.did)}  ${row.roles.join('+').padEnd(18)}  ${nameOf(row)}${row.how === 'ticket' ? '  (by ticket)' : ''}`,
      ),
    );
  }
}

export function nameOf({ node, did, userId }: { node: string | null; did: Did; userId: string | null }): string {
  return `${node ?? '(never heard)'}  ${did}${userId === null ? '' : `  ${userId}`}`;
}

export function trustToJson({ did, node, userId, roles, how, at }: TrustRow): object {
  return { did, fingerprint: fingerprintOf(did), node, user_id: userId, roles, how, at };
}

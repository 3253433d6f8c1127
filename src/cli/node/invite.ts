import { InvalidArgumentError, type Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeName } from '../../federation/detect/detect.ts';
import { newTicketKeys, renderTicket, type Ticket } from '../../federation/node/ticket.ts';
import { readNodePid } from '../../federation/node/serve.ts';
import { orderType, raiseLevel } from '../../matrix/raise-level.ts';
import { readTicket, writeTicket } from '../../storage/tickets.ts';
import type { Db } from '../../storage/open.ts';
import type { TrustRole } from '../../storage/trust.ts';
import { home, print, printJson, readConfig, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needAccount, openClient, openWriter, orFail } from '../matrix/context.ts';
import { needIdentity } from './context.ts';
import { needFleetRoom } from './facts.ts';

interface Options {
  readonly room?: string;
  /** Ms. */
  readonly ttl: number;
  readonly as?: TrustRole;
  readonly for?: string;
  readonly account: boolean;
  readonly wait: boolean;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'the room to work in (default: that of the config, or of the ticket)')
    .option('--ttl <time>', 'how long the ticket is good for: 30s, 15m, 2h; default: 15m', parseTtl, 15 * 60_000)
    .option('--as <role>', 'what whoever joins is trusted as here: worker or coordinator (default: both)')
    .option('--for <user>', 'who is to join, as @name:server: invited to the room now')
    .option('--no-account', 'make no account for whoever joins, also where that can be done (cis matrix up)')
    .option('--no-wait', 'do not wait for whoever joins: the node that runs here answers')
    .option('--json', 'print JSON, when the ticket is made')
    .addHelpText(
      'after',
      '\nThe ticket is good for one machine, once. Pass it on as you would a password: `cis node join TICKET` there.\nBoth then trust each other, without comparing fingerprints.',
    )
    .action(invite);
}

async function invite(options: Options): Promise<void> {
  const { config } = await readConfig();
  if (options.as !== undefined && !['worker', 'coordinator'].includes(options.as)) {
    throw new CommandError('usage', `"${options.as}" is neither worker nor coordinator`);
  }
  const roles: readonly TrustRole[] = options.as === undefined ? ['worker', 'coordinator'] : [options.as];
  const account = needAccount();
  const { rooms } = openClient();
  const db = openWriter();
  const { enterRoom } = await import('../../federation/node/room.ts');
  const wanted = await needFleetRoom(options.room, config);
  const room = orFail(await enterRoom(rooms, db, wanted), `cannot work in ${wanted}`);
  const guest = options.account && options.for === undefined ? await makeAccount() : null;
  const invited = options.for ?? guest?.userId ?? null;
  if (invited !== null) await inviteTo([room.room, room.machines], invited);
  if (invited !== null && roles.includes('coordinator')) {
    const raised = orFail(await raiseLevel(rooms, room.machines, invited, orderType), `cannot raise ${invited}`);
    if (!raised) {
      process.stderr.write(
        `${invited} may not give work in ${wanted} until somebody with the right gives it the level for ${orderType}\n`,
      );
    }
  }
  const self = { identity: needIdentity(), userId: account.userId, node: nodeName(config) };
  const ticket: Ticket = {
    ...newTicketKeys(),
    homeserver: account.homeserver,
    room: room.room,
    node: self.node,
    did: self.identity.did,
    userId: account.userId,
    deviceId: account.deviceId,
    expiresAt: Date.now() + options.ttl,
    account: guest === null ? null : { user: guest.userId, password: guest.password },
  };
  const { id, secret, expiresAt } = ticket;
  writeTicket(db, { id, secret, expiresAt, room: room.room, direction: 'given', peer: null, roles, settledAt: null });
  const text = renderTicket(ticket);
  if (options.json)
    printJson({ ticket: text, room_id: room.room, expires_at: expiresAt, account: guest?.userId ?? null, roles });
  else print([text]);
  if (options.wait) await waitFor(db, ticket, room.machines, self);
  else if (readNodePid(home()) === null) {
    process.stderr.write('no node runs here: whoever joins is answered once `cis node start` does\n');
  }
  db.close();
}

/** On a private homeserver of this home an account is made for whoever joins; null: that is not ours to do. */
async function makeAccount(): Promise<{ readonly userId: string; readonly password: string } | null> {
  const { registerGuest } = await import('../../matrix/homeserver/guest.ts');
  const { files, findAccount } = await import('../matrix/context.ts');
  const account = findAccount();
  if (account === null) return null;
  const guest = await registerGuest(files().homeserver, account.homeserver);
  return guest === null ? null : orFail(guest, 'cannot make an account for whoever joins');
}

async function inviteTo(all: readonly string[], user: string): Promise<void> {
  const { rooms } = openClient();
  for (const room of new Set(all)) {
    const members = orFail(await rooms.members(room), `cannot look at ${room}`);
    if (members.some(({ userId }) => userId === user)) continue;
    orFail(await rooms.invite(room, user), `cannot invite ${user} to ${room}`);
  }
}

/** Answers whoever comes, until the ticket is used or has expired. With a node running here both would answer the same. */
async function waitFor(
  db: Db,
  ticket: Ticket,
  room: string,
  self: Parameters<typeof import('../../federation/node/join.ts').answerJoin>[1],
): Promise<void> {
  const { openDirectory } = await import('../../federation/node/directory.ts');
  const { startBridge } = await import('../../bridge/start.ts');
  const { watchCommits } = await import('../../storage/tail.ts');
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const directory = openDirectory({ db, room, self, say });
  const signal = untilInterrupted();
  say(`waiting until somebody joins (Ctrl-C: stop waiting; a node that runs here answers too)`);
  using _ = watchCommits(db, home().database, () => directory.look());
  while (!signal.aborted && readTicket(db, ticket.id, 'given')?.settledAt === null) {
    if (Date.now() > ticket.expiresAt) throw new CommandError('failed', 'nobody came before the ticket expired');
    startBridge(home());
    directory.look();
    await sleep(500, undefined, { signal }).catch(() => {});
  }
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function parseTtl(text: string): number {
  const match = /^([1-9]\d{0,4})([smh])$/.exec(text);
  const ms = Number(match?.[1]) * (unitMs[match?.[2] ?? ''] ?? NaN);
  if (match === null || ms > 24 * 3_600_000)
    throw new InvalidArgumentError('It must be a time up to 24h, such as 15m.');
  return ms;
}

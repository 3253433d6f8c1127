import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { defaultRateLimit } from '../../matrix/bucket.ts';
import { openHttp } from '../../matrix/http.ts';
import { openRooms } from '../../matrix/rooms.ts';
import type { Account } from '../../matrix/secrets.ts';
import { fingerprintOf } from '../../domain/fleet/did.ts';
import { nodeName } from '../../federation/detect/detect.ts';
import { joinType, makeJoin } from '../../federation/node/join.ts';
import { parseTicket, type Ticket } from '../../federation/node/ticket.ts';
import type { TrustRole } from '../../storage/trust.ts';
import { print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { findAccount, openWriter, orFail } from '../matrix/context.ts';
import { readStdinLine } from '../matrix/secret.ts';
import { settleDevice } from '../matrix/session.ts';
import { needIdentity } from './context.ts';

interface Options {
  readonly as?: TrustRole;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('<ticket>', 'what `cis node invite` printed; - reads it from stdin, so that no process list shows it')
    .option('--as <role>', 'what whoever invites is trusted as here: worker or coordinator (default: both)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nLogs in when the ticket has an account; otherwise log in first with cis matrix login.')
    .action(join);
}

async function join(given: string, options: Options): Promise<void> {
  if (options.as !== undefined && !['worker', 'coordinator'].includes(options.as)) {
    throw new CommandError('usage', `"${options.as}" is neither worker nor coordinator`);
  }
  const parsed = parseTicket(given === '-' ? await readStdinLine('ticket') : given);
  if (!parsed.ok) throw new CommandError('usage', parsed.error);
  const ticket = parsed.value;
  // The inviter's clock decides; ours may be ten minutes off.
  if (Date.now() > ticket.expiresAt + 600_000) {
    throw new CommandError('refused', 'this ticket has expired', ['ask for a new one: cis node invite']);
  }
  const { config } = await readConfig();
  const identity = needIdentity();
  if (identity.did === ticket.did) throw new CommandError('refused', 'this ticket was made by this very home');
  const account = findAccount() ?? (await logIn(ticket, config.matrix.device_name));
  const http = openHttp(account.homeserver, account.accessToken);
  const rooms = openRooms(http);
  const db = openWriter();
  const { enterRoom } = await import('../../federation/node/room.ts');
  const room = orFail(await enterRoom(rooms, db, ticket.room), `cannot join ${ticket.room}`);
  const roles: readonly TrustRole[] = options.as === undefined ? ['worker', 'coordinator'] : [options.as];
  const self = { identity, userId: account.userId, node: nodeName(config) };
  const content = makeJoin(db, self, account.deviceId, ticket, roles, Date.now());
  db.close();
  const path = `/_matrix/client/v3/sendToDevice/${joinType}/${randomBytes(9).toString('base64url')}`;
  const body = { messages: { [ticket.userId]: { [ticket.deviceId]: content } } };
  orFail(await http.json({ method: 'PUT', path, body }), `${ticket.node} cannot be told`);
  if (options.json) {
    printJson({
      node: self.node,
      did: identity.did,
      room_id: room.room,
      user_id: account.userId,
      trusts: ticket.did,
      roles,
    });
    return;
  }
  print([
    `joined ${room.room} as ${account.userId}`,
    `trusted as ${roles.join(' and ')}: ${ticket.node}  ${ticket.did}  (${fingerprintOf(ticket.did)})`,
    `${ticket.node} was asked to trust ${self.node} (${fingerprintOf(identity.did)}); \`cis node status\` shows when it has`,
    'now: cis node start --detach',
  ]);
}

async function logIn(ticket: Ticket, deviceName: string): Promise<Account> {
  if (ticket.account === null) {
    throw new CommandError('refused', 'not logged in, and this ticket has no account', [
      'log in first: cis matrix login --homeserver URL --user NAME (any homeserver that reaches the room)',
      `the room must let that user in: cis node invite --for USER on ${ticket.node}`,
    ]);
  }
  const { user, password } = ticket.account;
  const { loginWithPassword } = await import('../../matrix/sdk/login.ts');
  const wish = { name: deviceName, deviceId: null };
  const account = await loginWithPassword(ticket.homeserver, user, password, wish);
  if (!account.ok && account.error.kind === 'forbidden') {
    throw new CommandError('refused', 'the account of this ticket was used already', [
      'ask for a new one: cis node invite',
    ]);
  }
  const got = orFail(account, 'cannot log in with the account of this ticket');
  // Whoever made the ticket lifted the limits of this account; one that was not is told by the homeserver.
  await settleDevice(got, isLoopback(ticket.homeserver) ? null : defaultRateLimit, password);
  const { forgetPassword } = await import('../../matrix/homeserver/guest.ts');
  orFail(await forgetPassword(got, password), 'the password of the ticket could not be changed');
  return got;
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}

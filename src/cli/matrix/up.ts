import { join } from 'node:path';
import type { Command } from 'commander';
import { bringUp, type PrivateHomeserver, type PrivateProblem } from '../../matrix/homeserver/private.ts';
import { synapseVersion } from '../../matrix/homeserver/install.ts';
import { openHttp } from '../../matrix/http.ts';
import { answerLevel, raiseTo } from '../../matrix/raise-level.ts';
import { openRooms } from '../../matrix/rooms.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { files, findAccount, orFail } from './context.ts';
import { settleDevice } from './session.ts';
import { proposeConfig } from './write-config.ts';

interface Options {
  readonly user?: string;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--user <name>', 'what you want to be called there (default: your name on this machine)')
    .option('--json', 'print JSON')
    .action(up);
}

async function up(options: Options): Promise<void> {
  const { homeserver: dir, dir: base } = files();
  const say = (line: string): boolean => process.stderr.write(`${line}\n`);
  const installDir = join(base, `synapse-${synapseVersion}`);
  const server = await bringUp({ dir, installDir, person: options.user ?? null, say });
  if (!server.ok) throw problemOf(server.error);
  const { url } = server.value.running;
  const loggedIn = await logInBot(server.value);
  const room = await ensureRoom(server.value);
  const config = loggedIn ? proposeConfig(url, server.value.bot.userId, room.alias) : null;
  if (options.json) printJson(toJson(server.value, room, loggedIn));
  else print(render(server.value, room, loggedIn, config));
}

interface Room {
  readonly id: string;
  readonly alias: string;
}

/** False when this home is logged in elsewhere: that account is not given up for this one. */
async function logInBot({ bot }: PrivateHomeserver): Promise<boolean> {
  const before = findAccount();
  if (before !== null) return before.userId === bot.userId && before.homeserver === bot.homeserver;
  await settleDevice(bot, null, null);
  return true;
}

async function ensureRoom({ bot, person, running }: PrivateHomeserver): Promise<Room> {
  const rooms = openRooms(openHttp(bot.homeserver, bot.accessToken));
  const alias = `#dags:${running.state.serverName}`;
  const there = await rooms.resolve(alias);
  const wish = { name: 'DAGs', alias: 'dags', encrypted: false, invite: [person.userId] };
  const id = there.ok ? there.value : orFail(await rooms.create(wish), 'cannot make the room');
  // Whose machine this is may answer here.
  orFail(await raiseTo(rooms, id, [person.userId], answerLevel), `cannot let ${person.userId} answer in the room`);
  return { id, alias };
}

function render(
  { running, bot, person }: PrivateHomeserver,
  room: Room,
  loggedIn: boolean,
  config: readonly string[] | null,
): string[] {
  return [
    `${running.started ? 'started' : 'already running'}: ${running.url} (on this machine only)`,
    '',
    'In Element, choose "Edit" beside the homeserver when you sign in, and type:',
    `  homeserver  ${running.url}`,
    `  username    ${person.userId.slice(1, person.userId.indexOf(':'))}`,
    `  password    ${person.password}`,
    `then accept the invitation to the room ${room.alias}.`,
    '',
    ...(loggedIn
      ? [`cis is ${bot.userId} there. Try: cis dag run dag.toml --hybrid --room '${room.alias}'`]
      : [
          'This home is logged in elsewhere and stays so; `cis matrix logout`, then `cis matrix up` again, to use this server.',
        ]),
    ...(config ?? []),
  ];
}

function toJson({ running, bot, person }: PrivateHomeserver, room: Room, loggedIn: boolean): object {
  return {
    homeserver: running.url,
    pid: running.pid,
    started: running.started,
    bot: bot.userId,
    logged_in: loggedIn,
    user: person.userId,
    password: person.password,
    room_id: room.id,
    room_alias: room.alias,
  };
}

function problemOf(problem: PrivateProblem): CommandError {
  switch (problem.kind) {
    case 'no-engine':
      return new CommandError('failed', `no homeserver can be started here: ${problem.detail}`, [
        'install Python 3.10 or newer (on Debian also python3-venv), or Docker',
        'any existing homeserver will do instead: cis matrix login --homeserver URL --user NAME',
      ]);
    case 'install-failed':
      return new CommandError('failed', problem.detail, [
        `what pip said: ${problem.log}`,
        'then try again: cis matrix up',
      ]);
    case 'failed':
      return new CommandError('failed', problem.detail, ['to begin anew, losing its rooms: cis matrix reset --yes']);
  }
}

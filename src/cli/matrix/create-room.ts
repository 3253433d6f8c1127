import type { Command } from 'commander';
import { makeRooms } from '../../matrix/make-rooms.ts';
import { answerLevel, raiseTo } from '../../matrix/raise-level.ts';
import { writeEncryption } from '../../storage/device.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { openClient, openWriter, orFail } from './context.ts';

interface Options {
  readonly encrypted?: true;
  readonly invite: readonly string[];
  readonly answersFrom: readonly string[];
  readonly alias?: string;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('<name>', 'what the room is called')
    .option('--encrypted', 'end-to-end encrypted, for ever; machine events get a room of their own')
    .option('--invite <user...>', 'people to invite, as @name:server', [])
    .option('--answers-from <user...>', 'people to invite who may also answer and command there', [])
    .option('--alias <name>', 'the address #NAME:server')
    .option('--json', 'print JSON')
    .action(createRoom);
}

async function createRoom(name: string, options: Options): Promise<void> {
  const invite = [...new Set([...options.invite, ...options.answersFrom])];
  for (const user of invite) {
    if (!/^@[^:\s]+:[^\s]+$/.test(user)) throw new CommandError('usage', `"${user}" is not a user: @name:server`);
  }
  const { rooms } = openClient();
  const alias = options.alias?.replace(/^#/, '').replace(/:.*$/, '');
  const wish = { name, encrypted: options.encrypted === true, invite };
  const made = orFail(await makeRooms(rooms, alias === undefined ? wish : { ...wish, alias }), 'cannot make the room');
  orFail(await raiseTo(rooms, made.room, options.answersFrom, answerLevel), 'cannot let them answer in the room');
  const db = openWriter();
  for (const room of [made.room, made.machineRoom]) {
    if (room !== null && wish.encrypted) writeEncryption(db, room, 'encrypted');
  }
  db.close();
  if (options.json) printJson({ room_id: made.room, name, encrypted: wish.encrypted, machine_room: made.machineRoom });
  else print([made.room, ...(made.machineRoom === null ? [] : [`machine events: ${made.machineRoom}`])]);
}

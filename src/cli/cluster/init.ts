import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fingerprintOf } from '../../domain/fleet/did.ts';
import { makeRooms } from '../../matrix/make-rooms.ts';
import { writePrivate } from '../../matrix/secrets.ts';
import { writeEncryption } from '../../storage/device.ts';
import { home, print, printJson, readConfig } from '../context.ts';
import { needAccount, openClient, openWriter, orFail } from '../matrix/context.ts';
import { needIdentity } from '../node/context.ts';

interface Options {
  readonly room?: string;
  readonly name?: string;
  readonly invite: readonly string[];
  readonly encrypted?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'a room that is there (default: node.room_id, then dag.room_id of the config)')
    .option('--name <name>', 'make a new room of that name; also made when the config has none')
    .option('--invite <user...>', 'people to invite to the new room, as @name:server', [])
    .option('--encrypted', 'the new room is end-to-end encrypted, for ever')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNeeds an account: cis matrix login, or cis matrix up for a homeserver on this machine.')
    .action(init);
}

async function init(options: Options): Promise<void> {
  const { config } = await readConfig();
  needAccount();
  const { did } = needIdentity();
  const db = openWriter();
  const { rooms } = openClient();
  const { enterRoom } = await import('../../federation/node/room.ts');
  const there = options.room ?? (options.name === undefined ? (config.node.room_id ?? config.dag.room_id) : null);
  const wanted = there ?? (await makeRoom());
  const { room, machines, encrypted } = orFail(await enterRoom(rooms, db, wanted), `cannot work in ${wanted}`);
  for (const one of encrypted ? [room, machines] : []) writeEncryption(db, one, 'encrypted');
  db.close();
  const written = config.node.room_id === wanted || config.dag.room_id === wanted ? [] : noteRoom(wanted);
  if (options.json) {
    printJson({
      room_id: room,
      machine_room: machines,
      encrypted,
      did,
      fingerprint: fingerprintOf(did),
      config: home().config,
    });
    return;
  }
  print([
    `the room     ${wanted}${encrypted ? ' (encrypted)' : ''}`,
    `this machine ${did}  (${fingerprintOf(did)})`,
    ...written,
    '',
    'for each other machine: cis node invite    here, then cis node join TICKET there',
    'to work here too:       cis node start --detach',
    'then:                   cis cluster test',
  ]);

  async function makeRoom(): Promise<string> {
    const wish = { name: options.name ?? 'fleet', encrypted: options.encrypted === true, invite: options.invite };
    return orFail(await makeRooms(rooms, wish), 'cannot make the room').room;
  }
}

/** Writes `dag.room_id` where that cannot break a config that a person wrote; else returns what to write. */
function noteRoom(room: string): string[] {
  const path = home().config;
  const line = `room_id = ${JSON.stringify(room)}`;
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (/^\s*\[\s*dag\s*\]/m.test(before)) {
    return [`To make it the default, have in ${path}, below [dag]:`, `  ${line}`];
  }
  const gap = before === '' ? '' : before.endsWith('\n') ? '\n' : '\n\n';
  writePrivate(path, `${before}${gap}[dag]\n${line}\n`);
  return [`written      ${path}: dag.room_id`];
}

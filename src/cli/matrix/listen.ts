import type { Command } from 'commander';
import { findRoom } from '../../bridge/prepare.ts';
import { isBridgeNeeded } from '../../bridge/process.ts';
import { startBridge } from '../../bridge/start.ts';
import { writeEncryption } from '../../storage/device.ts';
import { home, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { serve } from './bridge.ts';
import { openClient, openWriter, orFail } from './context.ts';

export function command(into: Command): Command {
  return into
    .argument('[rooms...]', 'ids or aliases; without any, `room_id` of the config')
    .addHelpText('after', '\nCtrl-C ends it. What `!cis run NAME` may start stands in `[dags.NAME]` of the config.')
    .action(listen);
}

async function listen(given: readonly string[]): Promise<void> {
  const { config } = await readConfig();
  const wanted = given.length > 0 ? given : [config.dag.room_id].filter((room) => room !== null);
  if (wanted.length === 0) {
    throw new CommandError('usage', 'which room?', [
      "name one: cis matrix listen '#dags:example.org'",
      'or set `room_id` in `[dag]` of the config',
    ]);
  }
  const rooms = await findRooms(wanted);
  const names = Object.keys(config.dags);
  const may = names.length === 0 ? 'no DAG is listed in the config' : `may start ${names.join(', ')}`;
  let isSaid = false;
  await serve(rooms, () => {
    if (!isSaid) process.stderr.write(`listens in ${wanted.join(', ')}; ${may}\n`);
    isSaid = true;
  });
  handOver();
}

async function findRooms(wanted: readonly string[]): Promise<string[]> {
  const { rooms } = openClient();
  const found: string[] = [];
  for (const one of wanted) {
    const { room, encrypted } = orFail(await findRoom({ rooms }, one), `cannot use the room ${one}`);
    const db = openWriter();
    writeEncryption(db, room, encrypted ? 'encrypted' : 'plain');
    db.close();
    found.push(room);
  }
  return found;
}

/** Runs that go on need a bridge, as before. */
function handOver(): void {
  const db = openWriter();
  if (isBridgeNeeded({ home: home(), db })) startBridge(home());
  db.close();
}

import type { Command } from 'commander';
import { openHttp } from '../../matrix/http.ts';
import { openRooms } from '../../matrix/rooms.ts';
import { home, openScreenRedactor, print, printJson, readConfig, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needAccount, openWriter, orFail } from '../matrix/context.ts';
import { startNodeInBackground, tellReady } from './background.ts';
import { needFacts, needFleetRoom } from './facts.ts';

interface Options {
  readonly room?: string;
  readonly detach?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'the room whose work it takes (default: that of the config, or of the ticket)')
    .option('--detach', 'go on in the background')
    .option('--json', 'with --detach: print JSON')
    .addHelpText(
      'after',
      '\nIt takes work from coordinators that are trusted here (cis node trust, cis node invite), as far as `cis node policy` lets it.\nCtrl-C stops the node; what runs goes on, and the next start takes it over.',
    )
    .action(start);
}

async function start(options: Options): Promise<void> {
  const { config } = await readConfig();
  const account = needAccount();
  const wanted = await needFleetRoom(options.room, config);
  const { readNodePid, serveNode } = await import('../../federation/node/serve.ts');
  const running = readNodePid(home());
  if (running !== null) {
    throw new CommandError('refused', `this home is a node already: process ${running}`, [
      'cis node status',
      'cis node stop',
    ]);
  }
  if (options.detach) {
    const pid = await startNodeInBackground(home(), wanted);
    if (options.json) printJson({ pid, room: wanted });
    else print([`the node runs in the background: process ${pid}`, 'cis node status shows it, cis node stop ends it']);
    return;
  }
  const { enterKnownRoom } = await import('../../federation/node/room.ts');
  const { openHomeCourier } = await import('../../federation/travel/courier.ts');
  const db = openWriter();
  const signal = untilInterrupted();
  const rooms = openRooms(openHttp(account.homeserver, account.accessToken));
  const { machines, encrypted, remembered } = orFail(
    await enterKnownRoom(rooms, db, wanted),
    `cannot work in ${wanted}`,
  );
  const courier = openHomeCourier(home(), encrypted);
  if (!courier.ok) throw new CommandError('refused', courier.error);
  const facts = await needFacts(config, account);
  const self = { identity: facts.identity, userId: account.userId, deviceId: account.deviceId, node: facts.facts.node };
  const say = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  const served = await serveNode({
    home: home(),
    db,
    self,
    room: machines,
    config,
    env: process.env,
    detect: async () => (await needFacts(config, account)).facts,
    courier: courier.value,
    mask: await openScreenRedactor(config),
    signal,
    say,
    onReady() {
      if (remembered) say('the homeserver is away: its room is taken as it was');
      say(`${self.node} (${self.identity.did}) is a node of ${wanted}`);
      tellReady();
    },
  });
  db.close();
  if (!served) throw new CommandError('refused', 'another process made this home a node meanwhile');
  // Stopped as asked: for a service that is no failure.
  process.exitCode = 0;
}

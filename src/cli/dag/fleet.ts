import { hostname } from 'node:os';
import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { DriveOptions } from '../../executor/driver.ts';
import { openWorkspaces } from '../../executor/workspaces.ts';
import { openFleet } from '../../federation/coordinator/fleet.ts';
import { openIdentity } from '../../federation/identity.ts';
import { openHomeCourier } from '../../federation/travel/courier.ts';
import { readEncryption } from '../../storage/device.ts';
import type { Db } from '../../storage/open.ts';
import { openScreenRedactor } from '../context.ts';
import { maySendMachineEvents } from '../../bridge/prepare.ts';
import { CommandError } from '../exit.ts';
import { needAccount, openClient } from '../matrix/context.ts';

/** Ends the command when the room does not let this account coordinate: nobody would hear it. */
export async function needCoordinatorRights(wanted: string): Promise<void> {
  const { account, rooms } = openClient();
  const room = await rooms.resolve(wanted);
  const listing = room.ok ? await rooms.describe(room.value) : room;
  // In an encrypted room the types of events are not seen, so it cannot guard them.
  if (!listing.ok || listing.value.encrypted) return;
  const levels = await rooms.powerLevels(listing.value.room);
  if (!levels.ok || maySendMachineEvents(levels.value, account.userId)) return;
  throw new CommandError('refused', `${account.userId} may not coordinate runs in ${wanted}: it takes power level 50`, [
    'let somebody who may give it to this account (Element: the member, then "Power level")',
  ]);
}

/** Opens the nodes of a room as the workplace of a run, when its driver asks for it. */
export async function fleetOpener(
  home: Home,
  db: Db,
  settings: RunSettings,
  config: Config,
): Promise<NonNullable<DriveOptions['openWorkplace']>> {
  const { userId, deviceId } = needAccount();
  const mask = await openScreenRedactor(config);
  const self = { identity: openIdentity(home), userId, deviceId, node: config.node.name ?? hostname() };
  return (model, epoch) =>
    openFleet({
      home,
      db,
      settings,
      model,
      epoch,
      self,
      mask,
      env: process.env,
      redact: config.general.redact,
      intervalMs: config.dagMatrix.broadcast_interval_ms,
      workspaces: openWorkspaces(home, settings, model),
      courier: (encrypt) => openHomeCourier(home, encrypt),
      isEncrypted: (room) => readEncryption(db, room) === 'encrypted',
      say: (line) => void process.stderr.write(`cis: ${line}\n`),
    });
}

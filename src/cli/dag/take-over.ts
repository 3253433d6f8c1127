import type { LoadedConfig } from '../../config/load.ts';
import { parseRunId } from '../../domain/ids.ts';
import { thisDriver } from '../../executor/identity.ts';
import { recoverRun } from '../../federation/coordinator/recover.ts';
import { openIdentity } from '../../federation/identity.ts';
import { enterRoom } from '../../federation/node/room.ts';
import { openHomeCourier } from '../../federation/travel/courier.ts';
import type { Db } from '../../storage/open.ts';
import { forgetTakenOver } from '../../storage/taken-over.ts';
import { home } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needCoordinatorRights } from './fleet.ts';
import { openClient, orFail } from '../matrix/context.ts';

/** Makes a run that another home started a run of this one, from what its room tells. */
export async function takeOverFromRoom(
  db: Db,
  text: string,
  given: string | null,
  loaded: LoadedConfig,
): Promise<void> {
  const run = parseRunId(text);
  if (!run.ok) throw new CommandError('usage', run.error);
  const wanted = given ?? loaded.config.dag.room_id;
  if (wanted === null) {
    throw new CommandError('usage', `this home knows no run "${text}": name the room that does`, [
      `cis dag execute --run-id ${text} --takeover --room ROOM`,
    ]);
  }
  const { rooms } = openClient();
  const { machines, encrypted } = orFail(await enterRoom(rooms, db, wanted), `cannot use the room ${wanted}`);
  await needCoordinatorRights(wanted);
  const courier = openHomeCourier(home(), encrypted);
  if (!courier.ok) throw new CommandError('refused', courier.error);
  const recovered = await recoverRun({
    home: home(),
    db,
    rooms,
    run: run.value,
    wanted,
    room: machines,
    encrypted,
    ownDid: openIdentity(home()).did,
    courier: courier.value,
    driver: thisDriver(`dag execute --takeover ${text}`),
  });
  if (!recovered.ok) throw new CommandError('refused', recovered.error);
  forgetTakenOver(db, run.value);
}

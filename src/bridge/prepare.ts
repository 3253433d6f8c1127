import { err, ok, type Result } from '../domain/result.ts';
import type { RoomPlace } from '../domain/room.ts';
import type { RunSettings } from '../domain/run.ts';
import { describeFailure, isPassing, type MatrixFailure } from '../matrix/failure.ts';
import { guardedTypes } from '../matrix/guarded.ts';
import type { PowerLevels, RoomListing, Rooms, RoomTransport } from '../matrix/port.ts';
import { answerLevel } from '../matrix/raise-level.ts';
import { readEncryption, writeEncryption } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { dagText, needsMedia } from './machine.ts';

export interface PrepareOptions {
  readonly db: Db;
  readonly transport: RoomTransport;
  /** Who may answer, by the config; empty: whoever has power level 50. */
  readonly acceptFrom: readonly string[];
  readonly mask: (text: string) => string;
}

/** How a problem that passes begins, where it is kept. */
export const passingMark = 'waits: ';

/** Why there is no place yet. */
export interface PrepareProblem {
  /** It will be tried again. */
  readonly passing: boolean;
  readonly said: string;
}

/** Asks the homeserver what a run's room is: its id, where machine events go, whom to mention. Joins when invited. */
export async function prepareRoom(
  options: PrepareOptions,
  settings: RunSettings,
  wanted: string,
): Promise<Result<RoomPlace, PrepareProblem>> {
  const { transport, db } = options;
  const found = await findRoom(transport, wanted);
  if (!found.ok) return err(problem(`the room ${wanted}`, found.error));
  const listing = await followUpgrades(options, found.value);
  if (!listing.ok) return listing;
  const { room, encrypted } = listing.value;
  writeEncryption(db, room, encrypted ? 'encrypted' : 'plain');
  const { matrix } = settings;
  if ((matrix.encrypted || matrix.sensitive) && !encrypted) {
    return err({
      passing: false,
      said: `${wanted} is not encrypted, and run ${settings.run} asks for that: nothing is sent`,
    });
  }
  const people = await findPeople(options, room);
  if (!people.ok) return err(problem(`the members of ${wanted}`, people.error));
  const machineRoom = await findMachineRoom(options, room, encrypted);
  if (!machineRoom.ok) return err(problem(`the machine room of ${wanted}`, machineRoom.error));
  const dagMedia = await uploadDag(options, settings, encrypted);
  if (!dagMedia.ok) return err(problem('the upload of the DAG', dagMedia.error));
  return ok({ room, people: people.value, machineRoom: machineRoom.value, dagMedia: dagMedia.value });
}

function problem(what: string, failure: MatrixFailure): PrepareProblem {
  return { passing: isPassing(failure), said: `${what}: ${describeFailure(failure)}` };
}

/** The room by its id or alias; one we are not in is joined, as after an invitation. */
export async function findRoom(
  { rooms }: Pick<RoomTransport, 'rooms'>,
  wanted: string,
): Promise<Result<RoomListing, MatrixFailure>> {
  const room = await rooms.resolve(wanted);
  if (!room.ok) return room;
  const listing = await rooms.describe(room.value);
  if (listing.ok || listing.error.kind !== 'forbidden') return listing;
  const joined = await rooms.join(wanted);
  return joined.ok ? rooms.describe(joined.value) : joined;
}

/** More upgrades in a row than these are a circle. */
const mostUpgrades = 20;

/** The room that replaced this one, if one did. What was protected stays so: an encrypted room is not followed into a plain one. */
async function followUpgrades(
  { transport, db }: PrepareOptions,
  first: RoomListing,
): Promise<Result<RoomListing, PrepareProblem>> {
  let listing = first;
  for (let upgrades = 0; ; upgrades += 1) {
    const said = await transport.rooms.readState(listing.room, 'm.room.tombstone', '');
    if (!said.ok) return err(problem(`the room ${listing.room}`, said.error));
    const next = said.value?.['replacement_room'];
    if (typeof next !== 'string' || next === '') return ok(listing);
    if (upgrades === mostUpgrades) return err({ passing: false, said: `${first.room} was replaced again and again` });
    const found = await findRoom(transport, next);
    if (!found.ok)
      return err(problem(`${listing.room} was replaced by ${next}, which ${transport.userId} cannot use`, found.error));
    const wasEncrypted = listing.encrypted || readEncryption(db, listing.room) === 'encrypted';
    if (wasEncrypted && !found.value.encrypted) {
      return err({
        passing: false,
        said: `${listing.room} was replaced by ${next}, which is not encrypted: nothing is sent`,
      });
    }
    listing = found.value;
  }
}

async function findPeople(
  { transport, acceptFrom }: PrepareOptions,
  room: string,
): Promise<Result<readonly string[], MatrixFailure>> {
  const { rooms, userId } = transport;
  const members = await rooms.members(room);
  if (!members.ok) return members;
  const levels = await rooms.powerLevels(room);
  if (!levels.ok) return levels;
  const others = members.value.map((member) => member.userId).filter((user) => user !== userId);
  return ok(
    others.filter((user) => mayAnswer(user, acceptFrom, (one) => levels.value.levelOf(one))).slice(0, mostMentioned),
  );
}

const mostMentioned = 20;

/** The config's list decides; without one, the room's power level 50. */
export function mayAnswer(user: string, acceptFrom: readonly string[], levelOf: (user: string) => number): boolean {
  return acceptFrom.length > 0 ? acceptFrom.includes(user) : levelOf(user) >= answerLevel;
}

async function findMachineRoom(
  { transport, db }: PrepareOptions,
  room: string,
  encrypted: boolean,
): Promise<Result<string | null, MatrixFailure>> {
  const { rooms, userId } = transport;
  const companion = encrypted ? await findCompanion(rooms, room) : ok(null);
  if (!companion.ok) return companion;
  if (companion.value !== null) {
    writeEncryption(db, companion.value, 'encrypted');
    return companion;
  }
  const levels = await rooms.powerLevels(room);
  if (!levels.ok) return levels;
  return ok(maySendMachineEvents(levels.value, userId) ? room : null);
}

/** Whether a room lets an account say what a coordinator says. */
export function maySendMachineEvents(levels: PowerLevels, userId: string): boolean {
  const types = [...guardedTypes, 'cis.dag.task.status'];
  return types.every((type) => levels.levelOf(userId) >= levels.neededFor(type, false));
}

/** The room beside an encrypted one that has its machine events; one in the clear is none: what is protected would be read there. */
export async function findCompanion(rooms: Rooms, room: string): Promise<Result<string | null, MatrixFailure>> {
  const state = await rooms.readState(room, 'cis.machine_room', '');
  if (!state.ok) return state;
  const given = state.value?.['room_id'];
  if (typeof given !== 'string' || given === '') return ok(null);
  const companion = await findRoom({ rooms }, given);
  return ok(companion.ok && companion.value.encrypted ? given : null);
}

async function uploadDag(
  { transport, mask }: PrepareOptions,
  settings: RunSettings,
  encrypt: boolean,
): Promise<Result<RoomPlace['dagMedia'], MatrixFailure>> {
  const text = dagText(settings, mask);
  if (!needsMedia(text)) return ok(null);
  const bytes = Buffer.from(text);
  const uploaded = await transport.media.upload(bytes, 'application/json', { name: 'dag.json', encrypt });
  if (!uploaded.ok) return uploaded;
  const { mxc, file } = uploaded.value;
  return ok({ mxc, bytes: bytes.length, ...(file === null ? {} : { file }) });
}

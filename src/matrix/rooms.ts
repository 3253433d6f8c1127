import { err, ok, type Result } from '../domain/result.ts';
import { guardedTypes } from './guarded.ts';
import type { MatrixFailure } from './failure.ts';
import { isObject, textOf, type Http, type JsonObject } from './http.ts';
import type { Member, NewRoom, Page, PageRequest, PowerLevels, RoomListing, Rooms } from './port.ts';

const v3 = '/_matrix/client/v3';

/** Rooms over HTTP. */
export function openRooms(http: Http): Rooms {
  return {
    resolve: (idOrAlias) => resolve(http, idOrAlias),
    create: (room) => create(http, room),
    join: (idOrAlias) => join(http, idOrAlias),
    leave: (room) => nothing(http.json({ method: 'POST', path: `${roomPath(room)}/leave`, body: {} })),
    invite: (room, userId) =>
      nothing(http.json({ method: 'POST', path: `${roomPath(room)}/invite`, body: { user_id: userId } })),
    joined: () => joined(http),
    describe: (room) => describe(http, room),
    members: (room) => members(http, room),
    powerLevels: (room) => powerLevels(http, room),
    readState: (room, type, key) => readState(http, room, type, key),
    writeState: (room, type, key, content) =>
      eventIdOf(http.json({ method: 'PUT', path: statePath(room, type, key), body: content })),
    redact: (room, eventId, txnId, reason) =>
      eventIdOf(
        http.json({
          method: 'PUT',
          path: `${roomPath(room)}/redact/${encodeURIComponent(eventId)}/${encodeURIComponent(txnId)}`,
          body: reason === undefined ? {} : { reason },
        }),
      ),
    event: (room, eventId) =>
      http.json({ method: 'GET', path: `${roomPath(room)}/event/${encodeURIComponent(eventId)}` }),
    messages: (room, page) => readPage(http, room, page),
  };
}

export function roomPath(room: string): string {
  return `${v3}/rooms/${encodeURIComponent(room)}`;
}

function statePath(room: string, type: string, key: string): string {
  return `${roomPath(room)}/state/${encodeURIComponent(type)}/${encodeURIComponent(key)}`;
}

async function resolve(http: Http, idOrAlias: string): Promise<Result<string, MatrixFailure>> {
  if (idOrAlias.startsWith('!')) return ok(idOrAlias);
  if (!/^#[^:]+:.+$/.test(idOrAlias)) return err(noRoom(`"${idOrAlias}" is neither !room:server nor #alias:server`));
  const path = `${v3}/directory/room/${encodeURIComponent(idOrAlias)}`;
  return textIn(await http.json({ method: 'GET', path }), 'room_id');
}

function noRoom(detail: string): MatrixFailure {
  return { kind: 'not-found', errcode: 'M_NOT_FOUND', detail };
}

/**
 * Makes a private room. Machine events need level 50, so that a member cannot forge a grant; in an encrypted room the server
 * cannot see types and every reader checks signatures itself.
 */
async function create(http: Http, room: NewRoom): Promise<Result<string, MatrixFailure>> {
  const body: JsonObject = {
    name: room.name,
    ...(room.topic === undefined ? {} : { topic: room.topic }),
    ...(room.alias === undefined ? {} : { room_alias_name: room.alias }),
    preset: 'private_chat',
    visibility: 'private',
    invite: room.invite,
    power_level_content_override: { events: Object.fromEntries(guardedTypes.map((type) => [type, 50])) },
    initial_state: [
      ...(room.encrypted ? [encryptionState] : []),
      ...(room.membersOf === undefined ? [] : [restrictedTo(room.membersOf)]),
    ],
  };
  return textIn(await http.json({ method: 'POST', path: `${v3}/createRoom`, body, timeoutMs: 60_000 }), 'room_id');
}

function restrictedTo(room: string): JsonObject {
  const allow = [{ type: 'm.room_membership', room_id: room }];
  return { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } };
}

const encryptionState = {
  type: 'm.room.encryption',
  state_key: '',
  content: { algorithm: 'm.megolm.v1.aes-sha2' },
};

/** Joining over federation takes the other server's time. */
async function join(http: Http, idOrAlias: string): Promise<Result<string, MatrixFailure>> {
  const path = `${v3}/join/${encodeURIComponent(idOrAlias)}`;
  return textIn(await http.json({ method: 'POST', path, body: {}, timeoutMs: 120_000 }), 'room_id');
}

async function joined(http: Http): Promise<Result<readonly string[], MatrixFailure>> {
  const answer = await http.json({ method: 'GET', path: `${v3}/joined_rooms` });
  if (!answer.ok) return answer;
  const list = answer.value['joined_rooms'];
  return ok(Array.isArray(list) ? list.filter((room) => typeof room === 'string') : []);
}

async function describe(http: Http, room: string): Promise<Result<RoomListing, MatrixFailure>> {
  const [name, alias, encryption] = await Promise.all([
    readState(http, room, 'm.room.name', ''),
    readState(http, room, 'm.room.canonical_alias', ''),
    readState(http, room, 'm.room.encryption', ''),
  ]);
  if (!name.ok) return name;
  if (!alias.ok) return alias;
  if (!encryption.ok) return encryption;
  return ok({
    room,
    name: textOrNull(name.value?.['name']),
    alias: textOrNull(alias.value?.['alias']),
    encrypted: encryption.value !== null,
  });
}

async function members(http: Http, room: string): Promise<Result<readonly Member[], MatrixFailure>> {
  const answer = await http.json({ method: 'GET', path: `${roomPath(room)}/joined_members` });
  if (!answer.ok) return answer;
  const list = isObject(answer.value['joined']) ? answer.value['joined'] : {};
  return ok(
    Object.entries(list).map(([userId, member]) => ({
      userId,
      displayName: isObject(member) ? textOrNull(member['display_name']) : null,
    })),
  );
}

async function powerLevels(http: Http, room: string): Promise<Result<PowerLevels, MatrixFailure>> {
  const answer = await readState(http, room, 'm.room.power_levels', '');
  if (!answer.ok) return answer;
  const levels = answer.value ?? {};
  const users = isObject(levels['users']) ? levels['users'] : {};
  const events = isObject(levels['events']) ? levels['events'] : {};
  return ok({
    levelOf: (userId) => levelIn(users[userId], levelIn(levels['users_default'], 0)),
    neededFor: (type, isState) =>
      levelIn(events[type], isState ? levelIn(levels['state_default'], 50) : levelIn(levels['events_default'], 0)),
  });
}

function levelIn(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}

/** Null when the room has no such state. Synapse says 404 for it, and 403 for a room we are not in. */
async function readState(
  http: Http,
  room: string,
  type: string,
  key: string,
): Promise<Result<JsonObject | null, MatrixFailure>> {
  const answer = await http.json({ method: 'GET', path: statePath(room, type, key) });
  if (!answer.ok && answer.error.kind === 'not-found' && answer.error.errcode === 'M_NOT_FOUND') return ok(null);
  return answer;
}

async function readPage(http: Http, room: string, page: PageRequest): Promise<Result<Page, MatrixFailure>> {
  const answer = await http.json({
    method: 'GET',
    path: `${roomPath(room)}/messages`,
    query: {
      dir: page.direction === 'back' ? 'b' : 'f',
      from: page.from,
      to: page.to,
      limit: page.limit ?? 500,
      filter: page.filter === undefined ? undefined : JSON.stringify(page.filter),
    },
    timeoutMs: 60_000,
    signal: page.signal,
  });
  if (!answer.ok) return answer;
  const chunk = answer.value['chunk'];
  if (!Array.isArray(chunk)) return err({ kind: 'bad-answer', detail: 'a page of messages without chunk' });
  return ok({
    start: textOrNull(answer.value['start']),
    end: textOrNull(answer.value['end']),
    events: chunk.filter(isObject),
  });
}

async function nothing(answer: Promise<Result<JsonObject, MatrixFailure>>): Promise<Result<void, MatrixFailure>> {
  const got = await answer;
  return got.ok ? ok(undefined) : got;
}

async function eventIdOf(answer: Promise<Result<JsonObject, MatrixFailure>>): Promise<Result<string, MatrixFailure>> {
  return textIn(await answer, 'event_id');
}

export function textIn(answer: Result<JsonObject, MatrixFailure>, name: string): Result<string, MatrixFailure> {
  if (!answer.ok) return answer;
  const text = textOf(answer.value[name], '');
  return text === '' ? err({ kind: 'bad-answer', detail: `an answer without ${name}` }) : ok(text);
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { isObject, openHttp, textOf, type Http, type JsonObject } from '../src/matrix/http.ts';
import { matrixFiles, readAccount, writeAccount, type Account } from '../src/matrix/secrets.ts';
import type { TestHomeserver } from '../test/support/homeserver.ts';
import { time } from './process.ts';
import { cis, type World } from './world.ts';

/** A home of its own, with its own host, in the directory of the bench. */
export function placeIn(world: World, name: string): World {
  const dir = join(world.dir, name);
  mkdirSync(dir);
  const home = join(dir, 'home');
  mkdirSync(home, { mode: 0o700 });
  return { ...world, dir, env: { ...world.env, HOME: dir, CIS_HOME: home } };
}

/** Logs a home in as a new user; what the homeserver allows that user, the home knows. */
export async function logIn(place: World, server: TestHomeserver, name: string, limited: boolean): Promise<void> {
  await server.user(name, { limited });
  const password = join(place.dir, 'password');
  const words = ['matrix', 'login', '--homeserver', server.url, '--user', name, '--password-stdin'];
  const line = cis(place, words);
  const shell = `printf '%s-password\\n' "$0" > "$1" && shift && "$@" < ${password}`;
  await time({ ...line, file: 'sh', args: ['-c', shell, name, password, line.file, ...line.args] });
  if (limited) return;
  using db = openDb(place);
  db.db.exec('UPDATE matrix_device SET limit_json = NULL');
}

/** From now on the home reaches its homeserver by another address. */
export function goThrough(place: World, url: string): void {
  const files = matrixFiles(place.env['CIS_HOME'] ?? '');
  const account = readAccount(files);
  if (!account.ok || account.value === null) throw new Error('not logged in');
  writeAccount(files, { ...account.value, homeserver: url });
}

export async function makeRoom(place: World, name: string, invited: readonly string[]): Promise<string> {
  const words = ['matrix', 'create-room', name, '--json', ...invited.flatMap((user) => ['--invite', user])];
  const { stdout } = await time(cis(place, words, { stdout: 'keep' }));
  return (JSON.parse(stdout) as { room_id: string }).room_id;
}

/** The database of a home, to look at. */
export function openDb(place: World): Disposable & { readonly db: Database.Database } {
  const db = new Database(join(place.env['CIS_HOME'] ?? '', 'cis.db'));
  return { db, [Symbol.dispose]: () => void db.close() };
}

/** Resolves once the room has everything of the home's runs but those that are kept open. */
export async function untilTold(place: World, keeper: string): Promise<void> {
  using opened = openDb(place);
  const query = opened.db.prepare(
    `SELECT 1 FROM runs WHERE mode = 'hybrid' AND id != ? AND id NOT IN (SELECT run_id FROM bridge_runs WHERE closed = 1)
     UNION ALL SELECT 1 FROM outbox WHERE state = 'waiting' LIMIT 1`,
  );
  while (query.get(keeper) !== undefined) await pause(100);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** A person's client, as little of one as will do. */
export interface Person extends AsyncDisposable {
  /** The first event that fits, also one that came before. */
  seen(fits: (event: JsonObject) => boolean): Promise<JsonObject>;
  /** Sends an event and returns when the homeserver took it, in ms since 1970 by its clock. */
  send(type: string, content: JsonObject): Promise<number>;
  /** Everything in the room, oldest first. */
  history(): Promise<JsonObject[]>;
}

export async function openPerson(account: Account, room: string): Promise<Person> {
  const http = openHttp(account.homeserver, account.accessToken);
  const at = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}`;
  await ask(http, { method: 'POST', path: `/_matrix/client/v3/join/${encodeURIComponent(room)}`, body: {} });
  const events: JsonObject[] = [];
  const waiting = new Set<() => void>();
  const stop = new AbortController();
  const following = followRoom(http, room, stop.signal, (some) => {
    events.push(...some);
    for (const look of waiting) look();
  });
  let sent = 0;
  return {
    seen: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    async send(type, content) {
      const path = `${at}/send/${encodeURIComponent(type)}/bench${process.pid}.${(sent += 1)}`;
      const { event_id: id } = await ask(http, { method: 'PUT', path, body: content });
      const event = await ask(http, { method: 'GET', path: `${at}/event/${encodeURIComponent(textOf(id, ''))}` });
      return Number(event['origin_server_ts']);
    },
    history: () => readHistory(http, room),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}

/** Everything in a room, oldest first. */
export async function readHistory(http: Http, room: string): Promise<JsonObject[]> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages`;
  const all: JsonObject[] = [];
  for (let from: string | undefined; ;) {
    const page = await ask(http, { method: 'GET', path, query: { dir: 'f', limit: 1000, from } });
    const chunk = page['chunk'];
    all.push(...(Array.isArray(chunk) ? chunk.filter(isObject) : []));
    from = textOf(page['end'], '');
    if (from === '') return all;
  }
}

/** Syncs and hands on the events of one room. */
export async function followRoom(
  http: Http,
  room: string,
  signal: AbortSignal,
  take: (events: readonly JsonObject[]) => void,
): Promise<void> {
  const filter = JSON.stringify({ room: { rooms: [room], timeline: { limit: 100 } }, presence: { not_types: ['*'] } });
  for (let since: string | undefined; !signal.aborted;) {
    const query = { filter, since, timeout: since === undefined ? 0 : 20_000 };
    const answer = await http.json({ method: 'GET', path: '/_matrix/client/v3/sync', query, signal });
    if (!answer.ok) {
      if (!signal.aborted) await pause(200);
      continue;
    }
    since = textOf(answer.value['next_batch'], '');
    const timeline = memberOf(memberOf(memberOf(memberOf(answer.value, 'rooms'), 'join'), room), 'timeline');
    const events = timeline['events'];
    if (Array.isArray(events)) take(events.filter(isObject));
  }
}

export async function ask(http: Http, request: Parameters<Http['json']>[0]): Promise<JsonObject> {
  const answer = await http.json(request);
  if (!answer.ok) throw new Error(`${request.path}: ${JSON.stringify(answer.error)}`);
  return answer.value;
}

export function memberOf(value: JsonObject, name: string): JsonObject {
  const member = value[name];
  return isObject(member) ? member : {};
}

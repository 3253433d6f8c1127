import { mkdirSync } from 'node:fs';
import { describeFailure, type MatrixFailure } from '../../matrix/failure.ts';
import { openHttp, textOf, type Http } from '../../matrix/http.ts';
import type { Rooms } from '../../matrix/port.ts';
import { openRooms } from '../../matrix/rooms.ts';
import { matrixFiles, readAccount, type Account, type MatrixFiles } from '../../matrix/secrets.ts';
import { credentialsOf } from '../../matrix/token.ts';
import { describeStorageError, openStorage, type Db } from '../../storage/open.ts';
import type { Result } from '../../domain/result.ts';
import { home } from '../context.ts';
import { CommandError, type ExitKind } from '../exit.ts';

/** An account and what can be asked of its homeserver without touching the device's keys or its place in the sync. */
export interface Client {
  readonly account: Account;
  readonly http: Http;
  readonly rooms: Rooms;
}

export function files(): MatrixFiles {
  return matrixFiles(home().dir);
}

export function findAccount(): Account | null {
  const account = readAccount(files());
  if (!account.ok) throw new CommandError('failed', account.error);
  return account.value;
}

export function needAccount(): Account {
  const account = findAccount();
  if (account !== null) return account;
  throw new CommandError('refused', 'not logged in to any homeserver', [
    'log in with `cis matrix login --homeserver URL --user NAME`',
    'or start a private homeserver on this machine with `cis matrix up`',
  ]);
}

export function openClient(): Client {
  const account = needAccount();
  const http = openHttp(account.homeserver, credentialsOf(files(), account));
  return { account, http, rooms: openRooms(http) };
}

/** Opens the database for writing, making it. */
export function openWriter(): Db {
  mkdirSync(home().dir, { recursive: true, mode: 0o700 });
  const db = openStorage(home().database);
  if (db.ok) return db.value;
  throw new CommandError('failed', describeStorageError(db.error));
}

/** The value, or the command's end with what was tried and why it failed. */
export function orFail<T>(result: Result<T, MatrixFailure>, tried: string): T {
  if (result.ok) return result.value;
  throw failed(result.error, tried);
}

export function failed(failure: MatrixFailure, tried: string): CommandError {
  return new CommandError(exitKinds[failure.kind], `${tried}: ${describeFailure(failure)}`, hintsFor(failure));
}

const exitKinds = {
  offline: 'unreachable',
  timeout: 'unreachable',
  'rate-limited': 'unreachable',
  server: 'unreachable',
  'bad-answer': 'unreachable',
  unauthorized: 'refused',
  forbidden: 'refused',
  refused: 'refused',
  'too-large': 'refused',
  'not-found': 'not-found',
} as const satisfies Record<MatrixFailure['kind'], Exclude<ExitKind, 'done'>>;

function hintsFor(failure: MatrixFailure): readonly string[] {
  switch (failure.kind) {
    case 'unauthorized':
      return ['log in again with `cis matrix login`: the keys of this device stay'];
    case 'offline':
    case 'timeout':
      return ['check the address and the network; a private homeserver starts with `cis matrix up`'];
    case 'bad-answer':
      return ['check the address: it should be the homeserver itself, such as https://matrix.example.org'];
    case 'rate-limited':
      return ['try again then'];
    case 'forbidden':
    case 'refused':
    case 'server':
    case 'too-large':
    case 'not-found':
      return [];
  }
}

/** A room id for what a person typed; exit 4 when there is no such room. */
export async function needRoom(rooms: Rooms, idOrAlias: string): Promise<string> {
  return orFail(await rooms.resolve(idOrAlias), `no room ${idOrAlias}`);
}

/** Whose token this is, by the homeserver. */
export async function whoAmI(http: Http): Promise<{ readonly userId: string; readonly deviceId: string }> {
  const answer = orFail(
    await http.json({ method: 'GET', path: '/_matrix/client/v3/account/whoami' }),
    'cannot ask who this is',
  );
  return { userId: textOf(answer['user_id'], ''), deviceId: textOf(answer['device_id'], '') };
}

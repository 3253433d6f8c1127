import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Did } from '../../src/domain/fleet/did.ts';
import type { CisEvent, LoggedEvent } from '../../src/domain/event.ts';
import type { RunId } from '../../src/domain/ids.ts';
import { nodePaths } from '../../src/bridge/paths.ts';
import { openIdentity } from '../../src/federation/identity.ts';
import { readLockHolder } from '../../src/host/lock.ts';
import { defaultRateLimit } from '../../src/matrix/bucket.ts';
import { openHttp, type JsonObject } from '../../src/matrix/http.ts';
import type { Rooms } from '../../src/matrix/port.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount, writeAccount, type Account } from '../../src/matrix/secrets.ts';
import { writeDevice } from '../../src/storage/device.ts';
import { openStorage, openStorageToRead, type Db } from '../../src/storage/open.ts';
import { followEvents, watchCommits } from '../../src/storage/tail.ts';
import { writeTrust } from '../../src/storage/trust.ts';
import { makeRoom, writeDag } from '../bridge/rooms.ts';
import { must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld, type Ended, type World } from '../support/world.ts';

/** A home of its own with a Matrix account of its own, in the room, trusted by all others as the role says. */
export interface Member {
  readonly world: World;
  readonly name: string;
  readonly did: Did;
  readonly userId: string;
}

/** A member that can be a node: its process is started and killed by the test. */
export interface NodeMember extends Member {
  /** Starts the process and resolves once it says that it is a node. */
  start(): Promise<void>;
  /** Its process id; null while there is none. */
  pid(): number | null;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** What its process has said. */
  log(): string;
}

export interface FleetWorld extends AsyncDisposable {
  readonly server: TestHomeserver;
  readonly room: string;
  readonly coordinator: Member;
  readonly nodes: readonly NodeMember[];
  /** Another home that is trusted by all, for take-overs. */
  member(name: string): Promise<Member>;
  /** Invites somebody to the room, with a power level. */
  invite(userId: string, level: number): Promise<void>;
  /** Runs a DAG of the coordinator on the nodes. */
  run(dag: string, ...args: readonly string[]): Promise<Ended>;
  /** Starts the same and returns at once. */
  begin(dag: string, ...args: readonly string[]): ChildProcess & { readonly ended: Promise<Ended> };
}

export interface FleetWorldOptions {
  readonly nodes?: number;
  /** Sessions at once, of each node. */
  readonly slots?: number;
  /** The homeserver's limits hold, as a fresh installation has them. */
  readonly limited?: boolean;
  readonly encrypted?: boolean;
  /** More lines of `config.toml` of each node. */
  readonly nodeConfig?: (index: number) => string;
  /** More lines of every `config.toml`. */
  readonly config?: string;
  /** Shared between worlds; else one is started and ended with this one. */
  readonly server?: TestHomeserver;
  readonly serverConfig?: JsonObject;
  readonly env?: Readonly<Record<string, string>>;
  /** Where a member reaches the homeserver, when not directly. */
  readonly reach?: (name: string) => string | undefined;
  /** Called with each new home before anything is in it. */
  readonly prepare?: (name: string, world: World) => void;
}

let worlds = 0;

/** Opens a homeserver, a coordinator's home and homes of nodes in one room; nothing of them runs yet. */
export async function openFleetWorld(options: FleetWorldOptions = {}): Promise<FleetWorld> {
  const { nodes: count = 3, slots = 4, limited = false, encrypted = false } = options;
  await using opened = new AsyncDisposableStack();
  const server = options.server ?? opened.use(await startTestHomeserver(options.serverConfig));
  worlds += 1;
  const prefix = `w${worlds}-${process.pid}`;
  const members: Member[] = [];
  let stack: AsyncDisposableStack = opened;

  const openMember = async (name: string, config: string): Promise<Member> => {
    const world = stack.use(openWorld());
    Object.assign(world.env, { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '200', ...options.env });
    options.prepare?.(name, world);
    const { userId } = await signIn(world, server, `${prefix}-${name}`, limited, options.reach?.(name));
    writeFileSync(join(world.home.dir, 'config.toml'), `[node]\nname = "${name}"\n${config}\n${options.config ?? ''}`);
    const member = { world, name, did: openIdentity(world.home).did, userId };
    for (const other of members) {
      trust(member, other);
      trust(other, member);
    }
    members.push(member);
    return member;
  };

  const coordinator = await openMember('boss', '');
  const homes: Member[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `node-${String.fromCodePoint(97 + index)}`;
    homes.push(await openMember(name, `max_sessions = ${slots}\n${options.nodeConfig?.(index) ?? ''}`));
  }
  const flags = encrypted ? ['--encrypted'] : [];
  const invited = homes.map(({ userId }) => userId);
  const room = await makeRoom(coordinator.world, `dags-${prefix}`, ...flags, '--invite', ...invited);
  const nodes = homes.map((member) => nodeOf(member, room));
  const all = opened.move();
  stack = all;

  const argsOf = (dag: string, args: readonly string[]): string[] => {
    return ['dag', 'run', writeDag(coordinator.world, dag), '--matrix', '--room', room, ...args];
  };
  const invite = async (userId: string, level: number): Promise<void> => {
    const rooms = openRooms(openHttp(server.url, readToken(coordinator.world)));
    must(await rooms.invite(room, userId));
    const levels = must(await rooms.readState(room, 'm.room.power_levels', '')) ?? {};
    const users = { ...(levels['users'] as JsonObject), [userId]: level };
    must(await rooms.writeState(room, 'm.room.power_levels', '', { ...levels, users }));
  };
  return {
    server,
    room,
    coordinator,
    nodes,
    invite,
    async member(name) {
      const member = await openMember(name, '');
      await invite(member.userId, 50);
      return member;
    },
    run: (dag, ...args) => coordinator.world.cis(argsOf(dag, args)),
    begin: (dag, ...args) => beginCis(coordinator.world, argsOf(dag, args)),
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
      await all[Symbol.asyncDispose]();
    },
  };
}

/** The homeserver as a home's account sees it. */
export function roomsOf({ home }: World): Rooms {
  const account = must(readAccount(matrixFiles(home.dir)));
  if (account === null) throw new Error('not logged in');
  return openRooms(openHttp(account.homeserver, account.accessToken));
}

/** As after `cis matrix login`, which a homeserver lets one address do only so often. */
async function signIn(
  world: World,
  server: TestHomeserver,
  name: string,
  limited: boolean,
  homeserver: string = server.url,
): Promise<Account> {
  const account = { ...(await server.user(name, { limited })), homeserver };
  const files = matrixFiles(world.home.dir);
  writeAccount(files, account);
  const db = openDb(world);
  const limit = limited ? defaultRateLimit : null;
  writeDevice(db, { ...account, txnPrefix: `t${process.pid}${name}`, limit });
  db.close();
  return account;
}

function readToken({ home }: World): string {
  const account = must(readAccount(matrixFiles(home.dir)));
  if (account === null) throw new Error('nobody is logged in');
  return account.accessToken;
}

function trust({ world }: Member, other: Member): void {
  const db = openDb(world);
  const roles = ['worker', 'coordinator'] as const;
  const { did, name, userId } = other;
  writeTrust(db, { did, node: name, userId, roles, how: 'command', at: Date.now() }, new Map());
  db.close();
}

export function openDb(world: World): Db {
  return must(openStorage(world.home.database));
}

/** Starts a command of cis that the test may kill. */
export function beginCis(world: World, args: readonly string[]): ChildProcess & { readonly ended: Promise<Ended> } {
  const [file = '', ...words] = world.command;
  const child = spawn(file, [...words, ...args], { cwd: world.dir, env: world.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(errors).toString() }),
    );
  });
  return Object.assign(child, { ended });
}

function nodeOf(member: Member, room: string): NodeMember {
  const { world } = member;
  const log = join(world.dir, '..', 'node.log');
  let child: ChildProcess | null = null;
  const text = (): string => {
    try {
      return readFileSync(log, 'utf8');
    } catch {
      return '';
    }
  };
  return {
    ...member,
    pid: () => readLockHolder(nodePaths(world.home).lock),
    log: text,
    async start() {
      const [file = '', ...words] = world.command;
      const said = text().length;
      const fd = openSync(log, 'a');
      const started = spawn(file, [...words, 'node', 'start', '--room', room], {
        cwd: world.dir,
        env: world.env,
        stdio: ['ignore', 'pipe', fd],
      });
      closeSync(fd);
      child = started;
      await new Promise<void>((resolve, reject) => {
        const look = setInterval(() => {
          if (!text().slice(said).includes('is a node of')) return;
          clearInterval(look);
          resolve();
        }, 50);
        started.once('exit', (code, signal) => {
          clearInterval(look);
          reject(new Error(`the node ended (${code ?? signal}): ${text().slice(said)}`));
        });
      });
    },
    async kill(signal) {
      const living = child;
      if (living === null || living.exitCode !== null || living.signalCode !== null) return;
      const ended = new Promise((resolve) => void living.once('exit', resolve));
      living.kill(signal);
      await ended;
    },
  };
}

/** Everything that a run's log has so far. */
export function eventsOf(world: World, run: string): CisEvent[] {
  const db = must(openStorageToRead(world.home.database));
  const rows = db.prepare('SELECT body FROM events WHERE run_id = ? ORDER BY seq').pluck().all(run) as string[];
  db.close();
  return rows.map((body) => JSON.parse(body) as CisEvent);
}

/** Resolves with the first event of a run that fits, past ones included. */
export async function seen(world: World, run: string, fits: (event: CisEvent) => boolean): Promise<LoggedEvent> {
  const db = openDb(world);
  const stop = new AbortController();
  try {
    const path = world.home.database;
    for await (const events of followEvents(db, { path, run: run as RunId, after: 0, signal: stop.signal })) {
      const found = events.find(({ event }) => fits(event));
      if (found !== undefined) return found;
    }
    throw new Error('unreachable');
  } finally {
    stop.abort();
    db.close();
  }
}

/** Resolves once `look` finds something in the database of a home. */
export async function inDatabase<T>(world: World, look: (db: Db) => T | null): Promise<T> {
  const db = openDb(world);
  const found = Promise.withResolvers<T>();
  const check = (): void => {
    const value = look(db);
    if (value !== null) found.resolve(value);
  };
  try {
    using _ = watchCommits(db, world.home.database, check);
    check();
    return await found.promise;
  } finally {
    db.close();
  }
}

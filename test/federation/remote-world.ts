import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { recordingPath } from '../../src/config/home.ts';
import type { Did } from '../../src/domain/fleet/did.ts';
import type { NodePolicy } from '../../src/domain/fleet/policy.ts';
import { sessionId, type RunId, type SessionId, type TaskId } from '../../src/domain/ids.ts';
import { openIdentity, type Identity } from '../../src/federation/identity.ts';
import { serveRemote, type ServiceOptions } from '../../src/federation/remote/service.ts';
import type { HostConnection } from '../../src/host/port.ts';
import { matrixFiles, readAccount, type Account } from '../../src/matrix/secrets.ts';
import { writeNodeRun } from '../../src/storage/node-work.ts';
import { writeHeartbeat } from '../../src/storage/nodes.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';
import { writeTrust } from '../../src/storage/trust.ts';
import { loggedIn } from '../bridge/rooms.ts';
import { must, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld, type World } from '../support/world.ts';

/** One machine: a home with an account, keys and a database. */
export interface Machine extends AsyncDisposable {
  readonly world: World;
  readonly db: Db;
  readonly identity: Identity;
  readonly account: Account;
  readonly name: string;
}

let machines = 0;

export async function openMachine(server: TestHomeserver, name: string): Promise<Machine> {
  const world = openWorld();
  await loggedIn(world, server, `${name}-${(machines += 1)}`);
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('not logged in');
  const db = must(openStorage(world.home.database));
  return {
    world,
    db,
    identity: openIdentity(world.home),
    account,
    name,
    async [Symbol.asyncDispose]() {
      db.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

export const openPolicy: NodePolicy = {
  agents: null,
  allowCommands: null,
  denyCommands: [],
  dirs: [],
  env: 'safe',
  baseUrls: [],
  permissionModes: null,
  maxSessions: 4,
  answersFrom: ['coordinators'],
};

/** Makes a machine serve as a node, in this process, with a bridge of its own. */
export function startService(node: Machine, options: Partial<ServiceOptions> = {}): AsyncDisposable {
  const stop = new AbortController();
  const { home, command, env } = node.world;
  const [file = '', ...words] = command;
  // its bridge: that a node's process starts it itself is for the built program
  const bridge: ChildProcess = spawn(file, [...words, 'matrix', 'bridge'], {
    cwd: home.dir,
    env: { ...env },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => void bridge.once('close', resolve));
  const served = serveRemote({
    home,
    db: node.db,
    identity: node.identity,
    policy: openPolicy,
    takesPasswords: false,
    mask: (text) => text.replaceAll('sesame', '[masked]'),
    say: () => {},
    signal: stop.signal,
    ...options,
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await served;
      bridge.kill('SIGKILL');
      await ended;
    },
  };
}

export function trustAsCoordinator(node: Machine, did: Did): void {
  const row = { did, node: null, userId: null, roles: ['coordinator'], how: 'command', at: Date.now() } as const;
  writeTrust(node.db, row, new Map());
}

/** The coordinator has heard of the node, and which sessions it holds. */
export function introduce(to: Machine, node: Machine, run: RunId, tasks: readonly string[]): void {
  const { did } = node.identity;
  const { userId, deviceId } = node.account;
  writeHeartbeat(to.db, {
    heartbeat: {
      facts: {
        node: node.name,
        did,
        userId,
        deviceId,
        sealKey: node.identity.seal.publicKey,
        version: '0.1.0',
        machine: { os: 'linux', arch: 'x64', cores: 2, memoryMb: 4000, gpus: [] },
        agents: [],
        models: [],
        labels: {},
        features: [],
        tier: 1,
        slots: 4,
      },
      load: { slotsFree: 1, loadCenti: 10, memoryFreeMb: 1000, diskFreeMb: 1000 },
      mood: { unable: [], draining: false },
      leases: tasks.map((task) => ({ run, task: task as TaskId, attempt: 1, epoch: 1 })),
    },
    lane: 'to-device',
    seq: Date.now() + introductions++,
    at: Date.now(),
  });
}

let introductions = 0;

/** The node was given work of a run by a coordinator. */
export function giveRun(node: Machine, run: RunId, { identity, account }: Machine): void {
  const coordinator = { did: identity.did, userId: account.userId, deviceId: account.deviceId };
  writeNodeRun(node.db, { run, room: '!room:test', coordinator, epoch: 1, seen: 0 }, Date.now());
}

/** Starts a session on a node as its runner would. */
export async function spawnOn(
  node: Machine,
  host: HostConnection,
  run: RunId,
  task: string,
  script: string,
): Promise<SessionId> {
  const session = sessionId(run, task as TaskId, 1);
  await host.request({
    kind: 'environment',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TERM: 'xterm-256color' },
  });
  must(
    await host.request({
      kind: 'spawn',
      spawn: {
        session,
        run,
        epoch: 1,
        file: '/bin/sh',
        args: ['-c', script],
        cwd: node.world.dir,
        umask: 0o077,
        env: {},
        cols: 80,
        rows: 24,
        recording: {
          path: recordingPath(node.world.home, run, task as TaskId, 1),
          maxBytes: 50_000_000,
          title: session,
        },
      },
    }),
  );
  return session;
}

export function fileIn(machine: Machine, name: string): string {
  return join(machine.world.dir, name);
}

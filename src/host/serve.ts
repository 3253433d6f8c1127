import { chmodSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { Home } from '../config/home.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { Host } from './host.ts';
import { takeLock } from './lock.ts';
import { hostPaths, openPrivateDir, type HostPaths } from './paths.ts';
import { servePeer } from './peer.ts';
import type { Spawner } from './spawner.ts';
import { version } from './version.ts';

export interface ServeOptions {
  readonly home: Home;
  readonly major: number;
  /** Ends after so long without a session and without a connection. */
  readonly idleMs: number;
  readonly spawner: Spawner;
  /** Called once clients can connect, to this host or to another one that was faster. */
  readonly onReady: () => void;
}

export type ServeError =
  | { readonly kind: 'not-yours'; readonly path: string; readonly uid: number }
  | { readonly kind: 'already-running' };

/** How often a host looks whether its socket file is still its own, as after `rm -r run`. */
const socketCheckMs = 30_000;

/** Runs the host of a home until it is idle or told to stop. */
export async function serveHost(options: ServeOptions): Promise<Result<void, ServeError>> {
  const paths = hostPaths(options.home, process.env, options.major);
  process.umask(0o077);
  for (const dir of [options.home.dir, options.home.run, options.home.logs, paths.dir]) {
    const foreign = openPrivateDir(dir);
    if (foreign !== null) return err({ kind: 'not-yours', path: dir, uid: foreign.ownedBy });
  }
  using lock = takeLock(paths.lock);
  const standing = await findStanding(paths.socket);
  if (standing.kind === 'foreign') return err({ kind: 'not-yours', path: paths.socket, uid: standing.uid });
  if (lock === null || standing.kind === 'alive') return await waitForOther(paths, options.onReady);
  const ended = Promise.withResolvers<void>();
  const host = new Host({
    home: options.home,
    version,
    socket: paths.socket,
    spawner: options.spawner,
    onQuiet: () => idle.restart(),
    onStop: () => ended.resolve(),
  });
  const idle = openIdleTimer(options.idleMs, () => host.isIdle, ended.resolve);
  const server = createServer((socket) => servePeer(host, socket));
  const inode = await listen(server, paths);
  writeFileSync(paths.pid, `${process.pid}\n`, { mode: 0o600 });
  lock[Symbol.dispose]();
  handleSignals(host, ended.resolve);
  const check = setInterval(() => keepSocket(host, paths, inode, ended.resolve), socketCheckMs);
  idle.restart();
  options.onReady();
  await ended.promise;
  clearInterval(check);
  idle.stop();
  close(server, host, paths, inode);
  return ok(undefined);
}

type Standing =
  | { readonly kind: 'none' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'foreign'; readonly uid: number };

/** Who is behind a socket file: nobody (it is missing or stale), a living host, or somebody else's. */
async function findStanding(path: string): Promise<Standing> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return { kind: 'none' };
  if (stat.uid !== process.geteuid?.()) return { kind: 'foreign', uid: stat.uid };
  return { kind: (await canConnect(path)) ? 'alive' : 'none' };
}

function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Another host is starting or there: whoever asked for one may have it as soon as it can be reached. */
async function waitForOther(paths: HostPaths, onReady: () => void): Promise<Result<void, ServeError>> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await canConnect(paths.socket)) {
      onReady();
      break;
    }
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
  return err({ kind: 'already-running' });
}

/** Listens under a name of our own first: the socket appears in its place ready and with its mode. */
async function listen(server: Server, paths: HostPaths): Promise<number> {
  const draft = `${paths.socket}.${process.pid % 1000}`;
  rmSync(draft, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(draft, resolve);
  });
  chmodSync(draft, 0o600);
  const { ino } = lstatSync(draft);
  renameSync(draft, paths.socket);
  return ino;
}

function close(server: Server, host: Host, paths: HostPaths, inode: number): void {
  if (inodeOf(paths.socket) === inode) {
    rmSync(paths.socket, { force: true });
    rmSync(paths.pid, { force: true });
  }
  server.close();
  for (const peer of host.peers) peer.close();
}

function keepSocket(host: Host, paths: HostPaths, inode: number, end: () => void): void {
  if (inodeOf(paths.socket) !== inode && host.sessionCount === 0) end();
}

function inodeOf(path: string): number | null {
  return lstatSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

/** A terminal that goes away is nothing to a host; told to end, it ends its sessions first and writes their ends down. */
function handleSignals(host: Host, end: () => void): void {
  process.on('SIGHUP', () => {});
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void host.stopSessions().then(end));
}

function openIdleTimer(idleMs: number, isIdle: () => boolean, end: () => void) {
  let timer: NodeJS.Timeout | undefined;
  return {
    restart(): void {
      clearTimeout(timer);
      timer = setTimeout(() => isIdle() && end(), idleMs);
    },
    stop: (): void => clearTimeout(timer),
  };
}

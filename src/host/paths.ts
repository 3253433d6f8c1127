import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import { makePrivateDir } from '../config/private-dir.ts';
import { protocolMajor } from './protocol.ts';

/** Longest path of a unix socket that every system takes: `sun_path` has 104 bytes on macOS, 108 on Linux, NUL included. */
const maxSocketPathBytes = 103;

export interface HostPaths {
  readonly dir: string;
  readonly socket: string;
  readonly lock: string;
  readonly pid: string;
  readonly log: string;
}

/** Where the host of one protocol major is found; a home whose path is too long for a socket has it in `$XDG_RUNTIME_DIR`. */
export function hostPaths(home: Home, env: NodeJS.ProcessEnv = process.env, major: number = protocolMajor): HostPaths {
  const dir = socketDir(home, env);
  return {
    dir,
    socket: join(dir, `host-v${major}.sock`),
    lock: join(dir, `host-v${major}.lock`),
    pid: join(home.run, major === protocolMajor ? 'host.pid' : `host-v${major}.pid`),
    log: join(home.logs, 'host.log'),
  };
}

/** Majors of all hosts that left a socket in this home, ours included, newest first. */
export function listHostMajors(home: Home, env: NodeJS.ProcessEnv = process.env): number[] {
  const names = entriesOf(socketDir(home, env));
  const majors = names.flatMap((name) => /^host-v(\d+)\.sock$/.exec(name)?.[1] ?? []).map(Number);
  return majors.sort((a, b) => b - a);
}

/** Makes a directory that only we may enter; gives the uid of its owner when that is somebody else. */
export function openPrivateDir(path: string): { readonly ownedBy: number } | null {
  makePrivateDir(path);
  const stat = statSync(path);
  const foreign = [lstatSync(path), stat].find(({ uid }) => uid !== process.geteuid?.()); // a link, and what it leads to
  if (foreign !== undefined) return { ownedBy: foreign.uid };
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
  return null;
}

/** The directory of a home's sockets. */
export function socketDir(home: Home, env: NodeJS.ProcessEnv = process.env): string {
  if (Buffer.byteLength(join(home.run, 'host-v99.sock')) <= maxSocketPathBytes) return home.run;
  const name = process.getBuiltinModule('node:crypto').createHash('sha256').update(home.dir).digest('hex').slice(0, 12);
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && runtime !== '') return join(runtime, `cis-${name}`);
  return join('/tmp', `cis-${process.geteuid?.() ?? 0}-${name}`);
}

function entriesOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

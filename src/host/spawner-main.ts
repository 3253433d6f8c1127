import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { frameJson, openFrameReader } from './frame.ts';
import { readPidStart } from './processes.ts';
import type { ProcessEnd, SpawnerReport, SpawnerRequest, SpawnOrder } from './spawn-order.ts';

/**
 * The program of the spawner: starts processes for a host, which talks on descriptor 3, and tells how they end. It ends with
 * its host, and by nothing else: only the parent of a process learns its exit status.
 */
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.title = 'cis host: spawner';
closeTerminals();

const host = new Socket({ fd: 3 });
const read = openFrameReader();
host.on('data', (chunk: Buffer) => {
  for (const frame of read(chunk)) if (frame.kind === 'json') start(JSON.parse(frame.text) as SpawnerRequest);
});
host.on('error', () => {});
host.on('close', () => process.exit());

function tell(report: SpawnerReport): void {
  host.write(frameJson(report));
}

function start({ id, ...order }: SpawnerRequest): void {
  const end = (how: ProcessEnd): void => tell({ kind: 'ended', id, end: how });
  try {
    const child = launch(order);
    child.on('error', (error) => end({ kind: 'not-started', reason: error.message }));
    if (child.pid === undefined) return;
    tell({ kind: 'started', id, pid: child.pid, pidStart: readPidStart(child.pid) }); // before it is waited for, as it may have ended
    child.on('exit', (code, signal) =>
      end(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal }),
    );
  } catch (error) {
    end({ kind: 'not-started', reason: error instanceof Error ? error.message : String(error) });
  }
}

/** `detached` makes the process lead a session of its own, which has no terminal yet. */
function launch(order: SpawnOrder) {
  const { tty, env, cwd, umask } = order;
  const fd = openSync(tty, constants.O_RDWR | constants.O_NOCTTY);
  const ours = process.umask(umask);
  try {
    const [file, args] = onTerminal(order);
    return spawn(file, args, { stdio: [fd, fd, fd], detached: true, cwd, env });
  } finally {
    process.umask(ours);
    closeSync(fd);
  }
}

/**
 * The first terminal that the leader of a session opens becomes its controlling one, so every program starts as a shell that opens
 * it: a command for `/bin/sh` does so itself, for any other the shell makes way.
 */
function onTerminal({ tty, file, args }: SpawnOrder): [file: string, args: string[]] {
  const [flag, script, ...rest] = args;
  if (file === '/bin/sh' && flag === '-c' && script !== undefined)
    return [file, ['-c', `: <${tty}; ${script}`, ...rest]];
  return ['/bin/sh', ['-c', `: <${tty}; stty iutf8 2>/dev/null; exec "$@"`, 'sh', file, ...args]];
}

/** Terminals of its host are inherited by a spawner that takes the place of one which died: they would stay open for ever. */
function closeTerminals(): void {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd > 3 && isTerminal(fd)) closeSync(fd);
  }
}

function isTerminal(fd: number): boolean {
  try {
    return /^\/dev\/(?:ptmx|pts\/.*)$/u.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch {
    return false;
  }
}

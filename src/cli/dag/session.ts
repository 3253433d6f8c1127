import { findHome, recordingPath, type Home } from '../../config/home.ts';
import type { Redactor } from '../../domain/redact.ts';
import type { SessionEnd } from '../../domain/session.ts';
import { unreachable } from '../../domain/unreachable.ts';
import { describeHostError } from '../../host/client.ts';
import type { RemoteHost } from '../../federation/remote/connect.ts';
import type { LogRequest } from '../../federation/remote/protocol.ts';
import type { Disconnected, HostConnection } from '../../host/port.ts';
import type { HostError, ReplyValue, RequestBody } from '../../host/protocol.ts';
import { openProcessRedactor, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { pickSession, readAllSessions, readLivingSessions, type FoundSession } from '../resolve.ts';

export interface OpenedSession extends Disposable {
  readonly home: Home;
  readonly found: FoundSession;
}

/** Finds a session, the living ones of this machine first: those need no database. One of another node is asked for there. */
export async function findSession(text: string, what: string): Promise<OpenedSession> {
  const home = findHome(process.env);
  const living = await readLivingSessions(home, what);
  const close = (hosts: readonly Disposable[]) => (): void => hosts.forEach((host) => host[Symbol.dispose]());
  const quick = pickQuietly(text, living.found);
  if (quick !== null) return { home, found: quick, [Symbol.dispose]: close(living.hosts) };
  close(living.hosts)();
  const all = await readAllSessions(home, what, text.split(':')[0] ?? '');
  const open: Disposable[] = [...all.hosts];
  try {
    const found = pickSession(text, all.found);
    if (found.node === null) return { home, found, [Symbol.dispose]: close(open) };
    const { openNodes, reachSession } = await import('../remote.ts');
    const nodes = await openNodes(home, what);
    open.push(nodes);
    return { home, found: await reachSession(nodes, found, found.node), [Symbol.dispose]: close(open) };
  } catch (error) {
    close(open)();
    throw error;
  }
}

/** A living session by its exact name is meant, whatever else there is. */
function pickQuietly(text: string, living: readonly FoundSession[]): FoundSession | null {
  return living.find((session) => session.id === text) ?? null;
}

/** What masks in the text of a session: what its run was given as well. */
export async function openSessionRedactor({ home, found }: OpenedSession): Promise<Redactor> {
  const { openStorageToRead } = await import('../../storage/open.ts');
  const { readRunSettings } = await import('../../storage/read.ts');
  const db = openStorageToRead(home.database); // where it cannot be read, the session's text is shown all the same
  const settings = db.ok ? readRunSettings(db.value, found.run) : null;
  if (db.ok) db.value.close();
  return openProcessRedactor((await readConfig()).config, settings);
}

export function castPath(home: Home, found: FoundSession): string {
  return recordingPath(home, found.run, found.task, found.attempt);
}

/** The recording of a session of another node, whole. */
export async function readRemoteLog(host: RemoteHost, log: LogRequest): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await followRemoteLog(host, log, (bytes) => pieces.push(Buffer.from(bytes)));
  return Buffer.concat(pieces);
}

/** Hands on the recording of a session of another node as it comes. */
export async function followRemoteLog(
  host: RemoteHost,
  log: LogRequest,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  const read = await host.readLog(log, take);
  if (read.ok) return;
  if (read.error.kind !== 'disconnected') throw hostError(read.error);
  throw new CommandError('unreachable', `the connection to that node ended: ${host.goneBecause ?? 'no word of why'}`);
}

/** Sends a request to the host of a living session; throws what a person can mend. */
export async function askHost(host: HostConnection, body: RequestBody): Promise<ReplyValue> {
  const reply = await host.request(body);
  if (reply.ok) return reply.value;
  throw hostError(reply.error);
}

export function hostError(error: HostError | Disconnected): CommandError {
  const said = describeHostError(error);
  switch (error.kind) {
    case 'unknown-session':
      return new CommandError('not-found', said, ['see: cis dag sessions --all']);
    case 'disconnected':
      return new CommandError('unreachable', said, ['see: cis host status']);
    case 'session-ended':
      return new CommandError('refused', `${said}: ${describeEnd(error.end)}`, [`see: cis dag logs ${error.session}`]);
    case 'session-exists':
    case 'old-epoch':
    case 'not-started':
    case 'sessions-alive':
    case 'block-gone':
    case 'already-answered':
    case 'person-typing':
    case 'answer-not-taken':
    case 'stopping':
    case 'bad-request':
      return new CommandError('refused', said);
    default:
      return unreachable(error);
  }
}

/** The living side of a session, or why there is none. */
export function livingOf(found: FoundSession): NonNullable<FoundSession['living']> {
  if (found.living !== null) return found.living;
  const end = found.row?.end ?? null;
  const how = end === null ? 'it is not alive' : describeEnd(end);
  throw new CommandError('refused', `session ${found.id} takes no input: ${how}`, [`see: cis dag logs ${found.id}`]);
}

/** How a session ended, in a few words. */
export function describeEnd(end: SessionEnd): string {
  switch (end.kind) {
    case 'exited':
      return `exited with ${end.code}`;
    case 'signalled':
      return `died by ${end.signal}`;
    case 'killed':
      return `killed (${end.by}, ${end.signal})`;
    case 'lost':
      return 'lost with its host';
    case 'not-started':
      return `not started: ${end.reason}`;
    default:
      return unreachable(end);
  }
}

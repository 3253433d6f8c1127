import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import { parseSessionId, sessionId, type RunId, type SessionId, type TaskId } from '../domain/ids.ts';
import { connectHosts } from '../host/client.ts';
import type { RemoteHost } from '../federation/remote/connect.ts';
import type { HostConnection } from '../host/port.ts';
import type { HostedSession } from '../host/protocol.ts';
import type { Db } from '../storage/open.ts';
import type { AttemptRow } from '../storage/read.ts';
import { CommandError } from './exit.ts';
import { fitting, onlyOne, runWords } from './pick.ts';
import { readPlaces, type NodePlace } from './remote.ts';

/** A session that an id on the command line means. */
export interface FoundSession {
  readonly id: SessionId;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  /** Where it lives; null once it has ended, or when its host died. */
  readonly living: { readonly host: HostConnection; readonly session: HostedSession } | null;
  /** What the database knows of it, when it was looked at. */
  readonly row: AttemptRow | null;
  /** The other node that has it, or had it; null: it is of this one. */
  readonly node: NodePlace | null;
  /** The connection to that node, once there is one. */
  readonly remote: RemoteHost | null;
}

interface LivingSessions {
  readonly found: FoundSession[];
  /** Connections, to be closed. */
  readonly hosts: readonly Disposable[];
}

/** Sessions that live in any host of the home. The connections stay open until they are disposed of. */
export async function readLivingSessions(home: Home, what: string): Promise<LivingSessions> {
  const hosts = await connectHosts(home, what);
  const lists = await Promise.all(hosts.map((host) => host.request({ kind: 'list', run: null })));
  const found = lists.flatMap((reply, index) => {
    const host = hosts[index];
    if (!reply.ok || reply.value.kind !== 'sessions' || host === undefined) return [];
    return reply.value.sessions.flatMap((session) => foundOf(session.session, { host, session }, null));
  });
  return { found, hosts };
}

/**
 * Living and ended sessions, of a task's attempts all: those that live, those in the database, and those that left a recording.
 * `run` is a run id or the beginning of some; null is all.
 */
export async function readAllSessions(home: Home, what: string, run: string | null): Promise<LivingSessions> {
  const rows = await readRows(home, run); // first: it may throw, and then no connection must be open
  const living = await readLivingSessions(home, what);
  const byId = new Map(living.found.map((session) => [session.id, session]));
  for (const id of listRecordings(home, run))
    for (const session of foundOf(id, null, null)) if (!byId.has(id)) byId.set(id, session);
  for (const row of rows) {
    for (const session of foundOf(row.session, byId.get(row.session)?.living ?? null, row))
      byId.set(row.session, session);
  }
  for (const [id, node] of await readPlaces(home, run)) {
    for (const session of byId.has(id) ? [byId.get(id)] : foundOf(id, null, null)) {
      if (session !== undefined && session.living === null) byId.set(id, { ...session, node });
    }
  }
  return { found: [...byId.values()], hosts: living.hosts };
}

/** Living sessions with what the database knows of them: it is opened when one lives, and asked about their runs only. */
export async function readLivingWithRows(home: Home, what: string, run: string | null): Promise<LivingSessions> {
  const living = await readLivingSessions(home, what);
  const found = living.found.filter((session) => run === null || session.run === run);
  try {
    const runs = new Set(found.map((session) => session.run));
    const rows = runs.size === 0 ? [] : await readRowsOf(home, () => [...runs]);
    const byId = new Map(rows.map((row) => [row.session, row]));
    return { ...living, found: found.map((session) => ({ ...session, row: byId.get(session.id) ?? null })) };
  } catch (error) {
    for (const host of living.hosts) host[Symbol.dispose]();
    throw error;
  }
}

async function readRows(home: Home, run: string | null): Promise<AttemptRow[]> {
  const { findRuns, listRuns } = await import('../storage/read.ts');
  return readRowsOf(home, (db) => (run === null ? listRuns(db, 1_000) : findRuns(db, run)).map((row) => row.run));
}

async function readRowsOf(home: Home, runsOf: (db: Db) => readonly RunId[]): Promise<AttemptRow[]> {
  const { openStorageToRead, describeStorageError } = await import('../storage/open.ts');
  const { readAttempts } = await import('../storage/read.ts');
  const db = openStorageToRead(home.database);
  if (!db.ok) {
    if (db.error.kind === 'missing') return [];
    throw new CommandError('failed', describeStorageError(db.error));
  }
  const rows = runsOf(db.value).flatMap((run) => readAttempts(db.value, run));
  db.value.close();
  return rows;
}

/** Sessions whose recordings lie in the home: their number is that of the files, so all runs' are not listed. */
function listRecordings(home: Home, run: string | null): SessionId[] {
  if (run === null || run === '') return [];
  const runs = listDir(home.sessions).filter((name) => name.startsWith(run));
  return runs.flatMap((dir) =>
    listDir(join(home.sessions, dir)).flatMap((file) => {
      const parts = parseSessionId(`${dir}:${file.replace(/\.cast$/, '')}`);
      if (!file.endsWith('.cast') || !parts.ok) return [];
      return [sessionId(parts.value.run, parts.value.task, parts.value.attempt)];
    }),
  );
}

function listDir(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/**
 * Finds the session that `text` means: `RUN:TASK` is its latest attempt, `RUN:TASK#N` that attempt, and each part may be
 * a prefix as long as only one fits. Throws `not-found` and, with the candidates, `refused`.
 */
export function pickSession(text: string, sessions: readonly FoundSession[]): FoundSession {
  const [name = '', attempt] = text.split('#');
  const matching = matchTasks(name, sessions).filter(
    (session) => attempt === undefined || String(session.attempt).startsWith(attempt),
  );
  const exact = matching.filter((session) => attempt !== undefined && session.attempt === Number(attempt));
  const chosen = exact.length > 0 ? exact : attempt === undefined ? latestAttempts(matching) : matching;
  return onlyOne(text, chosen, (session) => session.id, ['session', 'sessions', 'cis dag sessions --all']);
}

/** Finds the run that `text` means, among those in the database and those with living sessions. */
export async function resolveRun(home: Home, text: string): Promise<RunId> {
  const { openStorageToRead, describeStorageError } = await import('../storage/open.ts');
  const { findRuns } = await import('../storage/read.ts');
  const db = openStorageToRead(home.database);
  if (!db.ok && db.error.kind !== 'missing') throw new CommandError('failed', describeStorageError(db.error));
  const stored = db.ok && text !== '' ? findRuns(db.value, text).map((row) => row.run) : [];
  if (db.ok) db.value.close();
  if (stored.length > 0) return onlyOne(text, stored, (run) => run, runWords);
  const { found, hosts } = await readLivingSessions(home, 'looking for a run');
  for (const host of hosts) host[Symbol.dispose]();
  const living = [...new Set(found.map((session) => session.run))];
  return onlyOne(text, text === '' ? [] : fitting(text, living, (run) => run), (run) => run, runWords);
}

function matchTasks(name: string, sessions: readonly FoundSession[]): FoundSession[] {
  const [runPart = '', taskPart] = name.split(':');
  const ofRuns = fitting(runPart, sessions, (session) => session.run);
  if (taskPart === undefined) return ofRuns;
  const byRun = Map.groupBy(ofRuns, (session) => session.run);
  const perRun = [...byRun.values()].map((group) => ({
    group: fitting(taskPart, group, (session) => session.task),
  }));
  return perRun.flatMap(({ group }) => group);
}

function latestAttempts(sessions: readonly FoundSession[]): FoundSession[] {
  const byTask = Map.groupBy(sessions, (session) => `${session.run}:${session.task}`);
  return [...byTask.values()].flatMap((group) => group.toSorted((a, b) => b.attempt - a.attempt).slice(0, 1));
}

function foundOf(id: SessionId, living: FoundSession['living'], row: AttemptRow | null): FoundSession[] {
  const parts = parseSessionId(id);
  return parts.ok ? [{ id, ...parts.value, living, row, node: null, remote: null }] : [];
}

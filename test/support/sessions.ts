import { decodeRecording } from '../../src/host/transcript.ts';
import { join } from 'node:path';
import { recordingPath } from '../../src/config/home.ts';
import { parseSessionId, type RunId, type SessionId } from '../../src/domain/ids.ts';
import type { SessionEnd } from '../../src/domain/session.ts';
import type { HostConnection } from '../../src/host/port.ts';
import type { JournalEntry, SpawnRequest } from '../../src/host/protocol.ts';
import type { World } from './world.ts';

export const fixture = (name: string): string => join(import.meta.dirname, '../fixtures', name);

/** A spawn request of `sh -c script`, or of what `changes` say. */
export function spawnRequest(
  world: World,
  session: string,
  script: string,
  changes: Partial<SpawnRequest> = {},
): SpawnRequest {
  const parts = parseSessionId(session);
  if (!parts.ok) throw new Error(parts.error);
  const { run, task, attempt } = parts.value;
  return {
    session: session as SessionId,
    run,
    epoch: 1,
    file: 'sh',
    args: ['-c', script],
    cwd: world.dir,
    umask: 0o022,
    env: {},
    cols: 80,
    rows: 24,
    recording: { path: recordingPath(world.home, run, task, attempt), maxBytes: 1024 * 1024, title: session },
    ...changes,
  };
}

/** The journal of one run as it comes in. */
export interface Followed {
  readonly entries: readonly JournalEntry[];
  /** Resolves with the first entry, past or to come, that `look` takes. */
  waitFor(look: (entry: JournalEntry) => boolean): Promise<JournalEntry>;
  endOf(session: string): Promise<SessionEnd>;
}

/** Follows a run on a connection, which then can follow no other through this. */
export async function followRun(host: HostConnection, run: string, after = 0): Promise<Followed> {
  const entries: JournalEntry[] = [];
  const watchers = new Set<() => void>();
  host.listen({
    journal: (_, entry) => {
      entries.push(entry);
      for (const watch of watchers) watch();
    },
  });
  const followed = await host.request({ kind: 'follow', run: run as RunId, after });
  if (!followed.ok) throw new Error(JSON.stringify(followed.error));
  const waitFor = (look: (entry: JournalEntry) => boolean): Promise<JournalEntry> =>
    new Promise((resolve) => {
      const watch = (): void => {
        const found = entries.find(look);
        if (found === undefined) return;
        watchers.delete(watch);
        resolve(found);
      };
      watchers.add(watch);
      watch();
    });
  return {
    entries,
    waitFor,
    async endOf(session) {
      const entry = await waitFor(({ session: id, event }) => id === session && event.kind === 'ended');
      if (entry.event.kind !== 'ended') throw new Error('unreachable');
      return entry.event.end;
    },
  };
}

/** Sends a request that must succeed. */
export async function ask(host: HostConnection, body: Parameters<HostConnection['request']>[0]) {
  const reply = await host.request(body);
  if (!reply.ok) throw new Error(JSON.stringify(reply.error));
  return reply.value;
}

/** The exact bytes that a session wrote. */
export function readRecording(path: string): Buffer {
  return Buffer.concat([...decodeRecording(path)]);
}

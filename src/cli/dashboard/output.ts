import { recordingPath, type Home } from '../../config/home.ts';
import { parseSessionId, type SessionId } from '../../domain/ids.ts';
import { connectHosts } from '../../host/client.ts';
import type { HostConnection } from '../../host/port.ts';
import type { RemoteHost } from '../../federation/remote/connect.ts';
import { renderTranscript } from '../../host/transcript.ts';
import { withNodeOf } from '../remote.ts';

type Show = (lines: readonly string[], end: string | null) => void;

/** A busy screen is looked at so often. */
const betweenLooksMs = 80;

/** Shows the screen of a session as it changes, and all it wrote once it has ended, until it is disposed of. */
export function openOutput(home: Home, session: SessionId, show: Show): AsyncDisposable {
  const closing = new AbortController();
  const followed = follow(home, session, closing.signal, show);
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await followed;
    },
  };
}

async function follow(home: Home, session: SessionId, signal: AbortSignal, show: Show): Promise<void> {
  const what = `dashboard, looking (pid ${process.pid})`;
  const hosts = await connectHosts(home, what);
  try {
    for (const host of hosts) {
      if (!(await followIn(host, session, signal, show))) continue;
      return signal.aborted ? undefined : show(readWhole(home, session), 'ended');
    }
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
  const there = await withNodeOf(home, session, what, async (host) => {
    await followIn(host, session, signal, show);
    return signal.aborted ? [] : await readThere(host, session);
  });
  if (signal.aborted) return;
  if (!there.ok) return show([], there.error);
  show(there.value ?? readWhole(home, session), 'ended');
}

/** All that a session of another node wrote. */
async function readThere(host: RemoteHost, session: SessionId): Promise<string[]> {
  const pieces: Buffer[] = [];
  await host.readLog({ session, as: 'text', lines: null, follow: false }, (bytes) => pieces.push(Buffer.from(bytes)));
  return Buffer.concat(pieces).toString('utf8').split('\n');
}

/** False when the session is not this host's. Being attached, read-only, tells when to look. */
async function followIn(host: HostConnection, session: SessionId, signal: AbortSignal, show: Show): Promise<boolean> {
  const over = Promise.withResolvers<void>();
  let next: NodeJS.Timeout | null = null;
  const look = async (): Promise<void> => {
    const reply = await host.request({ kind: 'screen', session });
    next = null;
    if (reply.ok && reply.value.kind === 'screen' && !signal.aborted) show(reply.value.screen.lines, null);
  };
  const lookSoon = (): void => {
    next ??= setTimeout(() => void look(), betweenLooksMs);
  };
  host.listen({ output: lookSoon, attachmentEnded: () => over.resolve() });
  const attach = { session, cols: 80, rows: 24, readonly: true, force: false };
  const reply = await host.request({ kind: 'attach', attach });
  if (!reply.ok) return false;
  signal.addEventListener('abort', () => over.resolve());
  if (signal.aborted) over.resolve();
  await look();
  await Promise.race([over.promise, host.closed]);
  if (next !== null) clearTimeout(next);
  return true;
}

/** All that a session wrote, as text. */
export function readWhole(home: Home, session: SessionId): string[] {
  const parts = parseSessionId(session);
  if (!parts.ok) return [];
  const { run, task, attempt } = parts.value;
  try {
    return renderTranscript(recordingPath(home, run, task, attempt)).split('\n');
  } catch {
    return []; // it left none
  }
}

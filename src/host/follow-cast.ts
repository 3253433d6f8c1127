import { closeSync, openSync, readSync } from 'node:fs';
import type { SessionId } from '../domain/ids.ts';
import { decodeText, parseCastLine } from './cast.ts';
import type { HostConnection } from './port.ts';
import { tailPath } from './recording.ts';

/** A living session and its host. */
interface Living {
  readonly host: HostConnection;
  readonly session: { readonly session: SessionId };
}

/**
 * Hands on the output of a session from its recording, then as it comes, until the session ends. A living one is attached to
 * read-only, which tells when to look; the bytes are those of the file, so that nothing is missed or shown twice.
 */
export async function followCast(path: string, living: Living | null, write: (bytes: Buffer) => void): Promise<void> {
  using tail = openCastTail(path);
  const over = Promise.withResolvers<void>();
  const catchUp = (): void => {
    const bytes = tail.read();
    if (bytes.length > 0) write(bytes);
  };
  if (living === null) return catchUp();
  let look: NodeJS.Timeout | null = null;
  const lookSoon = (): void => {
    look ??= setTimeout(() => {
      look = null;
      catchUp();
    }, 10);
  };
  living.host.listen({ output: lookSoon, attachmentEnded: () => over.resolve() });
  const attach = { session: living.session.session, cols: 80, rows: 24, readonly: true, force: false };
  const reply = await living.host.request({ kind: 'attach', attach });
  catchUp();
  if (reply.ok) await Promise.race([over.promise, living.host.closed]);
  if (look !== null) clearTimeout(look);
  catchUp();
}

/** Reads what a recording got since the last look; there is none before the first output. Beyond the size limit it goes on in pieces of their own. */
function openCastTail(path: string): Disposable & { read(): Buffer } {
  let fd = tryOpen(path);
  let pieces = 0;
  let at = 0;

  function readLines(fd: number): string[] {
    const chunk = Buffer.allocUnsafe(1024 * 1024);
    const chunks: Buffer[] = [];
    for (
      let read = readSync(fd, chunk, 0, chunk.length, at);
      read > 0;
      read = readSync(fd, chunk, 0, chunk.length, at)
    ) {
      chunks.push(Buffer.from(chunk.subarray(0, read)));
      at += read;
    }
    const bytes = Buffer.concat(chunks);
    const end = bytes.lastIndexOf(10) + 1; // a line that is being written is read again
    at -= bytes.length - end;
    return bytes.toString('utf8', 0, end).split('\n');
  }

  return {
    read() {
      fd ??= tryOpen(path);
      if (fd === null) return Buffer.alloc(0);
      const lines = readLines(fd);
      for (let next = tryOpen(tailPath(path, pieces)); next !== null; next = tryOpen(tailPath(path, pieces))) {
        lines.push(...readLines(fd));
        closeSync(fd);
        fd = next;
        at = 0;
        pieces += 1;
        lines.push(...readLines(fd));
      }
      const events = lines.map(parseCastLine).filter((event) => event !== null);
      return Buffer.concat(events.flatMap(([, kind, data]) => (kind === 'o' ? [decodeText(data)] : [])));
    },
    [Symbol.dispose]: () => {
      if (fd !== null) closeSync(fd);
    },
  };
}

function tryOpen(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

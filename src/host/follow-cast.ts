import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';
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
 * read-only, which tells when to look; the bytes are those of the file, so that nothing is missed or shown twice. While `isReady`
 * says no, nothing is read: what takes the bytes is slower than the session.
 */
export async function followCast(
  path: string,
  living: Living | null,
  write: (bytes: Buffer) => void,
  isReady: () => boolean = () => true,
): Promise<void> {
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
      if (isReady()) catchUp();
      else lookSoon();
    }, 10);
  };
  living.host.listen({ output: lookSoon, attachmentEnded: () => over.resolve() });
  const attach = { session: living.session.session, cols: 80, rows: 24, readonly: true, force: false };
  const reply = await living.host.request({ kind: 'attach', attach });
  catchUp();
  if (reply.ok) await Promise.race([over.promise, living.host.closed]);
  if (look !== null) clearTimeout(look);
  catchUp();
  const rest = tail.finish();
  if (rest.length > 0) write(rest);
}

interface CastTail extends Disposable {
  /** Output that was recorded since the last look. */
  read(): Buffer;
  /** What is left once the recording is closed: its pieces were put behind its head, those never looked at too. */
  finish(): Buffer;
}

/** Reads a recording while it is written; there is none before the first output. Beyond the size limit it goes on in pieces of their own, the oldest of which go. */
function openCastTail(path: string): CastTail {
  let fd = tryOpen(path);
  let nextPiece = 0;
  let at = 0;
  let headEnd = 0;
  let last: { readonly line: string; readonly at: number } = { line: '', at: -1 };

  function readLines(): string[] {
    fd ??= tryOpen(path);
    if (fd === null) return [];
    const lines = readWhole(fd, at);
    at += lines.bytes;
    return lines.text;
  }

  /** The pieces are put behind the head while we read: what was seen in the one place comes again in the other. */
  function takeNew(lines: readonly string[]): Buffer {
    const taken: Buffer[] = [];
    for (const line of lines) {
      const event = parseCastLine(line);
      if (event === null || event[1] !== 'o') continue;
      if (event[0] < last.at || line === last.line) continue;
      last = { line, at: event[0] };
      taken.push(decodeText(event[2]));
    }
    return Buffer.concat(taken);
  }

  function moveOn(number: number): string[] {
    const next = openSync(tailPath(path, number), 'r');
    const before = readLines(); // what was written to the old piece before the new one began
    if (nextPiece === 0) headEnd = at;
    if (fd !== null) closeSync(fd);
    fd = next;
    at = 0;
    nextPiece = number + 1;
    return [...before, ...readLines()];
  }

  return {
    read() {
      const lines = readLines();
      try {
        for (let next = findPiece(path, nextPiece); next !== null; next = findPiece(path, nextPiece))
          lines.push(...moveOn(next));
      } catch {
        // the piece has just gone: there is a newer one, or the recording is closed
      }
      return takeNew(lines);
    },
    finish() {
      if (nextPiece === 0) return takeNew(readLines());
      if (fd !== null) closeSync(fd);
      fd = openSync(path, 'r');
      const { text } = readWhole(fd, headEnd);
      return takeNew(text);
    },
    [Symbol.dispose]: () => {
      if (fd !== null) closeSync(fd);
    },
  };
}

/** Whole lines from an offset on; one that is being written is left for the next time. */
function readWhole(fd: number, from: number): { readonly text: string[]; readonly bytes: number } {
  const chunks: Buffer[] = [];
  const chunk = Buffer.allocUnsafe(1024 * 1024);
  let at = from;
  for (let read = readSync(fd, chunk, 0, chunk.length, at); read > 0;) {
    chunks.push(Buffer.from(chunk.subarray(0, read)));
    at += read;
    read = readSync(fd, chunk, 0, chunk.length, at);
  }
  const bytes = Buffer.concat(chunks);
  const end = bytes.lastIndexOf(10) + 1;
  return { text: end === 0 ? [] : bytes.toString('utf8', 0, end - 1).split('\n'), bytes: end };
}

/** The oldest piece of at least this number that is still there. */
function findPiece(path: string, from: number): number | null {
  const prefix = basename(tailPath(path, 0)).slice(0, -1);
  const numbers = readdirSync(dirname(path)).flatMap((name) =>
    name.startsWith(prefix) ? [Number(name.slice(prefix.length))] : [],
  );
  const newer = numbers.filter((number) => number >= from);
  return newer.length === 0 ? null : Math.min(...newer);
}

function tryOpen(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

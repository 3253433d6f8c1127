import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makePrivateDir } from '../config/private-dir.ts';
import type { SessionId } from '../domain/ids.ts';
import type { SessionEnd } from '../domain/session.ts';
import type { JournalEntry, JournalEvent } from './protocol.ts';

/** The writer of one run's journal. What is appended waits for `flush`, which writes all of it at once. */
export interface Journal extends Disposable {
  /** The highest lease epoch that asked for a session of the run. */
  readonly epoch: number;
  claim(epoch: number): void;
  /** How a session of this run ended; null while it has not, undefined when the journal has none of that name. */
  endOf(session: SessionId): SessionEnd | null | undefined;
  append(session: SessionId, event: JournalEvent): void;
  /** Writes what was appended and gives it; throws when the disk refuses, then the same entries wait for the next call. */
  flush(): readonly JournalEntry[];
  readonly pending: boolean;
}

/** Entries of a journal after `after`, oldest first; none when there is no such file. A torn last line does not count. */
export function readJournal(path: string, after: number): JournalEntry[] {
  return parseJournal(readBytes(path)).entries.filter((entry) => entry.seq > after);
}

/** Opens the journal of a run for its one writer, the host; a last line that a crash tore is cut off. */
export function openJournal(path: string): Journal {
  makePrivateDir(dirname(path));
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const found = parseJournal(readFileSync(fd));
  const ends = new Map<SessionId, SessionEnd | null>();
  let size = found.bytes;
  let seq = 0;
  let epoch = 0;
  let waiting: JournalEntry[] = [];
  ftruncateSync(fd, size);
  for (const entry of found.entries) note(entry);

  function note(entry: JournalEntry): void {
    seq = entry.seq;
    if (entry.event.kind === 'spawned') {
      ends.set(entry.session, null);
      epoch = Math.max(epoch, entry.event.epoch);
    }
    if (entry.event.kind === 'ended') ends.set(entry.session, entry.event.end);
  }

  return {
    get epoch() {
      return epoch;
    },
    get pending() {
      return waiting.length > 0;
    },
    claim(by) {
      epoch = Math.max(epoch, by);
    },
    endOf: (session) => ends.get(session),
    append(session, event) {
      const entry = { seq: seq + 1, at: Date.now(), session, event };
      note(entry);
      waiting.push(entry);
    },
    flush() {
      const written = waiting;
      if (written.length === 0) return written;
      const bytes = Buffer.from(written.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      writeWhole(fd, bytes, size);
      size += bytes.length;
      waiting = [];
      return written;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** Writes all bytes at a place of a file or none: what a full disk took of them is cut off again. */
export function writeWhole(fd: number, bytes: Buffer, position: number): void {
  let written = 0;
  try {
    while (written < bytes.length) {
      written += writeSync(fd, bytes, written, bytes.length - written, position + written);
    }
  } catch (error) {
    if (written > 0) ftruncateSync(fd, position);
    throw error;
  }
}

function parseJournal(bytes: Buffer): { readonly entries: JournalEntry[]; readonly bytes: number } {
  const entries: JournalEntry[] = [];
  let start = 0;
  for (let end = bytes.indexOf(10, start); end !== -1; end = bytes.indexOf(10, start)) {
    const entry = parseEntry(bytes.toString('utf8', start, end));
    if (entry === null) break;
    entries.push(entry);
    start = end + 1;
  }
  return { entries, bytes: start };
}

function parseEntry(line: string): JournalEntry | null {
  try {
    const entry = JSON.parse(line) as JournalEntry | null;
    return typeof entry?.seq === 'number' ? entry : null;
  } catch {
    return null;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

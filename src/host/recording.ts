import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makePrivateDir } from '../config/private-dir.ts';
import { castLine } from './cast-line.ts';
import { encodeBytes, splitUtf8, standForThemselves, type CastHeader } from './cast.ts';
import { writeWhole } from './journal.ts';

export interface RecordingOptions {
  readonly path: string;
  /** Bytes of the whole file; what is more is dropped from the middle. */
  readonly maxBytes: number;
  readonly header: CastHeader;
  /** Called once, when nothing more is recorded: the disk is full, the directory is gone. */
  readonly onFailed: (reason: string) => void;
}

/** Writes one session's asciicast. What is written waits for `flush`, so that all of one turn is one event. */
export interface Recording {
  write(bytes: Buffer): void;
  resize(cols: number, rows: number): void;
  /** An entry of the recording's index, which players jump to. */
  mark(text: string): void;
  flush(): void;
  /** Writes the rest and gives how many bytes of output the size limit dropped. */
  close(): number;
}

/** The newest pieces of output beyond the size limit lie in `FILE.tail-N` until the end, when they are put behind the head. */
export function tailPath(path: string, number: number): string {
  return `${path}.tail-${number}`;
}

/** Opens a recording, whose file is made with the first output; a disk that refuses is told to `onFailed` and the session goes on without. */
export function openRecording(options: RecordingOptions): Recording {
  const startedAt = performance.now();
  const file = openCastFile(options);
  let waiting: Buffer[] = [];
  let waitingAt = 0;

  function now(): number {
    return (performance.now() - startedAt) / 1000;
  }

  function flush(whole: boolean): void {
    if (waiting.length === 0) return;
    const bytes = waiting.length === 1 ? (waiting[0] ?? Buffer.alloc(0)) : Buffer.concat(waiting);
    const end = whole ? bytes.length : splitUtf8(bytes);
    waiting = end === bytes.length ? [] : [bytes.subarray(end)];
    if (end > 0) file.append(waitingAt, 'o', encode(bytes.subarray(0, end)), end);
  }

  return {
    write(bytes) {
      if (waiting.length === 0) waitingAt = now();
      waiting.push(bytes);
    },
    resize(cols, rows) {
      flush(false);
      file.append(now(), 'r', Buffer.from(`${cols}x${rows}`), 0);
    },
    mark(text) {
      flush(false);
      file.append(now(), 'm', Buffer.from(text), 0);
    },
    flush: () => flush(false),
    close() {
      flush(true);
      return file.close(now());
    },
  };
}

interface CastFile {
  append(at: number, kind: 'o' | 'r' | 'm', data: Buffer, dataBytes: number): void;
  close(at: number): number;
}

interface Piece {
  readonly path: string;
  readonly fd: number;
  size: number;
  /** Bytes of output in it, before encoding. */
  dataBytes: number;
}

/** Half of the limit is for the head, a quarter for each of the two newest tail pieces; an older one goes when a third begins. */
function openCastFile(options: RecordingOptions): CastFile {
  const headMax = Math.floor(options.maxBytes / 2);
  const tailMax = Math.floor(options.maxBytes / 4);
  let tails: Piece[] = [];
  let tailCount = 0;
  let dropped = 0;
  let head: Piece | null = null;
  let hasBegun = false;

  /** Made when there is something to write: many sessions print nothing, and a file is a tenth of what they cost. */
  function begin(): void {
    hasBegun = true;
    guarded(() => {
      head = openHead(options.path);
      appendTo(head, Buffer.from(`${JSON.stringify(options.header)}\n`), 0);
    });
  }

  function guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      for (const piece of [head, ...tails]) if (piece !== null) closeSync(piece.fd);
      head = null;
      tails = [];
      options.onFailed(error instanceof Error ? error.message : String(error));
    }
  }

  function pieceFor(length: number): Piece | null {
    if (head === null) return null;
    if (tails.length === 0 && head.size + length <= headMax) return head;
    const newest = tails.at(-1);
    if (newest !== undefined && newest.size + length <= tailMax) return newest;
    const next = openPiece(tailPath(options.path, tailCount));
    tailCount += 1;
    tails.push(next);
    if (tails.length > 2) dropOldest();
    return next;
  }

  function dropOldest(): void {
    const oldest = tails.shift();
    if (oldest === undefined) return;
    dropped += oldest.dataBytes;
    closeSync(oldest.fd);
    rmSync(oldest.path, { force: true });
  }

  return {
    append(at, kind, data, dataBytes) {
      if (!hasBegun) begin();
      if (head === null) return;
      guarded(() => {
        const line = castLine(at, kind, data);
        const piece = pieceFor(line.length);
        if (piece !== null) appendTo(piece, line, dataBytes);
      });
    },
    close(at) {
      guarded(() => {
        const whole = head;
        if (whole === null) return;
        if (dropped > 0) appendTo(whole, Buffer.from(droppedMarker(at, dropped)), 0);
        for (const tail of tails) copyPiece(tail, whole);
        for (const piece of [whole, ...tails]) closeSync(piece.fd);
        for (const tail of tails) rmSync(tail.path, { force: true });
        head = null;
        tails = [];
      });
      return dropped;
    },
  };
}

function encode(bytes: Buffer): Buffer {
  return standForThemselves(bytes) ? bytes : Buffer.from(encodeBytes(bytes));
}

/** A recording of that name is of an attempt which certainly did not begin: it is replaced. */
function openHead(path: string): Piece {
  try {
    return openPiece(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') rmSync(path, { force: true });
    else if (code === 'ENOENT') makePrivateDir(dirname(path)); // not `recursive`: on /proc and its like, that does not end
    else throw error;
    return openPiece(path);
  }
}

function droppedMarker(at: number, dropped: number): string {
  return `[${at.toFixed(6)}, "m", "cis: ${dropped} bytes of output were dropped here (recording_max_mb)"]\n`;
}

function openPiece(path: string): Piece {
  return { path, fd: openSync(path, 'wx+', 0o600), size: 0, dataBytes: 0 };
}

function appendTo(piece: Piece, line: Buffer, dataBytes: number): void {
  writeWhole(piece.fd, line, piece.size);
  piece.size += line.length;
  piece.dataBytes += dataBytes;
}

function copyPiece(from: Piece, into: Piece): void {
  const chunk = Buffer.allocUnsafe(1024 * 1024);
  const size = fstatSync(from.fd).size;
  for (let at = 0; at < size;) {
    const read = readSync(from.fd, chunk, 0, chunk.length, at);
    if (read === 0) return;
    writeWhole(into.fd, chunk.subarray(0, read), into.size);
    into.size += read;
    at += read;
  }
}

import { closeSync, readSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { nativePty } from './native-pty.ts';
import type { ProcessEnd } from './spawn-order.ts';
import type { Spawner } from './spawner.ts';

export interface PtyOptions {
  readonly spawner: Spawner;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number;
  readonly cols: number;
  readonly rows: number;
  /** Called once, before the first byte. */
  readonly onStarted?: (pid: number, pidStart: string) => void;
  readonly onData: (bytes: Buffer) => void;
  /** Called once, after the last byte: the process has ended and its terminal is closed. */
  readonly onEnd: (end: ProcessEnd) => void;
}

export interface Pty {
  /** False when the child has not read for so long that nothing more is kept for it. */
  write(bytes: Uint8Array): boolean;
  resize(cols: number, rows: number): void;
  /** A person is going to type: erasing a character is to erase all of its bytes. */
  expectTyping(): void;
  pause(): void;
  resume(): void;
}

/** After the exit, a process it left behind may hold the terminal: its output is waited for so long after the last byte. */
const leftoverGraceMs = 100;
/** Input that a child does not read is kept up to here. */
const maxInputBytes = 4 * 1024 * 1024;
/** A full input queue of the kernel cannot be waited for (the descriptor is polled for reading only), so it is tried again. */
const inputRetryMs = 5;

/**
 * Starts a program on a new terminal. We keep its far side open, too, until the program has exited, so that one which closes its
 * terminal and lives on (or opens it again) keeps it. Throws when there is no terminal to be had.
 */
export function openPty(options: PtyOptions): Pty {
  const { file, args, env, cwd, umask, cols, rows } = options;
  const { master, slave: farSide, pty: tty } = nativePty.open(cols, rows);
  const stream = new ReadStream(master, {
    onread: {
      buffer: readBuffer,
      callback(size) {
        lastByteAt = performance.now();
        options.onData(Buffer.from(readBuffer.subarray(0, readOn(master, size))));
        return true;
      },
    },
  });
  let end: ProcessEnd | null = null;
  let closed = false;
  let lastByteAt = 0;
  const input = openInput(master);

  /** Whatever the stream holds back comes first, then what is still in the kernel, then the far side goes. */
  function finish(how: ProcessEnd): void {
    end = how;
    stream.resume();
    setImmediate(() => {
      if (!closed) drain(master, options.onData);
      closeSync(farSide);
      lastByteAt = performance.now();
      waitForLeftovers();
    });
  }

  function waitForLeftovers(): void {
    const quietMs = stream.isPaused() ? 0 : performance.now() - lastByteAt;
    if (closed) return;
    if (quietMs >= leftoverGraceMs) stream.destroy();
    else setTimeout(waitForLeftovers, leftoverGraceMs - quietMs + 1);
  }

  stream.pause();
  stream.on('error', () => {}); // EIO is how Linux says that nobody holds the other side; 'close' follows
  stream.on('close', () => {
    closed = true;
    input.close();
    if (end !== null) options.onEnd(end);
  });
  options.spawner.start(
    { tty, file, args, env, cwd, umask },
    {
      started(pid, pidStart) {
        options.onStarted?.(pid, pidStart);
        stream.resume();
      },
      ended: finish,
    },
  );
  return {
    write: (bytes) => !closed && input.write(bytes),
    resize: (cols, rows) => {
      if (!closed) nativePty.resize(master, cols, rows);
    },
    expectTyping() {
      const order = { tty, file: '/bin/sh', args: ['-c', 'stty iutf8 2>/dev/null'], env, cwd: '/', umask };
      if (end === null) options.spawner.start(order, { started: () => {}, ended: () => {} });
    },
    pause: () => void (end === null && stream.pause()),
    resume: () => void stream.resume(),
  };
}

/** One for all terminals: what is read is copied at once. The stream alone would take 64 KiB for each read of 4, for the collector. */
const readBuffer = Buffer.allocUnsafe(32 * 1024);
/** A terminal gives 4095 bytes at most; when it gave that many, there are more as a rule. */
const fullRead = 4095;

/** Reads on behind the first `size` bytes of the buffer, which the stream has read, and gives how many there are. */
function readOn(fd: number, size: number): number {
  let read = size;
  while (read >= fullRead && size <= readBuffer.length - fullRead) {
    read = tryRead(fd, readBuffer, size);
    size += read;
  }
  return size;
}

/** A process left behind may write without end; of what is in the kernel, this is far more than it keeps. */
const maxDrainBytes = 1024 * 1024;

/**
 * Reads all that is in the kernel. The stream cannot: libuv takes the first short read of a terminal that was hung up for its
 * end, and every read of a terminal is short.
 */
function drain(fd: number, onData: (bytes: Buffer) => void): void {
  for (let drained = 0; drained < maxDrainBytes;) {
    const read = tryRead(fd, readBuffer, 0);
    if (read === 0) return;
    drained += read;
    onData(Buffer.from(readBuffer.subarray(0, read)));
  }
}

/** The last read of every session fails, and a stack trace is most of what that costs. */
function tryRead(fd: number, buffer: Buffer, offset: number): number {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return readSync(fd, buffer, offset, buffer.length - offset, null);
  } catch {
    return 0; // EAGAIN: nothing more; EIO: nobody is there
  } finally {
    Error.stackTraceLimit = limit;
  }
}

interface Input {
  write(bytes: Uint8Array): boolean;
  close(): void;
}

function openInput(fd: number): Input {
  let queue: Buffer[] = [];
  let size = 0;
  let timer: NodeJS.Timeout | null = null;

  function drain(): void {
    timer = null;
    for (let head = queue[0]; head !== undefined; head = queue[0]) {
      const written = tryWrite(fd, head);
      size -= written;
      if (written < head.length) {
        queue[0] = head.subarray(written);
        timer = setTimeout(drain, inputRetryMs);
        return;
      }
      queue.shift();
    }
  }

  return {
    write(bytes) {
      if (size + bytes.length > maxInputBytes) return false;
      queue.push(Buffer.from(bytes));
      size += bytes.length;
      if (timer === null) drain();
      return true;
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      queue = [];
      size = 0;
    },
  };
}

/** Gives how many bytes the terminal took; on a terminal that is gone, all of them: nobody will read them. */
function tryWrite(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : bytes.length;
  }
}

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { recordingPath, type Home } from '../config/home.ts';
import type { OutputSummary } from '../domain/event.ts';
import type { RunId, TaskId } from '../domain/ids.ts';
import { cutBytes } from '../domain/prompt.ts';
import { renderLast } from '../host/transcript.ts';
import { outputPath } from './files.ts';

/** The most that is kept of one output, in bytes of UTF-8. */
const maxBytes = 1024 * 1024;

export interface Output {
  readonly text: string;
  readonly summary: OutputSummary;
}

export const noOutput: OutputSummary = { bytes: 0, cutFrom: null, source: 'none' };

/**
 * Returns what an attempt leaves to its dependents: the file it wrote to `$CIS_OUTPUT`, else its agent's final message, else the
 * text that its terminal showed, of which the end is kept.
 */
export function collectOutput(home: Home, run: RunId, task: TaskId, attempt: number, message: string | null): Output {
  const file = readHead(outputPath(home, run, task, attempt));
  if (file !== null) return cutOutput(file.text, file.bytes, 'file');
  if (message !== null) return cutOutput(message, Buffer.byteLength(message), 'message');
  const { text, bytes } = renderLast(recordingPath(home, run, task, attempt), maxBytes);
  if (text === '') return { text, summary: noOutput };
  const kept = Buffer.byteLength(text);
  return { text, summary: { bytes: kept, cutFrom: bytes > kept ? bytes : null, source: 'screen' } };
}

function cutOutput(text: string, bytes: number, source: OutputSummary['source']): Output {
  if (bytes <= maxBytes) return { text, summary: { bytes, cutFrom: null, source } };
  const kept = cutBytes(text, maxBytes);
  return { text: kept.text, summary: { bytes: kept.bytes, cutFrom: bytes, source } };
}

/** Reads the beginning of a file that a program may have made as large as it likes; null when it wrote none. */
function readHead(path: string): { readonly text: string; readonly bytes: number } | null {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return null; // most write none, and an exception costs more
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // it may be a FIFO that nobody writes to
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return null;
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes + 4));
    const read = readSync(fd, bytes, 0, bytes.length, 0);
    return { text: bytes.toString('utf8', 0, read), bytes: stat.size };
  } finally {
    closeSync(fd);
  }
}

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { recordingPath, type Home } from '../config/home.ts';
import { parseSessionId, type SessionId } from '../domain/ids.ts';

/** The end of a recording that is enough for its last line. */
const tailBytes = 4_096;

/** A program that moves the cursor about paints a screen: what it wrote last is a scrap of that, not a line. */
// oxlint-disable-next-line no-control-regex -- the sequences that move it
const PAINTS = /\u001b\[(?:\d*;\d*[Hf]|\?(?:1049|2026)h|\d*[AF])/;

/** Returns the last line that a session has written, without control codes; null when there is none yet, or it paints a screen. */
export function readLastLine(home: Home, session: SessionId): string | null {
  const parts = parseSessionId(session);
  if (!parts.ok) return null;
  const { run, task, attempt } = parts.value;
  const lines = readTail(recordingPath(home, run, task, attempt))
    .split('\n')
    .slice(1);
  const written = lines.map(outputOf).join('');
  if (PAINTS.test(written)) return null;
  const shown = stripVTControlCharacters(written).split(/\r?\n|\r/);
  return shown.findLast((line) => line.trim() !== '')?.trimEnd() ?? null;
}

function outputOf(line: string): string {
  try {
    const event = JSON.parse(line) as unknown;
    return Array.isArray(event) && event[1] === 'o' ? String(event[2]) : '';
  } catch {
    return '';
  }
}

/** The tail begins within a line, which is left out; so is the header of a short recording. */
function readTail(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, tailBytes));
    readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8');
  } finally {
    closeSync(fd);
  }
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { decodeText, parseCastLine, type CastEvent, type CastHeader } from './cast.ts';
import { newTerminal, writeNow } from './screen.ts';

/** What a recording holds: `events` in order, output and resizes as they were recorded. */
export interface CastFile {
  readonly header: CastHeader | null;
  readonly events: readonly CastEvent[];
}

export interface TranscriptOptions {
  readonly cols?: number;
  readonly rows?: number;
  /** Of the text; what is more is cut from the front, where the oldest lines are. */
  readonly maxBytes?: number;
  /** The session has ended under a host that lives: its recording is one file. */
  readonly isWhole?: boolean;
}

/**
 * Reads the recording of a session, living or ended; a missing one is empty. The pieces behind a full head are put together;
 * one that `isWhole` has none, and the directory of a large run is not searched for them.
 */
export function readCast(path: string, isWhole = false): CastFile {
  if (!existsSync(path)) return { header: null, events: [] };
  const texts = [path, ...(isWhole ? [] : listTails(path))].map((piece) => readFileSync(piece, 'utf8'));
  const lines = texts.flatMap((text) => text.split('\n'));
  const events = lines
    .slice(1)
    .map(parseCastLine)
    .filter((event) => event !== null);
  return { header: parseHeader(lines[0] ?? ''), events };
}

/** Gives back the exact bytes that the session wrote. */
export function decodeRecording(path: string): Buffer {
  return Buffer.concat(readCast(path).events.flatMap(([, kind, data]) => (kind === 'o' ? [decodeText(data)] : [])));
}

/** Of a recording longer than this only the end is rendered: what a terminal shows at the end, it was told there. */
const maxRenderedBytes = 16 * 1024 * 1024;

/**
 * Renders output as the text that a terminal would show at the end, scrolled-off lines included: no control codes, one frame of
 * each spinner, no blank lines at the end. `from` is the path of a recording or the bytes themselves.
 */
export function renderTranscript(from: string | Buffer, options: TranscriptOptions = {}): string {
  const text = typeof from === 'string' ? renderRecording(from, options) : renderBytes(from, options);
  return cutFront(text, options.maxBytes ?? Infinity);
}

function renderRecording(path: string, options: TranscriptOptions): string {
  const { header, events } = readCast(path, options.isWhole);
  const output = Buffer.concat(events.flatMap(([, kind, data]) => (kind === 'o' ? [decodeText(data)] : [])));
  const size = { cols: options.cols ?? header?.width ?? 80, rows: options.rows ?? header?.height ?? 24 };
  if (isPlain(output) || !events.some(([, kind]) => kind === 'r')) return renderBytes(output, size);
  const terminal = newTerminal(size.cols, size.rows, scrollbackLines);
  for (const [, kind, data] of events) {
    if (kind === 'o') writeNow(terminal, decodeText(data));
    const resized = kind === 'r' ? /^(\d+)x(\d+)$/.exec(data) : null;
    if (resized !== null) terminal.resize(Number(resized[1]), Number(resized[2]));
  }
  return readTerminal(terminal);
}

function renderBytes(bytes: Buffer, options: TranscriptOptions): string {
  if (isPlain(bytes)) return renderPlain(bytes.toString('utf8'), options.cols ?? 80);
  const terminal = newTerminal(options.cols ?? 80, options.rows ?? 24, scrollbackLines);
  writeNow(terminal, bytes.subarray(Math.max(0, bytes.length - maxRenderedBytes)));
  return readTerminal(terminal);
}

const scrollbackLines = 200_000;

/** Whether output is what a terminal shows as it stands: printable ASCII, tabs and line ends. */
function isPlain(bytes: Buffer): boolean {
  // oxlint-disable-next-line no-control-regex
  return !/[^\n\t\u0020-\u007e]/.test(bytes.toString('latin1').replaceAll('\r\n', '\n'));
}

/** Long lines are not broken: a terminal's wrapped lines are joined again as well. */
function renderPlain(text: string, cols: number): string {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  return joinLines(lines.map((line) => (line.includes('\t') ? expandTabs(line, cols) : line)));
}

/** A tab goes to the next multiple of 8, but not beyond the last column. */
function expandTabs(line: string, cols: number): string {
  let text = '';
  for (const character of line) {
    if (character !== '\t') text += character;
    else {
      const column = text.length % cols;
      text += ' '.repeat(Math.max(0, Math.min(8 - (column % 8), cols - 1 - column)));
    }
  }
  return text;
}

function readTerminal(terminal: ReturnType<typeof newTerminal>): string {
  const buffer = terminal.buffer.active.type === 'alternate' ? terminal.buffer.alternate : terminal.buffer.normal;
  const lines: string[] = [];
  for (let row = 0; row < buffer.length; row += 1) {
    const line = buffer.getLine(row);
    const isContinued = buffer.getLine(row + 1)?.isWrapped ?? false;
    const text = line?.translateToString(!isContinued) ?? '';
    if (line?.isWrapped === true && lines.length > 0) lines.push((lines.pop() ?? '') + text);
    else lines.push(text);
  }
  terminal.dispose();
  return joinLines(lines);
}

function joinLines(lines: readonly string[]): string {
  const trimmed = lines.map((line) => line.trimEnd());
  while (trimmed.at(-1) === '') trimmed.pop();
  return trimmed.join('\n');
}

function cutFront(text: string, maxBytes: number): string {
  if (text.length <= maxBytes / 3) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let from = bytes.length - maxBytes;
  while (from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.toString('utf8', from);
}

function parseHeader(line: string): CastHeader | null {
  try {
    return JSON.parse(line) as CastHeader;
  } catch {
    return null;
  }
}

/** Pieces of output behind a head that is full, oldest first; they are there while the session lives. */
function listTails(path: string): string[] {
  const prefix = `${basename(path)}.tail-`;
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(prefix));
  const numbers = names.map((name) => Number(name.slice(prefix.length))).sort((a, b) => a - b);
  return numbers.map((number) => join(dirname(path), prefix + number));
}

import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { decodeText, parseCastLine, type CastEvent, type CastHeader } from './cast.ts';
import { newTerminal, writeNow } from './screen.ts';

export interface TranscriptOptions {
  readonly cols?: number;
  readonly rows?: number;
}

/** Text of which the oldest lines may be missing. */
export interface LastText {
  readonly text: string;
  /** Bytes of the whole; what was not rendered counts as it was recorded. */
  readonly bytes: number;
}

/** What recordings are read in: a large one is never in memory as a whole. */
const chunkBytes = 1024 * 1024;

/** Gives the events of a recording in order, output and resizes; none when there is no such file. */
export function* readCastEvents(path: string): Generator<CastEvent> {
  for (const piece of piecesOf(path, false)) yield* readPiece(piece, 0);
}

/** The first line of a recording; null when there is none. */
export function readCastHeader(path: string): CastHeader | null {
  for (const line of readLines(path, 0)) return parseHeader(line);
  return null;
}

/** Gives back the exact bytes that the session wrote, in pieces. */
export function* decodeRecording(path: string): Generator<Buffer> {
  for (const [, kind, data] of readCastEvents(path)) if (kind === 'o') yield decodeText(data);
}

/** Of a recording longer than this only the end is rendered: what a terminal shows at the end, it was told there. */
const maxRenderedBytes = 16 * 1024 * 1024;

/**
 * Renders output as the text that a terminal would show at the end, scrolled-off lines included: no control codes, one frame of
 * each spinner, no blank lines at the end. `from` is the path of a recording or the bytes themselves.
 */
export function renderTranscript(from: string | Buffer, options: TranscriptOptions = {}): string {
  if (typeof from !== 'string') return renderBytes(from, options, maxScrollback);
  return renderEnd(readEnd(from, maxRenderedBytes, false), options, maxScrollback);
}

/**
 * Renders the end of the recording of a session that has ended under a host that lives, which is therefore one file, as at most
 * `maxBytes` of text; what is more is cut from the front, where the oldest lines are. Costs what that much text costs, however
 * long the recording is.
 */
export function renderLast(path: string, maxBytes: number): LastText {
  const end = readEnd(path, maxBytes * recordedPerShown, true);
  const shown = renderEnd(end, {}, Math.floor(maxBytes / shortLineBytes));
  const bytes = Buffer.byteLength(shown);
  return { text: bytes <= maxBytes ? shown : cutFront(shown, maxBytes), bytes: bytes + end.skippedBytes };
}

/** A recording has about twice the bytes of coloured text: times, colours, and control characters that take six. */
const recordedPerShown = 4;
/** Lines of which this many bytes a line fill the text are kept; of still shorter ones, fewer bytes. */
const shortLineBytes = 20;
const maxScrollback = 200_000;

/** The end of a recording. */
interface CastEnd {
  readonly header: CastHeader | null;
  readonly events: readonly CastEvent[];
  /** Bytes of the recording before the first of the events. */
  readonly skippedBytes: number;
}

function readEnd(path: string, maxBytes: number, isWhole: boolean): CastEnd {
  const pieces = piecesOf(path, isWhole);
  let room = maxBytes;
  const read: CastEvent[][] = [];
  let skippedBytes = 0;
  for (const piece of pieces.toReversed()) {
    const size = statSync(piece, { throwIfNoEntry: false })?.size ?? 0;
    const from = Math.max(0, size - room);
    skippedBytes += from;
    if (from < size) read.unshift([...readPiece(piece, from)]);
    room -= size - from;
  }
  return { header: pieces.length === 0 ? null : readCastHeader(path), events: read.flat(), skippedBytes };
}

function renderEnd({ header, events, skippedBytes }: CastEnd, options: TranscriptOptions, scrollback: number): string {
  const size = { cols: options.cols ?? header?.width ?? 80, rows: options.rows ?? header?.height ?? 24 };
  const shown = renderEvents(events, size, scrollback);
  return skippedBytes === 0 ? shown : shown.slice(shown.indexOf('\n') + 1); // it began within a line
}

function renderEvents(
  events: readonly CastEvent[],
  size: { readonly cols: number; readonly rows: number },
  scrollback: number,
): string {
  const output = Buffer.concat(events.flatMap(([, kind, data]) => (kind === 'o' ? [decodeText(data)] : [])));
  if (isPlain(output) || !events.some(([, kind]) => kind === 'r')) return renderBytes(output, size, scrollback);
  const terminal = newTerminal(size.cols, size.rows, scrollback);
  for (const [, kind, data] of events) {
    if (kind === 'o') writeNow(terminal, decodeText(data));
    const resized = kind === 'r' ? /^(\d+)x(\d+)$/.exec(data) : null;
    if (resized !== null) terminal.resize(Number(resized[1]), Number(resized[2]));
  }
  return readTerminal(terminal);
}

function renderBytes(bytes: Buffer, options: TranscriptOptions, scrollback: number): string {
  if (isPlain(bytes)) return renderPlain(bytes.toString('latin1').replaceAll(colours, ''), options.cols ?? 80);
  const terminal = newTerminal(options.cols ?? 80, options.rows ?? 24, scrollback);
  writeNow(terminal, bytes.subarray(Math.max(0, bytes.length - maxRenderedBytes)));
  return readTerminal(terminal);
}

/** Colours and other attributes, which change nothing about the text. */
// oxlint-disable-next-line no-control-regex
const colours = /\u001b\[[0-9;:]*m/g;

/** Whether output is what a terminal shows as it stands: printable ASCII, tabs and line ends, and colours. */
function isPlain(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').replaceAll('\r\n', '\n');
  // oxlint-disable-next-line no-control-regex
  return !/[^\n\t\u0020-\u007e]/.test(text.replaceAll(colours, ''));
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

/** The files of a recording, oldest output first. One that `isWhole` is one file: the directory of a large run is not searched. */
function piecesOf(path: string, isWhole: boolean): string[] {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  return isWhole ? [path] : [path, ...listTails(path)];
}

function* readPiece(path: string, from: number): Generator<CastEvent> {
  for (const line of readLines(path, from)) {
    const event = parseCastLine(line);
    if (event !== null) yield event;
  }
}

/** Gives the lines of a file from a place on; the first may be a part of one. A piece that goes meanwhile has none. */
function* readLines(path: string, from: number): Generator<string> {
  const fd = tryOpen(path);
  if (fd === null) return;
  try {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, fstatSync(fd).size - from + 1));
    let rest = Buffer.alloc(0);
    for (let at = from, read = 0; (read = readSync(fd, chunk, 0, chunk.length, at)) > 0; at += read) {
      const bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
      const end = bytes.lastIndexOf(10) + 1;
      yield* bytes.toString('utf8', 0, end).split('\n');
      rest = bytes.subarray(end);
    }
    if (rest.length > 0) yield rest.toString('utf8');
  } finally {
    closeSync(fd);
  }
}

function tryOpen(path: string): number | null {
  try {
    return openSync(path, 'r');
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

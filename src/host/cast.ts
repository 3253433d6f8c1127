import { isUtf8 } from 'node:buffer';

/**
 * Text of an asciicast file that gives back the exact bytes. A byte that is no UTF-8 becomes U+10FF00 plus the byte; a real
 * character of U+10FF00..U+10FFFF, which would be taken for one, is written as its four bytes in the same way.
 */
const escapeBase = 0x10ff00;

export interface CastHeader {
  readonly version: 2;
  readonly width: number;
  readonly height: number;
  readonly timestamp: number;
  readonly title?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export type CastEvent = readonly [atSeconds: number, kind: string, data: string];

/** Turns bytes into the text that stands for them; whole characters only (see `splitUtf8`). */
export function encodeBytes(bytes: Buffer): string {
  if (standForThemselves(bytes)) return bytes.toString('utf8');
  let text = '';
  let plainFrom = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += bytes.toString('utf8', plainFrom, at) + String.fromCodePoint(escapeBase + (bytes[at] ?? 0));
    at += 1;
    plainFrom = at;
  }
  return text + bytes.toString('utf8', plainFrom);
}

/** Whether bytes are the very text that stands for them, as most are. */
export function standForThemselves(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0xf4);
}

/** Gives back the bytes for which a text of `encodeBytes` stands. */
export function decodeText(text: string): Buffer {
  if (!text.includes('\u{dbff}')) return Buffer.from(text); // high surrogate of U+10FC00..U+10FFFF
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = text.indexOf('\u{dbff}'); at !== -1; at = text.indexOf('\u{dbff}', at + 1)) {
    const code = text.codePointAt(at) ?? 0;
    if (code < escapeBase) continue;
    parts.push(Buffer.from(text.slice(from, at)), Buffer.from([code - escapeBase]));
    from = at + 2;
  }
  parts.push(Buffer.from(text.slice(from)));
  return Buffer.concat(parts);
}

/** Where the bytes of a character that is not yet complete begin, at most three from the end; the length when there is none. */
export function splitUtf8(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 3); at -= 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) return at + leadLength(byte) > bytes.length ? at : bytes.length;
  }
  return bytes.length;
}

/** Parses one line of a recording after the header; null for what is none, such as a line torn by a crash. */
export function parseCastLine(line: string): CastEvent | null {
  if (!line.startsWith('[')) return null;
  try {
    const value = JSON.parse(line) as CastEvent;
    return typeof value[0] === 'number' && typeof value[2] === 'string' ? value : null;
  } catch {
    return null;
  }
}

function leadLength(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** Bytes of the character at `at`; 0 when there is no valid one, or one that has to be escaped. */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = leadLength(lead);
  const character = bytes.subarray(at, at + length);
  if (length === 1 || character.length < length || !isUtf8(character)) return 0;
  return lead === 0xf4 && (character.toString('utf8').codePointAt(0) ?? 0) >= escapeBase ? 0 : length;
}

import { renderBytes } from './render.ts';
import type { ScreenInput } from './look.ts';

/** A screen as somebody hands it over: plain rows, rows with colours (`tmux capture-pane -e`), or the bytes of a terminal. */
export interface GivenScreen {
  readonly screen: string;
  readonly agent?: string;
  readonly version?: string;
  readonly title?: string;
  readonly cols?: number;
  readonly rows?: number;
}

const ESC = String.fromCodePoint(27);
const BEL = String.fromCodePoint(7);
const COLOURS = new RegExp(`${ESC}\\[[0-9;:]*m|${ESC}\\]8;[^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)`, 'gu');
const CONTROL = new RegExp(`[${ESC}\\u009b\\u0008]|\\r(?!\\n)`, 'u');
const PLACED = new RegExp(`${ESC}\\[(\\d{1,3});(\\d{1,3})[Hf]`, 'gu');
const maxSize = 1_000;

/** Turns it into what the rules read; escape codes are drawn by a terminal. */
export function readInput(given: GivenScreen): ScreenInput {
  const { screen, title, cols, rows, ...rest } = given;
  const size = { ...(cols === undefined ? {} : { cols }), ...(rows === undefined ? {} : { rows }) };
  const told = title === undefined ? {} : { title };
  if (!CONTROL.test(screen)) return { lines: screen.split(/\r?\n/u), ...told, ...size, ...rest };
  const uncoloured = screen.replaceAll(COLOURS, '');
  const isDrawn = CONTROL.test(uncoloured);
  const { width, height } = isDrawn ? placedSize(screen) : textSize(uncoloured);
  const bytes = screen.includes('\r\n') ? screen : screen.replaceAll('\n', '\r\n');
  const drawn = renderBytes(
    bytes,
    clamp(cols ?? width),
    clamp(Math.max(rows ?? 0, isDrawn ? (rows ?? height) : height)),
  );
  const { cursor, ...shown } = drawn;
  // A capture in colours says nothing about the cursor: it was left behind the last row.
  return {
    ...shown,
    ...(isDrawn && cursor !== undefined ? { cursor } : {}),
    title: title ?? drawn.title ?? '',
    ...size,
    ...rest,
  };
}

function textSize(text: string): { width: number; height: number } {
  const rows = text.split('\n');
  return { width: Math.max(80, ...rows.map((row) => row.length)), height: Math.max(24, rows.length) };
}

/** The size that the bytes were drawn for, as far as they place the cursor; else the usual one. */
function placedSize(bytes: string): { width: number; height: number } {
  let width = 80;
  let height = 24;
  for (const match of bytes.matchAll(PLACED)) {
    height = Math.max(height, Number(match[1]));
    width = Math.max(width, Number(match[2]));
  }
  return { width, height };
}

function clamp(size: number): number {
  return Math.min(Math.max(Math.floor(size), 2), maxSize);
}

/** The last screen of a recording (asciicast version 2); null when the text is none. */
export function readCastScreen(text: string): GivenScreen | null {
  const [head, ...rows] = text.trimEnd().split('\n');
  try {
    const { width, height } = JSON.parse(head ?? '') as { width: number; height: number };
    const output = rows.map((row) => JSON.parse(row) as [number, string, string]).filter(([, kind]) => kind === 'o');
    return { screen: `\u001b[m${output.map(([, , bytes]) => bytes).join('')}\u001b[m`, cols: width, rows: height };
  } catch {
    return null;
  }
}

import type { IBufferCell, IBufferLine, Terminal } from '@xterm/headless';
import { newTerminal, writeNow } from '../host/screen.ts';
import type { Highlight, ScreenInput } from './look.ts';

type Rendered = Pick<ScreenInput, 'lines' | 'cursor' | 'highlights' | 'muted' | 'title'>;

/** Reads what a terminal shows, with the rows that stand out. */
export function readLook(terminal: Terminal, title = ''): Rendered {
  const buffer = terminal.buffer.active;
  const lines: string[] = [];
  const highlights: Highlight[] = [];
  const muted: number[] = [];
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = buffer.getLine(buffer.baseY + row);
    lines.push(line?.translateToString(true) ?? '');
    if (line === undefined) continue;
    highlights.push(...highlightsOf(line, row));
    if (isMuted(line)) muted.push(row);
  }
  return { lines, highlights, muted, cursor: { row: buffer.cursorY, col: buffer.cursorX, visible: true }, title };
}

/** Runs of cells on one background; a whole panel of it is no choice, but is told too. */
function highlightsOf(line: IBufferLine, row: number): Highlight[] {
  const found: Highlight[] = [];
  let from = 0;
  let style = '';
  for (let col = 0; col <= line.length; col += 1) {
    const cell = col < line.length ? line.getCell(col) : undefined;
    const here = cell === undefined ? '' : styleOf(cell);
    if (here === style) continue;
    if (style !== '') found.push({ row, from, to: col, style });
    from = col;
    style = here;
  }
  return found;
}

function styleOf(cell: IBufferCell): string {
  if (cell.isInverse() !== 0) return cell.isFgDefault() ? 'inverse' : `inverse ${cell.getFgColor()}`;
  return cell.isBgDefault() ? '' : `${cell.getBgColorMode()}/${cell.getBgColor()}`;
}

/** Feeds bytes with escape codes to a terminal and reads what it shows. */
export function renderBytes(bytes: string, cols: number, rows: number): Rendered {
  const terminal = newTerminal(cols, rows, 0);
  let title = '';
  terminal.onTitleChange((next) => {
    title = next;
  });
  writeNow(terminal, bytes);
  const rendered = readLook(terminal, title);
  terminal.dispose();
  return rendered;
}

/** Whether a row begins in dim or grey text. */
function isMuted(line: IBufferLine): boolean {
  for (let col = 0; col < line.length; col += 1) {
    const cell = line.getCell(col);
    if (cell === undefined || !/[\p{L}\p{N}]/u.test(cell.getChars())) continue;
    return cell.isDim() !== 0 || isGrey(cell);
  }
  return false;
}

/** Bright black, the darker half of the grey ramp, or a colour without hue that is not near white. */
function isGrey(cell: IBufferCell): boolean {
  const colour = cell.getFgColor();
  if (cell.isFgPalette()) return colour === 8 || (colour >= 232 && colour <= 248);
  if (!cell.isFgRGB()) return false;
  const parts = [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255];
  return Math.max(...parts) < 190 && Math.max(...parts) - Math.min(...parts) < 40;
}

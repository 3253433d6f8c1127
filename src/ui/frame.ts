import { widthOf } from './width.ts';

/** What a frame needs of a terminal: a `tty.WriteStream`, or a test's own. */
export interface Screen {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Lines at the end of the terminal's text that are repainted in place. */
export interface Frame extends Disposable {
  draw(lines: readonly string[]): void;
  /** Call when the size of the terminal changed, before the next `draw`. */
  resized(): void;
  /** Leaves the last lines where they are, below them the cursor, and the terminal as it was. May be called twice. */
  [Symbol.dispose](): void;
}

const CSI = '\u001B[';
const hideCursor = `${CSI}?25l`;
const showCursor = `${CSI}?25h`;
/** Terminals that know synchronised updates show the whole frame at once; the others ignore this. */
const beginFrame = `${CSI}?2026h${CSI}?7l`;
/** Without autowrap a line that is wider than was reckoned is cut by the terminal and breaks nothing. */
const endFrame = `${CSI}?7h${CSI}?2026l`;

/** Opens a frame below what the terminal shows. Only lines that changed are written. */
export function openFrame(screen: Screen): Frame {
  let shown: readonly string[] = [];
  /** Lines of ours that a terminal which became smaller pushed into its history, and brings back when it grows. */
  let pushed: readonly string[] = [];
  let height = screen.rows ?? 24;
  let isOpen = true;
  const restore = () => screen.write(`${endFrame}${showCursor}`);
  process.on('exit', restore);
  screen.write(hideCursor);
  return {
    draw: (lines) => {
      if (!isOpen) return;
      const text = change(shown, lines);
      shown = lines;
      if (text !== '') screen.write(beginFrame + text + endFrame);
    },
    resized: () => {
      const rowsOf = (lines: readonly string[]): number => countRows(lines, screen.columns ?? 80);
      const now = screen.rows ?? 24;
      const away = pushed.findLastIndex((_, index) => rowsOf(pushed.slice(index)) > Math.max(0, now - height)) + 1;
      const rows = rowsOf(shown) + rowsOf(pushed.slice(away));
      if (rows > 0) screen.write(erase(Math.min(rows, now)));
      const over = shown.findIndex((_, index) => rowsOf(shown.slice(index)) <= now);
      pushed = [...pushed.slice(0, away), ...shown.slice(0, over === -1 ? shown.length : over)];
      height = now;
      shown = [];
    },
    [Symbol.dispose]: () => {
      if (!isOpen) return;
      isOpen = false;
      process.off('exit', restore);
      screen.write(`${shown.length > 0 ? '\r\n' : ''}${showCursor}`);
    },
  };
}

/** The cursor rests on the last line of the frame. */
function change(before: readonly string[], after: readonly string[]): string {
  if (before.length === after.length && before.every((line, index) => line === after[index])) return '';
  const rows = after.map((line, index) => (index < before.length && before[index] === line ? '' : `${CSI}2K${line}`));
  const rest =
    before.length > after.length ? `${after.length > 0 ? '\r\n' : ''}${CSI}J${after.length > 0 ? `${CSI}A` : ''}` : '';
  return (before.length > 0 ? up(before.length - 1) : '\r') + rows.join('\r\n') + rest;
}

/** Line by line: tmux takes "erase all below" from the top of the screen for `clear` and keeps a copy in its history. */
function erase(rows: number): string {
  return up(rows - 1) + `${CSI}2K\r\n`.repeat(rows - 1) + `${CSI}2K${up(rows - 1)}`;
}

function up(rows: number): string {
  return rows > 0 ? `\r${CSI}${rows}A` : '\r';
}

/** The rows that lines take which were written when the terminal was wider. */
function countRows(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleWidth(line) / columns)), 0);
}

function visibleWidth(line: string): number {
  // eslint-disable-next-line no-control-regex
  return widthOf(line.replaceAll(/\u001B\[[0-9;]*m/g, ''));
}

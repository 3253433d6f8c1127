import type { IBufferLine, Terminal } from '@xterm/headless';
import { newTerminal, writeNow } from '../host/screen.ts';
import type { Highlight, ScreenInput } from './look.ts';

type Rendered = Pick<ScreenInput, 'lines' | 'cursor' | 'highlights' | 'title'>;

/** Reads what a terminal shows, with the rows that stand out. */
export function readLook(terminal: Terminal, title = ''): Rendered {
  const buffer = terminal.buffer.active;
  const lines: string[] = [];
  const highlights: Highlight[] = [];
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = buffer.getLine(buffer.baseY + row);
    lines.push(line?.translateToString(true) ?? '');
    if (line !== undefined) highlights.push(...highlightsOf(line, row));
  }
  return { lines, highlights, cursor: { row: buffer.cursorY, col: buffer.cursorX, visible: true }, title };
}

/** Runs of cells in inverse video or on a background; a whole row of it is a bar, not a choice, but is told too. */
function highlightsOf(line: IBufferLine, row: number): Highlight[] {
  const found: Highlight[] = [];
  let from = -1;
  const width = line.length;
  for (let col = 0; col <= width; col += 1) {
    const cell = col < width ? line.getCell(col) : undefined;
    const lit = cell !== undefined && (cell.isInverse() !== 0 || !cell.isBgDefault());
    if (lit && from < 0) from = col;
    if (!lit && from >= 0) {
      found.push({ row, from, to: col });
      from = -1;
    }
  }
  return found;
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

import type { Look, Tone } from './style.ts';
import { cut, fit, oneLine, widthOf } from './width.ts';

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** Rows of cells under each other, two blanks between the columns; what is wider than the terminal is cut at its end. */
export function renderColumns(rows: readonly (readonly Cell[])[], look: Look, columns: number): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, { text }] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(oneLine(text)));
  return rows.map((row) => renderRow(row, widths, look, columns));
}

function renderRow(row: readonly Cell[], widths: readonly number[], look: Look, columns: number): string {
  const last = row.findLastIndex(({ text }) => text !== '');
  let line = '';
  let used = 0;
  for (const [index, { text, tone }] of row.slice(0, last + 1).entries()) {
    const room = columns - used;
    if (room <= 0) break;
    const width = widths[index] ?? 0;
    const shown =
      index === last
        ? cut(oneLine(text), room, look.ellipsis)
        : fit(oneLine(text), Math.min(width, room), look.ellipsis);
    line += look.paint(shown, tone) + (index === last || room <= width ? '' : '  ');
    used += width + 2;
  }
  return line;
}

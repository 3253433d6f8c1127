import type { IBuffer, Terminal } from '@xterm/headless';
import type { ScreenText } from './protocol.ts';
import { renderStyle } from './style.ts';
import { coreOf, type XtermBuffer, type XtermCell } from './xterm-core.ts';

/**
 * Renders a screen as text that paints it on any terminal of that size: both buffers cell by cell, then scroll region, cursor,
 * style, modes and title. The caller has cleared the terminal. (xterm's own serialize add-on differs from the screen where lines
 * end in coloured blanks, in origin mode and in scroll regions.)
 */
export function renderRepaint(terminal: Terminal): string {
  const core = coreOf(terminal);
  const main = core.buffers.normal;
  const isAlternate = terminal.buffer.active.type === 'alternate';
  return [
    renderRows(terminal.buffer.normal, terminal),
    isAlternate ? `\u001b[m${moveTo(main.y, Math.min(main.x, terminal.cols - 1))}\u001b[?1049h` : '',
    isAlternate ? renderRows(terminal.buffer.alternate, terminal) : '',
    renderTitle(core._inputHandler._windowTitle),
    renderCursor(terminal),
    renderStyle(core._inputHandler._curAttrData),
    renderModes(terminal),
  ].join('');
}

function renderRows(buffer: IBuffer, terminal: Terminal): string {
  let text = '';
  let style = renderStyle(null);
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = buffer.getLine(buffer.baseY + row);
    let column = -1; // where the terminal's cursor is in this row
    for (let at = 0; line !== undefined && at < terminal.cols; at += 1) {
      const cell = line.getCell(at) as (XtermCell & ReturnType<typeof line.getCell>) | undefined;
      if (cell === undefined || cell.getWidth() === 0) continue;
      const cellStyle = renderStyle(cell);
      const isBlank = cell.getChars() === '' && cell.bg === 0 && cell.fg === 0;
      if (isBlank) continue;
      if (column !== at) text += moveTo(row, at);
      if (cellStyle !== style) text += cellStyle;
      text += cell.getChars() || ' ';
      style = cellStyle;
      column = at + cell.getWidth();
    }
  }
  return text;
}

function moveTo(row: number, column: number): string {
  return `\u001b[${row + 1};${column + 1}H`;
}

/** What a person would read on a screen, line by line without trailing blanks. */
export function readScreen(terminal: Terminal): ScreenText {
  const buffer = terminal.buffer.active;
  const lines = Array.from({ length: terminal.rows }, (_, row) => {
    return buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? '';
  });
  const core = coreOf(terminal);
  const cursor = { row: buffer.cursorY, col: buffer.cursorX, visible: !core.coreService.isCursorHidden };
  return { lines, cursor, title: core._inputHandler._windowTitle };
}

function renderTitle(title: string): string {
  return title === '' ? '' : `\u001b]0;${title}\u0007`;
}

/** Scroll region and origin mode move the cursor, so they come before its place. */
function renderCursor(terminal: Terminal): string {
  const core = coreOf(terminal);
  const buffer = core.buffer;
  const { origin } = core.coreService.decPrivateModes;
  const hasRegion = buffer.scrollTop !== 0 || buffer.scrollBottom !== terminal.rows - 1;
  const region = hasRegion ? `\u001b[${buffer.scrollTop + 1};${buffer.scrollBottom + 1}r` : '';
  const row = buffer.y - (origin ? buffer.scrollTop : 0);
  const isBehindLast = buffer.x >= terminal.cols;
  const place = isBehindLast ? renderLastCell(terminal, buffer, row) : moveTo(row, buffer.x);
  return region + (origin ? '\u001b[?6h' : '') + place;
}

/** A cursor that waits behind the last column gets there only by writing that column again. */
function renderLastCell(terminal: Terminal, buffer: XtermBuffer, row: number): string {
  const line = terminal.buffer.active.getLine(buffer.ybase + buffer.y);
  const last = line?.getCell(terminal.cols - 1);
  const isSecondHalf = last?.getWidth() === 0 && terminal.cols > 1;
  const column = terminal.cols - (isSecondHalf ? 2 : 1);
  const cell = line?.getCell(column) as (XtermCell & typeof last) | undefined;
  return moveTo(row, column) + renderStyle(cell ?? null) + (cell?.getChars() || ' ');
}

const mouseProtocols: Readonly<Record<string, string>> = { X10: '9', VT200: '1000', DRAG: '1002', ANY: '1003' };
const mouseEncodings: Readonly<Record<string, string>> = { SGR: '1006', SGR_PIXELS: '1016' };

function renderModes(terminal: Terminal): string {
  const { coreService, coreMouseService, _charsetService } = coreOf(terminal);
  const modes = coreService.decPrivateModes;
  const set = [
    modes.applicationCursorKeys ? '?1h' : '',
    modes.applicationKeypad ? '?66h' : '',
    modes.bracketedPasteMode ? '?2004h' : '',
    modes.reverseWraparound ? '?45h' : '',
    modes.sendFocus ? '?1004h' : '',
    modes.wraparound ? '' : '?7l',
    coreService.modes.insertMode ? '4h' : '',
    coreService.isCursorHidden ? '?25l' : '?25h',
    numbered(mouseProtocols[coreMouseService.activeProtocol]),
    numbered(mouseEncodings[coreMouseService.activeEncoding]),
    modes.cursorStyle === undefined ? '' : `${cursorShape(modes.cursorStyle, modes.cursorBlink)} q`,
  ];
  const graphics = _charsetService.charset?.['q'] === '\u2500';
  return set.map((mode) => (mode === '' ? '' : `\u001b[${mode}`)).join('') + (graphics ? '\u001b(0' : '');
}

function numbered(mode: string | undefined): string {
  return mode === undefined ? '' : `?${mode}h`;
}

function cursorShape(style: string, blink: boolean | undefined): number {
  const steady = blink === false ? 1 : 0;
  if (style === 'block') return 1 + steady;
  return (style === 'underline' ? 3 : 5) + steady;
}

import { createRequire } from 'node:module';
import type { Terminal } from '@xterm/headless';
import type { ScreenText } from './protocol.ts';
import { coreOf, type XtermBuffer } from './xterm-core.ts';

const require = createRequire(import.meta.url);

/**
 * Renders a screen as text that paints it on any terminal of that size: contents of both buffers, colours, cursor, scroll
 * region, modes and title. The caller has cleared the terminal.
 */
export function renderRepaint(terminal: Terminal): string {
  const { SerializeAddon } = require('@xterm/addon-serialize') as typeof import('@xterm/addon-serialize');
  const addon = new SerializeAddon();
  terminal.loadAddon(addon as unknown as Parameters<Terminal['loadAddon']>[0]);
  const contents = addon.serialize({ scrollback: 0, excludeModes: true });
  addon.dispose();
  const core = coreOf(terminal);
  return contents + renderTitle(core._inputHandler._windowTitle) + renderCursor(terminal) + renderModes(terminal);
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
  const row = buffer.y - (origin ? buffer.scrollTop : 0) + 1;
  const place = `\u001b[${row};${Math.min(buffer.x, terminal.cols - 1) + 1}H`;
  if (!hasRegion && !origin && buffer.x >= terminal.cols) return '';
  return region + (origin ? '\u001b[?6h' : '') + place + lastCell(buffer, terminal.cols);
}

/** A cursor that waits behind the last column gets there only by writing that column again. */
function lastCell(buffer: XtermBuffer, cols: number): string {
  if (buffer.x < cols) return '';
  return buffer.lines.get(buffer.ybase + buffer.y)?.getString(cols - 1) || ' ';
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

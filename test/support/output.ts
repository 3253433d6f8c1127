import fc from 'fast-check';
import { newTerminal } from '../../src/host/screen.ts';
import { coreOf } from '../../src/host/xterm-core.ts';

export type Terminal = ReturnType<typeof newTerminal>;

export const open = (cols: number, rows: number): Terminal => newTerminal(cols, rows, 0);
const number = (max: number) => fc.integer({ min: 0, max }).map(String);
const csi = (parameters: number, max: number, finals: string) =>
  fc
    .tuple(fc.array(number(max), { maxLength: parameters }), fc.constantFrom(...finals.split('')))
    .map(([values, final]) => `\u001b[${values.join(';')}${final}`);

/** What programs write, and what they should not: text, movement, erasing, regions, colours, modes, charsets, titles, tabs. */
const piece = fc.oneof(
  fc.string({ maxLength: 12 }).map((text) => text.replaceAll('\u001b', '')),
  fc.constantFrom('漢字', 'e\u0301', '\u{1f600}', '\t', '\r\n', '\n', '\r', '\b', 'wrap '.repeat(8)),
  csi(2, 30, 'ABCDEFGHIJKLMPSTXZ@bdfg`ae'),
  csi(2, 12, 'r'),
  csi(3, 110, 'm'),
  fc.constantFrom('\u001b[38;5;200m', '\u001b[48;2;1;2;3m', '\u001b[4:3m', '\u001b[58;5;3m', '\u001b[1;7m', '\u001b[m'),
  fc
    .tuple(
      fc.constantFrom(
        '1',
        '5',
        '6',
        '7',
        '25',
        '45',
        '66',
        '9',
        '1000',
        '1002',
        '1003',
        '1004',
        '1006',
        '1049',
        '47',
        '2004',
      ),
      fc.constantFrom('h', 'l'),
    )
    .map(([mode, set]) => `\u001b[?${mode}${set}`),
  fc.constantFrom(
    '\u001b[4h',
    '\u001b[4l',
    '\u001b7',
    '\u001b8',
    '\u001bM',
    '\u001bD',
    '\u001bE',
    '\u001bH',
    '\u001b[s',
    '\u001b[u',
  ),
  fc.constantFrom(
    '\u001b(0',
    '\u001b(B',
    '\u001b)0',
    '\u000e',
    '\u000f',
    'lqqk',
    '\u001b]0;a title\u0007',
    '\u001b[22t',
    '\u001b[23t',
  ),
  fc.constantFrom(
    '\u001b]8;;http://x\u0007link\u001b]8;;\u0007',
    '\u001b[!p',
    '\u001b#8',
    '\u001b[2 q',
    '\u001b[1"q',
    '\u001bc',
  ),
);
export const output = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
export const size = fc.record({ cols: fc.integer({ min: 2, max: 30 }), rows: fc.integer({ min: 1, max: 12 }) });

/** Everything that makes two terminals differ now or later. */
export function stateOf(terminal: Terminal) {
  const core = coreOf(terminal);
  const { fg, bg, extended } = core._inputHandler._curAttrData;
  return {
    normal: bufferOf(core.buffers.normal),
    alt: bufferOf(core.buffers.alt),
    isAlt: terminal.buffer.active.type,
    modes: { ...core.coreService.modes, ...core.coreService.decPrivateModes },
    hidden: core.coreService.isCursorHidden,
    mouse: [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding],
    charsets: [core._charsetService.glevel, core._charsetService._charsets, core._charsetService.charset],
    attributes: [fg, bg, extended._ext],
    titles: [core._inputHandler._windowTitle, core._inputHandler._windowTitleStack],
  };
}

function bufferOf(buffer: ReturnType<typeof coreOf>['buffer']) {
  const { x, y, scrollTop, scrollBottom, savedX, savedY, tabs, savedCharset, savedCurAttrData } = buffer;
  const lines = Array.from({ length: buffer.lines.length }, (_, row) => {
    const line = buffer.lines.get(row);
    if (line === undefined) return null;
    return { wrapped: line.isWrapped, cells: [...line._data.subarray(0, line.length * 3)], combined: line._combined };
  });
  const saved = [savedX, savedY, savedCharset, savedCurAttrData.fg, savedCurAttrData.bg];
  return { x, y, scrollTop, scrollBottom, tabs: Object.keys(tabs), saved, lines };
}

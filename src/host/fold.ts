import { deserialize, serialize } from 'node:v8';
import type { Terminal } from '@xterm/headless';
import { coreOf, type XtermAttributes, type XtermBuffer, type XtermCore, type XtermLine } from './xterm-core.ts';

/** Parser state between two sequences. */
const groundState = 0;

/**
 * Folds a terminal into a few kilobytes from which `unfold` makes an equal one; null while the output stopped within a
 * sequence or a character. Text that paints the screen would not do: saved cursors, tab stops, wrapped lines and cells that were
 * never written have no escape sequence.
 */
export function fold(terminal: Terminal): Uint8Array | null {
  if (!isWhole(terminal)) return null;
  const core = coreOf(terminal);
  const input = core._inputHandler;
  const state = {
    cols: terminal.cols,
    rows: terminal.rows,
    isAlt: core.buffers.active === core.buffers.alt,
    normal: takeBuffer(core.buffers.normal),
    alt: takeBuffer(core.buffers.alt),
    attributes: takeAttributes(input._curAttrData),
    titles: [input._windowTitle, input._iconName, input._windowTitleStack, input._iconNameStack] as const,
    joinState: input._parser.precedingJoinState,
    modes: { ...core.coreService.modes },
    privateModes: { ...core.coreService.decPrivateModes },
    cursor: { isSet: core.coreService.isCursorInitialized, isHidden: core.coreService.isCursorHidden },
    mouse: [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding] as const,
    charsets: takeCharsets(core),
    links: [...core._oscLinkService._dataByLinkId].map(([id, link]) => [id, link.data] as const),
  };
  const { deflateRawSync } = process.getBuiltinModule('node:zlib');
  return new Uint8Array(deflateRawSync(serialize(state), { level: 1 })); // exact: zlib's own is a view of 16 KiB, a Buffer one of 64
}

/** Whether the output so far stopped neither within a sequence nor within a character. */
export function isWhole(terminal: Terminal): boolean {
  const { _parser, _utf8Decoder } = coreOf(terminal)._inputHandler;
  return _parser.currentState === groundState && _utf8Decoder.interim[0] === 0;
}

type Folded = {
  cols: number;
  rows: number;
  isAlt: boolean;
  normal: FoldedBuffer;
  alt: FoldedBuffer;
  attributes: FoldedAttributes;
  titles: readonly [string, string, string[], string[]];
  joinState: number;
  modes: { insertMode: boolean };
  privateModes: XtermCore['coreService']['decPrivateModes'];
  cursor: { isSet: boolean; isHidden: boolean };
  mouse: readonly [string, string];
  charsets: ReturnType<typeof takeCharsets>;
  links: readonly (readonly [number, { readonly id?: string; readonly uri: string }])[];
};

/** Makes the terminal that was folded; `open` gives one of a size, which may have been used, but has no links. */
export function unfold(folded: Uint8Array, open: (cols: number, rows: number) => Terminal): Terminal {
  const state = deserialize(process.getBuiltinModule('node:zlib').inflateRawSync(folded)) as Folded;
  const terminal = open(state.cols, state.rows);
  const core = coreOf(terminal);
  const links = new Map(state.links.map(([id, data]) => [id, core._oscLinkService.registerLink(data)] as const));
  if (state.isAlt) core.buffers.activateAltBuffer();
  else core.buffers.activateNormalBuffer();
  giveBuffer(core, core.buffers.normal, state.normal, links);
  giveBuffer(core, core.buffers.alt, state.alt, links);
  const input = core._inputHandler;
  giveAttributes(core, input._curAttrData, state.attributes, links);
  [input._windowTitle, input._iconName, input._windowTitleStack, input._iconNameStack] = state.titles;
  input._parser.precedingJoinState = state.joinState;
  Object.assign(core.coreService.modes, state.modes);
  Object.assign(core.coreService.decPrivateModes, state.privateModes);
  core.coreService.isCursorInitialized = state.cursor.isSet;
  core.coreService.isCursorHidden = state.cursor.isHidden;
  [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding] = state.mouse;
  Object.assign(core._charsetService, state.charsets);
  return terminal;
}

type FoldedAttributes = ReturnType<typeof takeAttributes>;
type FoldedBuffer = ReturnType<typeof takeBuffer>;
type FoldedLine = ReturnType<typeof takeLine>;

function takeBuffer(buffer: XtermBuffer) {
  const { x, y, ybase, ydisp, scrollTop, scrollBottom, savedX, savedY, tabs, savedCharset } = buffer;
  const lines: FoldedLine[] = [];
  for (let row = 0; row < buffer.lines.length; row += 1) {
    const line = buffer.lines.get(row);
    if (line !== undefined) lines.push(takeLine(line));
  }
  const scalars = { x, y, ybase, ydisp, scrollTop, scrollBottom, savedX, savedY, tabs: { ...tabs }, savedCharset };
  return { scalars, saved: takeAttributes(buffer.savedCurAttrData), lines };
}

function takeLine(line: XtermLine) {
  const extended = Object.entries(line._extendedAttrs).flatMap(([column, attributes]) =>
    attributes === undefined ? [] : [[Number(column), attributes._ext, attributes._urlId] as const],
  );
  return { isWrapped: line.isWrapped, cells: takeCells(line), combined: { ...line._combined }, extended };
}

/** A cell that was never written, as xterm has it: no text, one column wide, no colours. */
const neverWritten = [1 << 22, 0, 0] as const;

/** Three numbers a cell, without what was never written at the end: most of most screens. */
function takeCells({ _data, length }: XtermLine): Uint32Array {
  let end = length * 3;
  while (end > 0 && _data[end - 3] === neverWritten[0] && _data[end - 2] === 0 && _data[end - 1] === 0) end -= 3;
  return _data.subarray(0, end);
}

function giveCells({ _data, length }: XtermLine, cells: Uint32Array): void {
  _data.fill(0, cells.length);
  for (let at = cells.length; at < length * 3; at += 3) _data[at] = neverWritten[0];
  _data.set(cells);
}

function takeAttributes(attributes: XtermAttributes) {
  const { fg, bg, extended } = attributes;
  return { fg, bg, ext: extended._ext, urlId: extended._urlId };
}

function takeCharsets(core: XtermCore) {
  const { glevel, _charsets, charset } = core._charsetService;
  return { glevel, _charsets: [..._charsets], charset };
}

type Links = ReadonlyMap<number, number>;

function giveBuffer(core: XtermCore, buffer: XtermBuffer, from: FoldedBuffer, links: Links): void {
  if (buffer.lines.length < from.lines.length) buffer.fillViewportRows();
  buffer.lines.length = from.lines.length;
  for (const [row, line] of from.lines.entries()) {
    const into = buffer.lines.get(row);
    if (into !== undefined) giveLine(core, into, line, links);
  }
  Object.assign(buffer, from.scalars);
  giveAttributes(core, buffer.savedCurAttrData, from.saved, links);
}

function giveLine(core: XtermCore, line: XtermLine, from: FoldedLine, links: Links): void {
  line.isWrapped = from.isWrapped;
  giveCells(line, from.cells);
  line._combined = { ...from.combined };
  line._extendedAttrs = {};
  for (const [column, ext, urlId] of from.extended) line._extendedAttrs[column] = extendedOf(core, ext, urlId, links);
}

function giveAttributes(core: XtermCore, attributes: XtermAttributes, from: FoldedAttributes, links: Links): void {
  attributes.fg = from.fg;
  attributes.bg = from.bg;
  attributes.extended = extendedOf(core, from.ext, from.urlId, links);
}

function extendedOf(core: XtermCore, ext: number, urlId: number, links: Links) {
  const extended = core._inputHandler._curAttrData.extended.clone();
  extended._ext = ext;
  extended._urlId = links.get(urlId) ?? 0;
  return extended;
}

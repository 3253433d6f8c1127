/**
 * Columns a text takes on a terminal: 2 for East Asian wide characters and emoji, 0 for what combines with its neighbour.
 * The ranges are those of EastAsianWidth.txt (W and F), joined where only unassigned characters lie between.
 */
export function widthOf(text: string): number {
  if (isAscii(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes().segment(text)) width += graphemeWidth(segment);
  return width;
}

/** What a person takes for one character each. */
export function splitCharacters(text: string): string[] {
  return Array.from(graphemes().segment(text), ({ segment }) => segment);
}

/** Cuts a text to so many columns, with an ellipsis where something was left out. */
export function cut(text: string, columns: number, ellipsis = '…'): string {
  if (columns <= 0) return '';
  if (isAscii(text) ? text.length <= columns : widthOf(text) <= columns) return text;
  return head(text, columns - widthOf(ellipsis)) + ellipsis;
}

/** Cuts or fills a text to exactly so many columns. */
export function fit(text: string, columns: number, ellipsis = '…'): string {
  const short = cut(text, columns, ellipsis);
  return short + ' '.repeat(Math.max(0, columns - widthOf(short)));
}

/** Makes a text from anywhere safe to print on one line: no escape codes, no control, direction or invisible characters. */
export function oneLine(text: string): string {
  if (isPlain(text)) return text;
  return text
    .replaceAll(ESCAPES, '')
    .replaceAll(/[\t\r\n\v\f]+/g, ' ')
    .replaceAll(/[\p{Cc}\p{Cs}\p{Co}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/gu, '');
}

// CSI, OSC and the other strings, two-character escapes; ECMA-48.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001B(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[ -/]*[0-~])/g;

let segmenter: Intl.Segmenter | null = null;

/** Made when first needed: it costs 10 ms, a third of the start of Node. */
function graphemes(): Intl.Segmenter {
  return (segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' }));
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7e) return false;
  return true;
}

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function head(text: string, columns: number): string {
  let taken = '';
  let width = 0;
  for (const { segment } of graphemes().segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns) break;
    taken += segment;
  }
  return taken;
}

function graphemeWidth(grapheme: string): number {
  const code = grapheme.codePointAt(0) ?? 0;
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (/^\p{M}|^[\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]/u.test(grapheme)) return 0;
  if (/\p{Emoji_Presentation}|\uFE0F/u.test(grapheme)) return 2;
  return isWide(code) ? 2 : 1;
}

const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

function isWide(code: number): boolean {
  return code >= 0x1100 && wide.some(([from, to]) => code >= from && code <= to);
}

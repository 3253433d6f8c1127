import type { XtermAttributes } from './xterm-core.ts';

/** Bits of xterm's attribute words (its `common/buffer/Constants`): colour mode, colour, and flags. */
const modeMask = 0x3000000;
const mode16 = 0x1000000;
const mode256 = 0x2000000;
const modeRgb = 0x3000000;
const underlineStyleShift = 26;
const fgFlags: readonly (readonly [bit: number, sgr: string])[] = [
  [0x8000000, '1'],
  [0x20000000, '5'],
  [0x4000000, '7'],
  [0x40000000, '8'],
  [-0x80000000, '9'],
];
const underlineFlag = 0x10000000;
const bgFlags: readonly (readonly [bit: number, sgr: string])[] = [
  [0x8000000, '2'],
  [0x4000000, '3'],
  [0x40000000, '53'],
];

/** The SGR sequence that sets exactly these attributes, whatever was set before; null is none at all. */
export function renderStyle(attributes: XtermAttributes | null): string {
  if (attributes === null || (attributes.fg === 0 && attributes.bg === 0)) return '\u001b[m';
  const { fg, bg } = attributes;
  const parts = ['0'];
  for (const [bit, sgr] of fgFlags) if ((fg & bit) !== 0) parts.push(sgr);
  for (const [bit, sgr] of bgFlags) if ((bg & bit) !== 0) parts.push(sgr);
  if ((fg & underlineFlag) !== 0) parts.push(...renderUnderline(attributes.extended._ext));
  parts.push(...renderColour(fg, 30, 90, '38'), ...renderColour(bg, 40, 100, '48'));
  return `\u001b[${parts.join(';')}m`;
}

function renderUnderline(extended: number): string[] {
  const style = (extended >>> underlineStyleShift) & 7;
  const colour = extended & modeMask;
  const value = extended & 0xffffff;
  const line = style > 1 ? `4:${style}` : '4';
  if (colour === modeRgb) return [line, `58:2::${rgb(value).join(':')}`];
  return colour === mode16 || colour === mode256 ? [line, `58:5:${value & 0xff}`] : [line];
}

function renderColour(word: number, first: number, bright: number, extended: string): string[] {
  const value = word & 0xffffff;
  switch (word & modeMask) {
    case mode16: {
      const index = value & 0xff; // the upper bits are left over from an earlier colour
      return [String(index < 8 ? first + index : bright + (index - 8))];
    }
    case mode256:
      return [extended, '5', String(value & 0xff)];
    case modeRgb:
      return [extended, '2', ...rgb(value)];
    default:
      return [];
  }
}

function rgb(value: number): string[] {
  return [value >>> 16, (value >>> 8) & 0xff, value & 0xff].map(String);
}

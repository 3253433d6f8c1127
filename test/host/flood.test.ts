import fc from 'fast-check';
import { expect, test } from 'vitest';
import { castLine } from '../../src/host/cast-line.ts';
import { openPlainLines } from '../../src/host/plain-lines.ts';
import { Screen, writeNow } from '../../src/host/screen.ts';
import { withoutScrolledAway } from '../../src/host/scrolled-away.ts';
import { open, output, size, stateOf } from '../support/output.ts';

const colour = fc.constantFrom(
  '\u001b[m',
  '\u001b[0m',
  '\u001b[31m',
  '\u001b[1;44m',
  '\u001b[38;5;9m',
  '\u001b[4:3m',
  '\u001b[7m',
);
const word = fc.oneof(
  fc.stringMatching(/^[ -~]{0,20}$/),
  fc.constantFrom('漢字', 'e\u0301', '\u{1f600}', '\t', '\r', '\n', '\u00a0\u00ff', 'long '.repeat(12)),
);
const lines = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: word },
      { weight: 2, arbitrary: colour },
      { weight: 3, arbitrary: fc.constant('\r\n') },
    ),
    {
      minLength: 20,
      maxLength: 200,
    },
  )
  .map((pieces) => Buffer.from(pieces.join('')));

test('what scrolled away is left out only where the screen is the same without it', () => {
  let dropped = 0;
  fc.assert(
    fc.property(size, output, lines, output, ({ cols, rows }, before, flood, after) => {
      const [fed, spared] = [open(cols, rows), open(cols, rows)];
      for (const terminal of [fed, spared]) writeNow(terminal, before);
      const less = withoutScrolledAway(spared, flood);
      if (less === null) return;
      dropped += flood.length - less.length;
      writeNow(fed, flood);
      writeNow(spared, less);
      expect(stateOf(spared)).toEqual(stateOf(fed));
      for (const terminal of [fed, spared]) writeNow(terminal, after);
      expect(stateOf(spared)).toEqual(stateOf(fed));
    }),
    { numRuns: 600 },
  );
  expect(dropped).toBeGreaterThan(10_000);
});

test('a screen that was flooded shows the end of the flood, also when that ends within a sequence', () => {
  const screen = new Screen(20, 3);
  const flood = Buffer.from(`${'\u001b[31mred\u001b[0m line\r\n'.repeat(40_000)}the end\u001b[`);
  const isPlain = openPlainLines();
  for (let at = 0; at < flood.length; at += 4_095) {
    const chunk = flood.subarray(at, at + 4_095);
    screen.add(chunk, isPlain(chunk));
    expect(screen.catchUp()).toBe(false); // never is more kept than may be, nor does the reading have to wait
  }
  screen.add(Buffer.from('2D\u001b[1mX'), false);
  expect(screen.text().lines).toEqual(['red line', 'red line', 'the eXd']);
});

test('plain lines print, colour and go on, in whatever chunks they come', () => {
  // oxlint-disable-next-line no-control-regex
  const sequence = /\u001b(?!\[[0-9:;]*(?:m|$)|$)/;
  // oxlint-disable-next-line no-control-regex
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]|\u00c2[\u0080-\u009f]/;
  const piece = fc.oneof(
    word,
    colour,
    fc.constantFrom('\u001b[2J', '\u001b[?25l', '\u001b]0;x', '\u0085', '\b', '\u001b', '\u001b['),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(40), (pieces, cut) => {
      const bytes = Buffer.from(pieces.join(''));
      const whole = openPlainLines()(bytes);
      const text = bytes.toString('latin1');
      expect(whole).toBe(!sequence.test(text) && !control.test(text));
      const isPlain = openPlainLines();
      const first = isPlain(bytes.subarray(0, cut));
      if (first) expect(isPlain(bytes.subarray(cut))).toBe(whole);
      else expect(whole).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});

test('a line of a recording is what JSON says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(castLine(1.5, 'o', Buffer.from(text)).toString()).toBe(`[1.500000, "o", ${JSON.stringify(text)}]\n`);
    }),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold, isWhole, unfold } from '../../src/host/fold.ts';
import { renderRepaint } from '../../src/host/repaint.ts';
import { resizeNow, writeNow } from '../../src/host/screen.ts';
import { coreOf } from '../../src/host/xterm-core.ts';
import { open, output, size, stateOf, type Terminal } from '../support/output.ts';

/** One in which another session was; null where it would not be used again. */
function used(cols: number, rows: number, other: string): Terminal | null {
  const terminal = open(cols, rows);
  writeNow(terminal, other);
  return isWhole(terminal) && coreOf(terminal)._oscLinkService._dataByLinkId.size === 0 ? terminal : null;
}

test('a folded screen is the same as one that lived on, in all that is seen and in all that comes, also where another was', () => {
  fc.assert(
    fc.property(size, output, output, size, fc.option(output), ({ cols, rows }, before, after, next, other) => {
      const live = open(cols, rows);
      writeNow(live, before);
      const folded = fold(live);
      if (folded === null) return;
      const restored = unfold(folded, () => (other === null ? null : used(cols, rows, other)) ?? open(cols, rows));
      expect(stateOf(restored)).toEqual(stateOf(live));
      for (const terminal of [live, restored]) {
        writeNow(terminal, after);
        resizeNow(terminal, next.cols, next.rows);
        writeNow(terminal, before);
      }
      expect(stateOf(restored)).toEqual(stateOf(live));
    }),
    { numRuns: 600 },
  );
});

test('a screen with wrapped lines goes on after it became narrower and higher', () => {
  const terminal = open(7, 3);
  const text = '\u001b#8\u001b[6E漢字';
  writeNow(terminal, text);
  resizeNow(terminal, 2, 7);
  writeNow(terminal, text);
  expect(coreOf(terminal).buffer.y).toBe(6);
});

test('a screen is not folded within a sequence or a character', () => {
  const terminal = open(20, 5);
  for (const [text, isWhole] of [
    ['abc', true],
    ['\u001b[3', false],
    ['1m', true],
  ] as const) {
    writeNow(terminal, text);
    expect(fold(terminal) !== null).toBe(isWhole);
  }
  writeNow(terminal, Buffer.from([0xe2, 0x82]));
  expect(fold(terminal)).toBeNull();
});

test('an idle screen of 120 x 40 in colours folds into less than 48 KiB', () => {
  const terminal = open(120, 40);
  const cell = (index: number): string => `\u001b[38;5;${index % 256}m${String.fromCharCode(33 + ((index * 7) % 90))}`;
  writeNow(terminal, Array.from({ length: 120 * 40 }, (_, index) => cell(index)).join(''));
  expect(fold(terminal)?.length).toBeLessThan(48 * 1024);
});

test('a repaint shows the same on another terminal, and what comes after it too', () => {
  fc.assert(
    fc.property(size, output, fc.string({ maxLength: 20 }), ({ cols, rows }, before, typed) => {
      const live = open(cols, rows);
      writeNow(live, before);
      const other = open(cols, rows);
      writeNow(other, renderRepaint(live));
      expect(seenOf(other)).toEqual(seenOf(live));
      for (const terminal of [live, other]) writeNow(terminal, typed.replaceAll('\u001b', ''));
      expect(seenOf(other)).toEqual(seenOf(live));
    }),
    { numRuns: 300 },
  );
});

/** What a person sees: characters, colours, cursor, title. */
function seenOf(terminal: Terminal) {
  const buffer = terminal.buffer.active;
  const rows = Array.from({ length: terminal.rows }, (_, row) => {
    const line = buffer.getLine(buffer.baseY + row);
    return Array.from({ length: terminal.cols }, (_, col) => {
      const cell = line?.getCell(col);
      if (cell === undefined) return '';
      const style = [
        cell.getFgColorMode(),
        cell.getFgColor(),
        cell.getBgColorMode(),
        cell.getBgColor(),
        cell.isBold(),
        cell.isInverse(),
      ];
      return `${cell.getChars() || ' '} ${style.join(',')}`;
    });
  });
  const core = coreOf(terminal);
  const cursor = [buffer.cursorX, buffer.cursorY, core.coreService.isCursorHidden];
  return { rows, cursor, title: core._inputHandler._windowTitle, type: buffer.type };
}

import { expect, test } from 'vitest';
import { cut, fit, oneLine, widthOf } from '../../src/ui/width.ts';

test('wide characters and emoji take two columns, what combines takes none', () => {
  const widths = ['abc', '運行', '한국', 'é', 'e\u0301', '👩‍💻', '✋', '✓', '⚠️', '🇩🇪', 'ｆ'].map(widthOf);
  expect(widths).toEqual([3, 4, 4, 1, 1, 2, 2, 1, 2, 2, 2]);
});

test('a cut text never ends in half a character', () => {
  expect(['運行中です', 'a👩‍💻b', 'abcdef', 'abc'].map((text) => cut(text, 4))).toEqual(['運…', 'a👩‍💻b', 'abc…', 'abc']);
  expect(fit('運行中', 4)).toBe('運… ');
});

test('one line holds no escape codes, control or direction characters', () => {
  expect(oneLine('a\u001B[1;31mb\u001B]0;title\u0007c\td\r\ne\u202Ef\u0000\u009Bg')).toBe('abc d efg');
});

import { expect, test } from 'vitest';
import { parseAnswer } from '../../src/domain/parse-answer.ts';

const menu = { choices: [{ label: 'Yes' }, { label: 'Yes, always' }, { label: 'No' }], input: 'menu' } as const;
const line = {
  choices: [
    { label: 'yes', key: 'y' },
    { label: 'no', key: 'n' },
  ],
  input: 'line',
} as const;
const odd = {
  choices: [
    { label: 'two', key: '2' },
    { label: 'one', key: '1' },
  ],
  input: 'menu',
} as const;

test.each([
  [menu, '2', 1],
  [menu, 'yes', 0],
  [menu, 'NO', 2],
  [menu, 'yes, a', 1],
  [line, 'y', 0],
  [line, 'no', 1],
  [odd, '1', 1],
] as const)('%j is answered with %s by choice %i', (block, said, index) => {
  expect(parseAnswer(block, said)).toEqual({ ok: true, value: { kind: 'choose', index } });
});

test('what fits no choice, or several, is text where text is taken and else refused', () => {
  expect(parseAnswer(line, 'maybe')).toEqual({ ok: true, value: { kind: 'text', text: 'maybe' } });
  expect(parseAnswer({ choices: [] }, '3')).toEqual({ ok: true, value: { kind: 'text', text: '3' } });
  for (const said of ['ye', '4', '0', '', 'maybe']) expect(parseAnswer(menu, said).ok).toBe(false);
});

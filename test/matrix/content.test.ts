import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, checkContent, maxContentBytes } from '../../src/matrix/content.ts';

test('canonical JSON sorts keys by code point at every depth and has no spaces', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: 'é', '\u{1f600}': 1, '\uffff': 2 })).toBe(
    '{"a":"é","b":[{"c":2,"d":1}],"\uffff":2,"\u{1f600}":1}',
  );
});

test('canonical JSON means the same as JSON, whatever the order of the keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('text is made well-formed: half of a character would be answered with 500 for ever', () => {
  expect(checkContent({ 'k\ud800': ['a\ud800b'] })).toEqual({ ok: true, value: { 'k\ufffd': ['a\ufffdb'] } });
});

test.each([1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('the number %s is refused with its place', (n) => {
  expect(checkContent({ a: [{ b: n }] })).toEqual({
    ok: false,
    error: `a[0].b is ${n}: a room takes whole numbers only`,
  });
});

test('a content of exactly the largest size passes, one byte more does not', () => {
  const padding = maxContentBytes - '{"d":""}'.length;
  expect(checkContent({ d: 'x'.repeat(padding) }).ok).toBe(true);
  expect(checkContent({ d: 'x'.repeat(padding + 1) }).ok).toBe(false);
});

test('members that are undefined are left out', () => {
  expect(checkContent({ a: undefined, b: null })).toEqual({ ok: true, value: { b: null } });
});

import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { checkFile } from '../../src/config/check.ts';
import { renderExample } from '../../src/config/example.ts';

test('config.example.toml is what `cis config example` prints', () => {
  expect(readFileSync('config.example.toml', 'utf8')).toBe(renderExample());
});

test('the example, with every line in force, is a right config', () => {
  const inForce = renderExample().replaceAll(/^# (?=(\w+ = |\[))/gm, '');
  const checked = checkFile(parse(inForce), false);
  expect(checked.mistakes).toEqual([]);
  expect(checked.values.size).toBeGreaterThan(20);
  expect(checked.answers[0]?.name).toBe('tests may run');
  expect(Object.keys(checked.agents)).toEqual(['mine']);
});

import { describe, expect, test } from 'vitest';
import { parseUntil } from '../../src/monitor/until.ts';

const now = Date.parse('2026-03-02T10:00:00Z');
const at = (text: string): string | undefined => {
  const until = parseUntil(text, now);
  return until === undefined ? undefined : new Date(until).toISOString();
};

describe('the end of a limit', () => {
  test.each([
    ['5-hour limit reached ∙ resets 3pm (UTC)', '2026-03-02T15:00:00.000Z'],
    ['resets 9am (UTC)', '2026-03-03T09:00:00.000Z'],
    ['Your limit will reset at 3pm (America/New_York).', '2026-03-02T20:00:00.000Z'],
    ['resets at 3:05 PM (Europe/Berlin)', '2026-03-02T14:05:00.000Z'],
    ['try again at Mar 15th, 2026 3:05 PM UTC', '2026-03-15T15:05:00.000Z'],
    ['resets Thu 9am (UTC)', '2026-03-05T09:00:00.000Z'],
    ['try again in 3 days 4 hours 9 minutes', '2026-03-05T14:09:00.000Z'],
    ['Access resets in 1h 20m', '2026-03-02T11:20:00.000Z'],
    ['Please retry in 45s', '2026-03-02T10:00:45.000Z'],
    ['quota resets 2026-03-04T00:00:00Z', '2026-03-04T00:00:00.000Z'],
    ['Claude AI usage limit reached|1772460000', '2026-03-02T14:00:00.000Z'],
  ])('%s', (text, expected) => expect(at(text)).toBe(expected));

  test.each(['You have reached your limit', 'resets soon', 'version 3.2 of 14', 'resets 99pm'])(
    '%s names none',
    (text) => expect(at(text)).toBeUndefined(),
  );
});

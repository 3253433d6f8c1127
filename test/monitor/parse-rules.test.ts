import { describe, expect, test } from 'vitest';
import { judgeScreen, openRuleBook } from '../../src/monitor/judge.ts';
import { whyNotLinear } from '../../src/monitor/linear.ts';
import { parseRules } from '../../src/monitor/parse-rules.ts';

describe("a user's rules", () => {
  test('decide before those of cis, for their own program only', () => {
    const parsed = parseRules('mytool', [
      {
        id: 'go',
        state: 'blocked',
        kind: 'approval',
        region: 'last-2',
        any: ['SHALL WE GO'],
        question: '/shall we (.+)/',
      },
    ]);
    if (!parsed.ok) throw new Error(parsed.error.join('\n'));
    const book = openRuleBook(parsed.value);
    expect(judgeScreen({ lines: ['Shall we go on'], agent: 'mytool' }, 0, book)).toMatchObject({
      state: 'blocked',
      rule: 'go',
      question: 'go on',
    });
    expect(judgeScreen({ lines: ['Shall we go on'], agent: 'codex' }, 0, book).state).not.toBe('blocked');
  });

  test('replace a rule of the same id', () => {
    const parsed = parseRules('claude', [{ id: 'yes-no', state: 'idle', shape: 'yes-no' }]);
    if (!parsed.ok) throw new Error(parsed.error.join('\n'));
    expect(judgeScreen({ lines: ['Continue? [y/N] '], agent: 'claude' }, 0, openRuleBook(parsed.value))).toMatchObject({
      state: 'idle',
      rule: 'yes-no',
    });
  });

  test('count only for the versions that they name', () => {
    const parsed = parseRules('codex', [{ id: 'old', state: 'working', versions: '>=1.2 <2', any: ['busy'] }]);
    if (!parsed.ok) throw new Error(parsed.error.join('\n'));
    const judge = (version: string): string =>
      judgeScreen({ lines: ['busy'], agent: 'codex', version }, 0, openRuleBook(parsed.value)).state;
    expect([judge('1.1.9'), judge('1.2.0'), judge('1.10.3'), judge('2.0.0')]).toEqual([
      'unknown',
      'working',
      'working',
      'unknown',
    ]);
  });

  test('are told every mistake with its place', () => {
    const parsed = parseRules('x', [
      { id: 'a', state: 'blokked', any: ['/(a+)+/'] },
      { state: 'blocked', region: 'top', colour: 'red', any: [] },
    ]);
    expect(parsed).toEqual({
      ok: false,
      error: [
        '[[agents.x.rules]] number 1: `state` must be one of blocked, working, idle, done, unknown',
        '[[agents.x.rules]] number 1: `any` has the pattern /(a+)+/, which could take long: it repeats a group that repeats something itself',
        '[[agents.x.rules]] number 1: `any` is missing: a rule needs `any`, `all` or `shape`',
        expect.stringContaining('number 2: `colour` is not a key of a rule'),
        '[[agents.x.rules]] number 2: `id` must name the rule',
        expect.stringContaining('number 2: `kind` must say what a blocked session waits for'),
        '[[agents.x.rules]] number 2: `any` must be a text or a list of texts',
        '[[agents.x.rules]] number 2: `any` is missing: a rule needs `any`, `all` or `shape`',
        expect.stringContaining('number 2: `region` must be one of'),
      ],
    });
  });
});

describe('a pattern of bounded cost', () => {
  test.each(['yes', String.raw`\d+ of \d+`, '(?:a|b)+c', '[^)]*x', String.raw`a{1,30}\.`])(
    '%s may be used',
    (source) => {
      expect(whyNotLinear(source)).toBeNull();
    },
  );

  test.each(['(a+)+', '(?:a*b)*', String.raw`(a)\1`, 'a(?=b)', 'a*b*c*d*e*f*g*', '(?:(?:ab?)+c)+'])(
    '%s may not',
    (source) => {
      expect(whyNotLinear(source)).not.toBeNull();
    },
  );
});

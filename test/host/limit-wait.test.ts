import { describe, expect, test } from 'vitest';
import type { Block } from '../../src/domain/block.ts';
import { callAt, planLimit } from '../../src/host/limit-wait.ts';
import { openFakeClock } from '../support/fake-clock.ts';

const limit = (...labels: string[]): Block => ({
  id: 'r:t!1' as Block['id'],
  kind: 'rate-limit',
  question: 'You have hit your limit',
  choices: labels.map((label) => ({ label })),
  selected: null,
  since: 0,
  until: 1_000,
  fingerprint: 'f',
  rule: 'test',
});

describe('what is said to a limit that is waited for', () => {
  test('is the choice that means waiting, at once', () => {
    expect(planLimit(limit('Stop and wait for limit to reset', 'Upgrade your plan'), 'continue')).toEqual({
      when: 'now',
      answer: { kind: 'choose', index: 0 },
    });
  });

  test('is the words of the program, or the choice that goes on, when the time has come', () => {
    expect(planLimit(limit(), 'continue')).toEqual({ when: 'then', answer: { kind: 'text', text: 'continue' } });
    expect(planLimit(limit('Switch to another model', 'Try again'), 'continue')).toEqual({
      when: 'then',
      answer: { kind: 'choose', index: 1 },
    });
  });

  test('is nothing where no choice is known to mean it, or the program is no agent', () => {
    expect(planLimit(limit('Upgrade your plan', 'Buy credits'), 'continue')).toBeNull();
    expect(planLimit(limit(), null)).toBeNull();
  });
});

describe('a call at a time', () => {
  test('comes once, not before', () => {
    const clock = openFakeClock();
    const calls: number[] = [];
    callAt(clock, 5 * 3_600_000, () => calls.push(clock.now()));
    clock.advanceTo(5 * 3_600_000 - 1);
    expect(calls).toEqual([]);
    clock.advanceTo(6 * 3_600_000);
    expect(calls).toEqual([5 * 3_600_000]);
  });

  test('comes within a minute when the machine slept through it', () => {
    const clock = openFakeClock();
    let ahead = 0;
    const calls: number[] = [];
    callAt({ now: () => clock.now() + ahead, after: (ms, call) => clock.after(ms, call) }, 3_600_000, () =>
      calls.push(clock.now()),
    );
    clock.advanceTo(30_000);
    ahead = 7_200_000; // the timers stood still, the clock on the wall went on
    clock.advanceTo(60_000);
    expect(calls).toEqual([60_000]);
  });

  test('never comes after it was cancelled', () => {
    const clock = openFakeClock();
    const calls: number[] = [];
    const cancel = callAt(clock, 200_000, () => calls.push(clock.now()));
    clock.advanceTo(100_000);
    cancel();
    clock.advanceTo(300_000);
    expect(calls).toEqual([]);
  });
});

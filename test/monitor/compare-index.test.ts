import { describe, expect, test } from 'vitest';
import { compareWithIndex } from '../../src/monitor/compare-index.ts';
import type { Decision } from '../../src/monitor/replay.ts';

const decision = (at: number, state: Decision['state'], rule: string): Decision => ({ at, state, rule });

describe('a replay beside the index of its recording', () => {
  test('is the same where the looks came a little apart, or late while the verdict held', () => {
    const changes = [decision(1, 'working', 'w'), decision(2, 'blocked', 'b'), decision(30, 'done', 'd')];
    const marks = [decision(0.9, 'working', 'w'), decision(12, 'blocked', 'b'), decision(30.4, 'done', 'd')];
    expect(compareWithIndex(changes, marks)).toEqual(
      changes.map((change, index) => ({ change, index: marks[index], differs: false })),
    );
  });

  test('differs where nothing was recorded, by what held then', () => {
    const working = decision(1, 'working', 'w');
    const [, missed] = compareWithIndex([working, decision(5, 'blocked', 'b')], [working]);
    expect(missed).toMatchObject({ change: { state: 'blocked' }, index: { state: 'working', at: 1 }, differs: true });
    expect(compareWithIndex([working], [])).toMatchObject([{ index: { state: 'unknown' }, differs: true }]);
  });

  test('has a line for what was recorded and is decided no more', () => {
    const working = decision(1, 'working', 'w');
    const marks = [working, decision(5, 'blocked', 'b'), decision(9, 'working', 'w')];
    expect(compareWithIndex([working], marks)).toMatchObject([
      { change: working, differs: false },
      { change: { at: 5, state: 'working' }, index: { state: 'blocked', rule: 'b' }, differs: true },
    ]);
  });

  test('takes a question that a hook or the kernel told of for the same one, and one by another rule for another', () => {
    const asks = [decision(1, 'blocked', 'b')];
    const differs = (rule: string): boolean | undefined =>
      compareWithIndex(asks, [decision(1, 'blocked', rule)])[0]?.differs;
    expect(['b', 'hook-approval', 'kernel-reads', 'c'].map(differs)).toEqual([false, false, false, true]);
  });
});

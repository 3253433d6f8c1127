import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlockedJudgement, Judgement } from '../../src/monitor/judge.ts';
import type { KernelWitness } from '../../src/monitor/kernel.ts';
import {
  confirmMs,
  firstVerdict,
  hookedRestMs,
  nextVerdict,
  restMs,
  weakQuietMs,
  type Evidence,
  type VerdictState,
} from '../../src/monitor/verdict.ts';

function asks(fingerprint: string, strength: 'strong' | 'weak' = 'strong'): BlockedJudgement {
  return {
    state: 'blocked',
    kind: 'approval',
    question: fingerprint,
    choices: [],
    selected: null,
    strength,
    fingerprint,
    rule: 'test',
    evidence: '',
  };
}

const working: Judgement = { state: 'working', rule: 'test', evidence: '' };
const idle: Judgement = { state: 'idle', rule: 'test', evidence: '' };
const nothing: Judgement = { state: 'unknown', rule: 'none', evidence: '' };

function look(
  screen: Judgement,
  quietMs = 0,
  kernel: KernelWitness | null = null,
  screenId = 'a',
  isAgent = true,
): Evidence {
  return { kind: 'look', screen, quietMs, kernel, screenId, isAgent };
}

function isRefusal({ verdict }: VerdictState): boolean {
  return verdict.kind === 'blocked' && verdict.asked.rule === 'idle-after-refusal';
}

/** Plays evidence, each `ms` after the one before. */
function play(
  steps: readonly (readonly [ms: number, evidence: Evidence])[],
  from: VerdictState = firstVerdict(0),
  at = 0,
): VerdictState {
  let state = from;
  let now = at;
  for (const [ms, evidence] of steps) {
    now += ms;
    state = nextVerdict(state, evidence, now).state;
  }
  return state;
}

describe('a verdict', () => {
  test('blocks on a strong question after two equal looks 150 ms apart, not after one', () => {
    expect(play([[0, look(asks('A'))]]).verdict.kind).toBe('unknown');
    expect(
      play([
        [0, look(asks('A'))],
        [149, look(asks('A'))],
      ]).verdict.kind,
    ).toBe('unknown');
    expect(
      play([
        [0, look(asks('A'))],
        [150, look(asks('A'))],
      ]).verdict.kind,
    ).toBe('blocked');
  });

  test('blocks on a weak phrase only after two seconds of quiet', () => {
    expect(
      play([
        [0, look(asks('A', 'weak'), 100)],
        [1_000, look(asks('A', 'weak'), 1_100)],
      ]).verdict.kind,
    ).toBe('unknown');
    expect(
      play([
        [0, look(asks('A', 'weak'), 100)],
        [1_900, look(asks('A', 'weak'), 2_000)],
      ]).verdict.kind,
    ).toBe('blocked');
  });

  test('goes back to working at once', () => {
    expect(
      play([
        [0, look(asks('A'))],
        [150, look(asks('A'))],
        [10, look(working)],
      ]).verdict.kind,
    ).toBe('working');
  });

  test('ends a block when its question is gone twice, not when it flickers', () => {
    const blocked = play([
      [0, look(asks('A'))],
      [150, look(asks('A'))],
    ]);
    const flicker = play(
      [
        [10, look(nothing)],
        [10, look(asks('A'))],
      ],
      blocked,
      200,
    );
    expect(flicker.verdict).toMatchObject({ kind: 'blocked', episode: 1 });
    expect(
      play(
        [
          [10, look(nothing)],
          [150, look(nothing)],
        ],
        blocked,
        200,
      ).verdict.kind,
    ).toBe('working');
  });

  test('a hook blocks at once and is kept when the screen shows the question a little later', () => {
    const hook = {
      state: 'blocked',
      at: 0,
      rule: 'PermissionRequest',
      asked: { ...asks('hook'), command: 'ls' },
    } as const;
    const heard = play([[0, { kind: 'hook', hook }]]);
    expect(heard.verdict).toMatchObject({ kind: 'blocked', by: 'hook' });
    // The spinner of the step before may still stand there: a hook is faster than a screen.
    expect(play([[50, look(working)]], heard).verdict.kind).toBe('blocked');
    const next = { kind: 'hook', hook: { state: 'working', at: 60, rule: 'PostToolUse' } } as const;
    expect(play([[60, next]], heard).verdict.kind).toBe('working');
    const shown = play(
      [
        [50, look(nothing)],
        [100, look(asks('A'))],
      ],
      heard,
    );
    expect(shown.verdict).toMatchObject({ kind: 'blocked', episode: 1, asked: { fingerprint: 'A', command: 'ls' } });
  });

  test('a hook that says once more, without the command, that a permission is waited for leaves the question as it is', () => {
    const hook = {
      state: 'blocked',
      at: 0,
      rule: 'PermissionRequest',
      asked: { ...asks('A'), command: 'ls' },
    } as const;
    const reminder = { state: 'blocked', at: 100, rule: 'Notification', asked: asks('B') } as const;
    const heard = play([
      [0, { kind: 'hook', hook }],
      [100, { kind: 'hook', hook: reminder }],
    ]);
    expect(heard.verdict).toMatchObject({ kind: 'blocked', episode: 1, asked: { fingerprint: 'A', command: 'ls' } });
    const seen = play([
      [0, { kind: 'hook', hook }],
      [100, look(asks('C'))],
      [6_000, { kind: 'hook', hook: reminder }],
    ]);
    expect(seen.verdict).toMatchObject({ kind: 'blocked', episode: 1, asked: { fingerprint: 'C', command: 'ls' } });
  });

  test('an empty input line after a refused permission is a question for words, after two seconds of quiet', () => {
    const asked = play([
      [0, look(asks('A'))],
      [confirmMs, look(asks('A'))],
    ]);
    const told = play(
      [
        [500, { kind: 'answered', refused: true }],
        [200, look(idle, 100)],
        [200, look(idle, 300)],
        [weakQuietMs, look(idle, weakQuietMs)],
      ],
      asked,
    );
    expect(told.verdict.kind).toBe('working');
    const confirmed = play([[confirmMs, look(idle, weakQuietMs)]], told, 3_000);
    expect(confirmed.verdict).toMatchObject({ kind: 'blocked', asked: { rule: 'idle-after-refusal', input: 'line' } });
    const typing = play([[5_000, look(idle, 5_000)]], confirmed, 4_000);
    expect(typing.verdict).toMatchObject({ kind: 'blocked', episode: 2 });
    expect(
      play(
        [
          [100, { kind: 'answered', refused: false }],
          [100, look(working)],
        ],
        typing,
        9_000,
      ).verdict.kind,
    ).toBe('working');
  });

  test('an empty input line after an approved permission is no question once a hook says that it goes on', () => {
    const heard = play([
      [0, look(asks('A'))],
      [confirmMs, look(asks('A'))],
      [500, { kind: 'answered', refused: true }],
      [100, { kind: 'hook', hook: { state: 'working', at: 700, rule: 'PostToolUse' } }],
      [3_000, look(idle, 3_000)],
      [1_000, look(idle, 4_000)],
    ]);
    expect(heard.verdict.kind).toBe('idle');
  });

  describe('after a permission, an empty input line is no question for words', () => {
    const rests: [number, Evidence][] = [
      [200, look(idle, 100)],
      [200, look(idle, 300)],
      [weakQuietMs, look(idle, weakQuietMs)],
      [5_000, look(idle, weakQuietMs + 5_000)],
    ];
    const asked = play([
      [0, look(asks('A'))],
      [confirmMs, look(asks('A'))],
    ]);

    test('when it was given: the command may be at work, or done', () => {
      const step = { kind: 'answered', refused: false } as const;
      expect(play([[500, step], ...rests], asked).verdict.kind).toBe('idle');
    });

    test('when nobody knows what was pressed, unless the screen says that the turn was ended', () => {
      const step = { kind: 'answered', refused: null } as const;
      expect(play([[500, step], ...rests], asked).verdict.kind).toBe('idle');
      expect(play(rests, asked).verdict.kind).toBe('idle');
      const ended: Judgement = { state: 'idle', rule: 'turn-refused', evidence: 'Interrupted' };
      const told = rests.map(([ms, one]): [number, Evidence] => [
        ms,
        one.kind === 'look' ? { ...one, screen: ended } : one,
      ]);
      expect(isRefusal(play(told, asked))).toBe(true);
    });

    test('when it was refused but the program went on to work', () => {
      const steps: [number, Evidence][] = [[500, { kind: 'answered', refused: true }], [300, look(working)], ...rests];
      expect(play(steps, asked).verdict.kind).toBe('idle');
    });

    test('when the program is no agent: a shell shows its prompt after any answer', () => {
      const steps = rests.map(([ms, one]): [number, Evidence] => [
        ms,
        one.kind === 'look' ? { ...one, isAgent: false } : one,
      ]);
      expect(play([[500, { kind: 'answered', refused: true }], ...steps], asked).verdict.kind).toBe('idle');
    });
  });

  describe('the screen tells that a turn is over', () => {
    const done: Judgement = { state: 'done', rule: 'test-done', evidence: '', endsTurn: true };
    const rest: Judgement = { state: 'idle', rule: 'test-rest', evidence: '', endsTurn: true };

    /** What was told, with the time of it, when a screen is shown from `from` on and looked at as often as is asked for. */
    const resting = (
      from: VerdictState,
      screen: Judgement,
      ms: number,
      isAgent = true,
      start = 10_000,
    ): [number, string][] => {
      const told: [number, string][] = [];
      let state = from;
      let now = start;
      while (now < start + ms) {
        const step = nextVerdict(state, look(screen, now - start, null, 'a', isAgent), now);
        state = step.state;
        if (step.over !== undefined) told.push([now - start, step.over]);
        if (step.againMs === null) break;
        now += step.againMs;
      }
      return told;
    };
    const worked = play([[9_000, look(working)]]);

    test('once, with the rule that saw it, when it has rested and no hook ever spoke', () => {
      const [one, ...more] = resting(worked, done, 200_000);
      expect(more).toEqual([]);
      expect(one?.[1]).toBe('test-done');
      expect(one?.[0]).toBeGreaterThanOrEqual(restMs.done);
      expect(one?.[0]).toBeLessThan(restMs.done + 2_000);
      const [idler] = resting(worked, rest, 200_000);
      expect(idler?.[1]).toBe('test-rest');
      expect(idler?.[0]).toBeGreaterThanOrEqual(restMs.idle);
    });

    test('later when its hook has spoken before, and two minutes after a hook that says that it works', () => {
      const heard = play([
        [100, { kind: 'heard' }],
        [8_900, look(working)],
      ]);
      const [one] = resting(heard, done, 200_000);
      expect(one?.[0]).toBeGreaterThanOrEqual(hookedRestMs.done);
      const hook = { state: 'working', at: 9_500, rule: 'PostToolUse' } as const;
      const [late] = resting(play([[9_500, { kind: 'hook', hook }]]), done, 300_000);
      expect(late?.[0]).toBeGreaterThanOrEqual(119_000);
    });

    test('never before it was seen to work: what an old conversation left on the screen ends no turn', () => {
      expect(resting(firstVerdict(0), done, 600_000)).toEqual([]);
      expect(resting(play([[9_000, look(nothing)]]), rest, 600_000)).toEqual([]);
    });

    test('never while a tool runs, and the time begins anew after it', () => {
      let state = worked;
      const told: string[] = [];
      for (let now = 10_000; now < 100_000; now += 500) {
        const screen = now % 4_000 === 0 ? working : done;
        const step = nextVerdict(state, look(screen, 400), now);
        state = step.state;
        if (step.over !== undefined) told.push(step.over);
      }
      expect(told).toEqual([]);
      expect(resting(state, done, 60_000, true, 100_000)).toHaveLength(1);
    });

    test('never after a question, until it was seen to work again', () => {
      const asked = play([
        [0, look(working)],
        [10, look(asks('A'))],
        [150, look(asks('A'))],
        [10, { kind: 'answered', refused: null }],
      ]);
      expect(resting(asked, rest, 600_000)).toEqual([]);
      expect(resting(play([[9_000, look(working)]], asked), rest, 600_000)).toHaveLength(1);
    });

    test('never for an idle screen that is no rest between turns, for a program that is no agent, or when a hook said it', () => {
      expect(resting(worked, idle, 600_000)).toEqual([]);
      expect(resting(worked, done, 600_000, false)).toEqual([]);
      const hook = { state: 'done', at: 9_500, rule: 'Stop' } as const;
      expect(resting(play([[9_500, { kind: 'hook', hook }]], worked), done, 600_000)).toEqual([]);
    });
  });

  test('a hook that says blocked counts for nothing after two minutes without a screen that supports it', () => {
    const hook = { state: 'blocked', at: 0, rule: 'PermissionRequest', asked: asks('hook') } as const;
    const heard = play([[0, { kind: 'hook', hook }]]);
    expect(play([[119_000, look(idle, 5_000)]], heard).verdict.kind).toBe('blocked');
    expect(
      play(
        [
          [121_000, look(idle, 5_000)],
          [200, look(idle, 5_200)],
        ],
        heard,
      ).verdict.kind,
    ).toBe('working');
  });

  test('a screen that keeps asking outlives a hook that says that work goes on', () => {
    const heard = play([[0, { kind: 'hook', hook: { state: 'working', at: 0, rule: 'PostToolUse' } }]]);
    expect(
      play(
        [
          [10, look(asks('A'))],
          [200, look(asks('A'))],
        ],
        heard,
      ).verdict.kind,
    ).toBe('working');
    expect(
      play(
        [
          [10, look(asks('A'))],
          [1_000, look(asks('A'))],
        ],
        heard,
      ).verdict.kind,
    ).toBe('blocked');
  });

  test('the same question asked again after an answer is a new block', () => {
    const blocked = play([
      [0, look(asks('A'))],
      [150, look(asks('A'))],
    ]);
    const answered = play(
      [
        [10, { kind: 'answered', refused: false }],
        [50, look(nothing)],
        [200, look(nothing)],
        [10, look(asks('A'))],
        [160, look(asks('A'))],
      ],
      blocked,
      200,
    );
    expect(answered.verdict).toMatchObject({ kind: 'blocked', episode: 2 });
  });

  test('silence alone is stalled, never blocked', () => {
    const silent = play([
      [0, look(nothing, 61_000)],
      [200, look(nothing, 61_200)],
    ]);
    expect(silent.verdict.kind).toBe('stalled');
  });

  test('a program asleep in a read of its terminal is blocked after two seconds of quiet; one that polls is not', () => {
    const kernel = (foreground: KernelWitness['foreground']): KernelWitness => ({
      foreground,
      program: 'cat',
      cpuTicks: 0,
      echo: true,
      canonical: true,
    });
    const looks = (foreground: KernelWitness['foreground']): VerdictState =>
      play([
        [0, look(nothing, 2_000, kernel(foreground))],
        [200, look(nothing, 2_200, kernel(foreground))],
      ]);
    expect(looks('reading').verdict).toMatchObject({ kind: 'blocked', by: 'kernel' });
    expect(looks('polling').verdict.kind).toBe('unknown');
    expect(looks('unknown').verdict.kind).toBe('unknown');
  });
});

describe('over any evidence', () => {
  const judgement = fc.constantFrom<Judgement>(working, idle, nothing, asks('A'), asks('B'), asks('C', 'weak'));
  const step = fc.record({
    ms: fc.integer({ min: 1, max: 3_000 }),
    judgement,
    quietMs: fc.integer({ min: 0, max: 5_000 }),
  });
  const steps = fc.array(step, { maxLength: 40 });

  test('a block without a hook was seen twice, 150 ms apart, with nothing else between', () => {
    fc.assert(
      fc.property(steps, (list) => {
        let state = firstVerdict(0);
        let now = 0;
        let since = null as { fingerprint: string; at: number } | null;
        for (const { ms, judgement, quietMs } of list) {
          now += ms;
          const fingerprint = judgement.state === 'blocked' ? judgement.fingerprint : null;
          if (fingerprint === null) since = null;
          else if (since?.fingerprint !== fingerprint) since = { fingerprint, at: now };
          const before = state.verdict;
          state = nextVerdict(state, look(judgement, quietMs), now).state;
          const began =
            state.verdict.kind === 'blocked' && (before.kind !== 'blocked' || before.episode !== state.verdict.episode);
          if (!began) continue;
          if (isRefusal(state)) {
            expect(judgement.state).toBe('idle');
            expect(quietMs).toBeGreaterThanOrEqual(weakQuietMs);
            continue;
          }
          expect(since !== null && now - since.at >= confirmMs).toBe(true);
          if (judgement.state === 'blocked' && judgement.strength === 'weak')
            expect(quietMs).toBeGreaterThanOrEqual(weakQuietMs);
        }
      }),
    );
  });

  test('a sign of work is working at once, an exit is the end for good', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const list = (all: typeof before): [number, Evidence][] =>
          all.map(({ ms, judgement, quietMs }) => [ms, look(judgement, quietMs)]);
        const state = play(list(before));
        expect(play([[1, look(working)]], state, 200_000).verdict.kind).toBe('working');
        expect(play([[1, { kind: 'exit' }], ...list(after)], state, 200_000).verdict.kind).toBe('ended');
      }),
    );
  });

  test('a screen that stays as it is comes to rest: the looks that are asked for end', () => {
    fc.assert(
      fc.property(steps, judgement, (before, last) => {
        let state = play(before.map(({ ms, judgement, quietMs }) => [ms, look(judgement, quietMs)]));
        let now = 1_000_000;
        let quietMs = 0;
        for (let looks = 0; looks < 40; looks += 1) {
          const next = nextVerdict(state, look(last, quietMs), now);
          state = next.state;
          if (next.againMs === null) break;
          expect(next.againMs).toBeGreaterThan(0);
          now += next.againMs;
          quietMs += next.againMs;
        }
        expect(nextVerdict(state, look(last, quietMs), now).againMs).toBeNull();
        expect(state.verdict.kind === 'blocked').toBe(
          last.state === 'blocked' || (last.state === 'idle' && isRefusal(state)),
        );
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  breakerAt,
  breakerRefusal,
  closedBreaker,
  nextBreaker,
  openMs,
  type Breaker,
  type BreakerEvent,
} from '../../../src/domain/fleet/breaker.ts';
import { fingerprintOf, parseDid } from '../../../src/domain/fleet/did.ts';
import { composeEpoch, coordinatorEpochAbove, judgeEpoch, splitEpoch } from '../../../src/domain/fleet/epoch.ts';
import { maxRuns, memoryFrom, nextFreshness, noMemory, type SeqMemory } from '../../../src/domain/fleet/freshness.ts';
import { isWorthTelling, judgeLiveness, nextHeartbeatIn, silentAfterMs } from '../../../src/domain/fleet/liveness.ts';
import { fairTake, type RunShare } from '../../../src/domain/fleet/share.ts';
import { freeSlots } from '../../../src/domain/fleet/slots.ts';
import type { RunId, TaskId } from '../../../src/domain/ids.ts';
import { didOf, heartbeat, known, now } from './support.ts';

describe('the breaker', () => {
  const failure: BreakerEvent = { kind: 'failure', reason: 'no claim' };
  const after = (events: readonly BreakerEvent[], at = now, from: Breaker = closedBreaker) =>
    events.reduce((breaker, event) => nextBreaker(breaker, event, at), from);
  const five = Array.from({ length: 5 }, () => failure);

  test('opens after five failures in a row, not before, and a success in between counts from the start', () => {
    expect(after(five.slice(1)).kind).toBe('closed');
    expect(after([...five.slice(1), { kind: 'success' }, ...five.slice(1)]).kind).toBe('closed');
    expect(after(five)).toEqual({ kind: 'open', since: now, reason: 'no claim' });
  });

  test('lets one task try after a minute, closes after two successes, and opens again at one failure', () => {
    const open = after(five);
    expect(breakerRefusal(open, now + openMs - 1)).toContain('one trial in 1 s');
    expect(breakerRefusal(open, now + openMs)).toBeNull();
    const later = now + openMs;
    const trying = after([{ kind: 'given' }], later, open);
    expect(breakerRefusal(trying, later)).toContain('a task is being tried on it');
    expect(after([failure], later, trying).kind).toBe('open');
    const once = after([{ kind: 'success' }], later, trying);
    expect(once).toEqual({ kind: 'trying', successes: 1, busy: false });
    expect(after([{ kind: 'given' }, { kind: 'success' }], later, once)).toEqual(closedBreaker);
    expect(breakerRefusal(after([{ kind: 'returned' }], later, trying), later)).toBeNull();
  });

  test('that is open never lets anything through before its time, whatever happens', () => {
    const anyEvent = fc.constantFrom<BreakerEvent>(
      failure,
      { kind: 'success' },
      { kind: 'given' },
      { kind: 'returned' },
    );
    fc.assert(
      fc.property(fc.array(anyEvent), fc.nat(openMs - 1), (events, ms) => {
        const open = after(five);
        expect(breakerAt(after(events, now + ms, open), now + ms).kind).toBe('open');
      }),
    );
  });
});

describe('an epoch', () => {
  test('is compared by coordinator first: whoever takes over beats all that came before', () => {
    const old = composeEpoch({ coordinator: 3, grant: 999_999 });
    expect(coordinatorEpochAbove([old, composeEpoch({ coordinator: 2, grant: 5 })], 1)).toBe(4);
    expect(composeEpoch({ coordinator: 4, grant: 1 })).toBeGreaterThan(old);
    expect(splitEpoch(old)).toEqual({ coordinator: 3, grant: 999_999 });
    expect(() => composeEpoch({ coordinator: 1, grant: 1_000_000 })).toThrow('no epoch');
  });

  test('that is lower than the current one is stale, however late it comes', () => {
    expect(judgeEpoch(5, null)).toBe('first');
    expect(judgeEpoch(4, 5)).toBe('stale');
    expect(judgeEpoch(5, 5)).toBe('current');
    expect(judgeEpoch(6, 5)).toBe('ahead');
  });
});

describe('numbered messages', () => {
  function take(memory: SeqMemory, ...seqs: number[]): { memory: SeqMemory; told: string[] } {
    const told: string[] = [];
    for (const seq of seqs) {
      const next = nextFreshness(memory, seq);
      told.push(next.ok ? (next.value.reordered ? 'reordered' : 'fresh') : next.error.kind);
      if (next.ok) memory = next.value.memory;
    }
    return { memory, told };
  }

  test('count once, in whatever order they come', () => {
    expect(take(noMemory, 1, 2, 4, 3, 4, 2, 5).told).toEqual([
      'fresh',
      'fresh',
      'fresh',
      'reordered',
      'replayed',
      'replayed',
      'fresh',
    ]);
    expect(take(noMemory, 1, 2, 4, 3, 5).memory).toEqual({ floor: 0, runs: [[1, 5]] });
  });

  test('from before the trust are very old', () => {
    expect(take(memoryFrom(10), 10, 3, 11).told).toEqual(['very-old', 'very-old', 'fresh']);
  });

  test('each counts exactly once for any order with repetitions, and the memory stays small', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2_000 }), { maxLength: 1_500 }), (seqs) => {
        const { memory, told } = take(noMemory, ...seqs);
        const taken = seqs.filter((_, index) => told[index] === 'fresh' || told[index] === 'reordered');
        expect(new Set(taken).size).toBe(taken.length);
        expect(memory.runs.length).toBeLessThanOrEqual(maxRuns);
        for (const [index, seq] of seqs.entries()) {
          if (told[index] !== 'very-old') expect(taken).toContain(seq);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('with more gaps than are remembered: the oldest gaps are given up, not what was seen', () => {
    const odd = Array.from({ length: maxRuns + 1 }, (_, index) => 2 * index + 1);
    const { memory } = take(noMemory, ...odd);
    expect(memory.floor).toBe(1);
    expect(take(memory, 1, 2, 3).told).toEqual(['very-old', 'reordered', 'replayed']);
  });
});

describe('a node', () => {
  test('is alive for 45 s after it was heard, by our clock; a clock set back changes nothing', () => {
    const node = known('A', { heardAt: now });
    expect(judgeLiveness(node, now + silentAfterMs - 1).alive).toBe(true);
    expect(judgeLiveness(node, now + silentAfterMs).alive).toBe(false);
    expect(judgeLiveness(node, now - 600_000).alive).toBe(true);
  });

  test('is heard every 15 s, give or take a tenth', () => {
    expect([0, 0.5, 1].map(nextHeartbeatIn)).toEqual([13_500, 15_000, 16_500]);
  });

  test('tells the room what it is and whether it takes work, not its load and its leases', () => {
    const told = heartbeat('A');
    const lease = { run: 'r' as RunId, task: 't' as TaskId, attempt: 1, epoch: 1_000_001 };
    expect(isWorthTelling(null, told)).toBe(true);
    expect(isWorthTelling(told, heartbeat('A', { load: { loadCenti: 300, slotsFree: 0 }, leases: [lease] }))).toBe(
      false,
    );
    expect(isWorthTelling(told, heartbeat('A', { mood: { draining: true } }))).toBe(true);
    expect(isWorthTelling(told, heartbeat('A', { facts: { agents: [] } }))).toBe(true);
  });

  test('has the slots it said, less what it was given since, more what ended since', () => {
    const lease = (task: string) => ({ run: 'r' as RunId, task: task as TaskId, attempt: 1, epoch: 1_000_001 });
    const runs = new Set(['r' as RunId]);
    const node = known('A', { load: { slotsFree: 2 }, leases: [lease('a'), lease('b')] });
    expect(freeSlots(node, [lease('a'), lease('b')], runs)).toBe(2);
    expect(freeSlots(node, [lease('a'), lease('b'), lease('c')], runs)).toBe(1);
    expect(freeSlots(node, [lease('b'), lease('c')], runs)).toBe(2);
    expect(freeSlots(node, [], runs)).toBe(4);
    expect(freeSlots(node, [], new Set())).toBe(2);
  });
});

describe('runs share alike', () => {
  const run = (name: string, held: number, waiting: number): RunShare => ({ run: name as RunId, held, waiting });

  test('a run alone takes all, two share, and who wants little gets it', () => {
    expect(fairTake('a' as RunId, [run('a', 0, 100)], 8, 8)).toBe(8);
    expect(fairTake('a' as RunId, [run('a', 0, 100), run('b', 0, 100)], 8, 8)).toBe(4);
    expect(fairTake('a' as RunId, [run('a', 0, 100), run('b', 1, 1)], 8, 7)).toBe(6);
    expect(fairTake('a' as RunId, [run('a', 8, 100), run('b', 0, 100)], 8, 1)).toBe(0);
    expect(fairTake('b' as RunId, [run('a', 8, 100), run('b', 0, 100)], 8, 1)).toBe(1);
  });

  test('nobody takes more than there is or than it wants, and nothing stays unused that somebody wants', () => {
    const anyRuns = fc.uniqueArray(
      fc.record({ name: fc.string({ minLength: 1, maxLength: 4 }), held: fc.nat(5), waiting: fc.nat(20) }),
      {
        selector: ({ name }) => name,
        minLength: 1,
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(anyRuns, fc.nat(30), (shares, more) => {
        const runs = shares.map(({ name, held, waiting }) => run(name, held, waiting));
        const held = runs.reduce((sum, each) => sum + each.held, 0);
        const slots = held + more;
        // Each takes in turn, as drivers do, until none takes any more.
        let now = runs;
        for (let changed = true; changed;) {
          changed = false;
          for (const { run: id } of now) {
            const free = slots - now.reduce((sum, each) => sum + each.held, 0);
            const take = fairTake(id, now, slots, free);
            expect(take).toBeLessThanOrEqual(free);
            if (take === 0) continue;
            changed = true;
            now = now.map((each) =>
              each.run === id ? { ...each, held: each.held + take, waiting: each.waiting - take } : each,
            );
          }
        }
        const free = slots - now.reduce((sum, each) => sum + each.held, 0);
        const waiting = now.reduce((sum, each) => sum + each.waiting, 0);
        expect(Math.min(free, waiting)).toBe(0);
      }),
    );
  });
});

test('a did is the key of an Ed25519 key and nothing else; its end is what people compare', () => {
  expect(parseDid('did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc').ok).toBe(false);
  expect(parseDid('@anna:example.org').ok).toBe(false);
  expect(fingerprintOf(didOf('A'))).toBe('AAAA AAAA AAAA AAAA');
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lanes, type BucketState, type Lane, type RateLimit } from '../../src/domain/room.ts';
import { defaultRateLimit, fullBucket, refill, refused, take, waitMs } from '../../src/matrix/bucket.ts';

/** Synapse's own: it allows a send while fewer than `burst` actions are remembered, and forgets `perSecond` of them a second. */
function openServer(limit: RateLimit) {
  let actions = 0;
  let last = 0;
  return (now: number): boolean => {
    actions = Math.max(0, actions - ((now - last) / 1000) * limit.perSecond);
    last = now;
    if (actions + 1 > limit.burst) return false;
    actions += 1;
    return true;
  };
}

const lane = fc.constantFrom<Lane>(...lanes);

test('whoever waits as told is never refused, also when the way to the server takes up to two seconds', () => {
  const steps = fc.array(fc.record({ lane, idleMs: fc.nat(60_000), delayMs: fc.nat(2000) }), { maxLength: 80 });
  fc.assert(
    fc.property(steps, (all) => {
      const server = openServer({ perSecond: 0.2, burst: 10 });
      let now = 0;
      let bucket: BucketState = fullBucket(defaultRateLimit, now);
      for (const step of all) {
        now += step.idleMs;
        now += waitMs(bucket, defaultRateLimit, step.lane, now);
        now += step.delayMs;
        expect(server(now)).toBe(true);
        bucket = take(bucket, defaultRateLimit, now);
      }
    }),
  );
});

test('after any number of lesser events three questions go out at once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 50 }), (count) => {
      let now = 0;
      let bucket = fullBucket(defaultRateLimit, now);
      for (let n = 0; n < count; n++) {
        now += waitMs(bucket, defaultRateLimit, 'detail', now);
        bucket = take(bucket, defaultRateLimit, now);
      }
      for (let n = 0; n < 3; n++) {
        expect(waitMs(bucket, defaultRateLimit, 'question', now)).toBe(0);
        bucket = take(bucket, defaultRateLimit, now);
      }
    }),
  );
});

test('once the burst is used, questions go out every five seconds', () => {
  let bucket = fullBucket(defaultRateLimit, 0);
  for (let n = 0; n < 9; n++) bucket = take(bucket, defaultRateLimit, 0);
  expect(waitMs(bucket, defaultRateLimit, 'question', 0)).toBe(5000);
  expect(waitMs(bucket, defaultRateLimit, 'card', 0)).toBe(20_000);
});

test('a refusal is waited out by every lane', () => {
  const bucket = refused(fullBucket(defaultRateLimit, 0), defaultRateLimit, 0, 4710);
  expect(waitMs(bucket, defaultRateLimit, 'question', 0)).toBe(4710);
  expect(waitMs(bucket, defaultRateLimit, 'question', 4710)).toBe(0);
  expect(waitMs(bucket, defaultRateLimit, 'detail', 4710)).toBe(15_000);
});

test('a clock that is set back never stops the queue for longer than the bucket takes to fill', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e12 }),
      fc.integer({ min: 0, max: 1e12 }),
      fc.nat(12),
      (before, after, used) => {
        let bucket = fullBucket(defaultRateLimit, before);
        for (let n = 0; n < used; n++) bucket = take(bucket, defaultRateLimit, before);
        bucket = refill(bucket, defaultRateLimit, Math.min(before, after));
        const now = Math.min(before, after);
        expect(waitMs(bucket, defaultRateLimit, 'detail', now)).toBeLessThanOrEqual(40_000);
      },
    ),
  );
});

import type { BucketState, Lane, RateLimit } from '../domain/room.ts';

/**
 * Synapse's default, per user over all rooms: 0.2 events a second, ten at once. One of the ten is left unused, because the
 * server's clock sees our sends with jitter, and its refusals cost half a second each.
 */
export const defaultRateLimit: RateLimit = { perSecond: 0.2, burst: 9 };

/** Tokens nobody but a question or its outcome may take. */
const keptForQuestions = 3;

export function fullBucket(limit: RateLimit, at: number): BucketState {
  return { tokens: limit.burst, at, notBefore: 0 };
}

/**
 * The bucket as it is now; whoever holds one keeps what this returns, so that a clock that was set back costs at most what had
 * not been counted yet, and a wait the homeserver asked for never grows into years.
 */
export function refill(bucket: BucketState, limit: RateLimit, now: number): BucketState {
  const passedMs = Math.max(0, now - bucket.at);
  const tokens = Math.min(limit.burst, bucket.tokens + (passedMs / 1000) * limit.perSecond);
  return { tokens, at: now, notBefore: Math.min(bucket.notBefore, now + longestHoldMs) };
}

/** Takes one token for a send that is made now. */
export function take(bucket: BucketState, limit: RateLimit, now: number): BucketState {
  const full = refill(bucket, limit, now);
  return { ...full, tokens: full.tokens - 1 };
}

/** The homeserver refused: it will have one token for us after `retryAfterMs`, whatever our bucket said. */
export function refused(bucket: BucketState, limit: RateLimit, now: number, retryAfterMs: number): BucketState {
  const holdMs = Math.min(retryAfterMs, longestHoldMs);
  const tokens = Math.max(-limit.burst, 1 - (holdMs / 1000) * limit.perSecond);
  return { tokens, at: now, notBefore: Math.max(bucket.notBefore, now + holdMs) };
}

/** Milliseconds until an event of this lane may be sent; 0 means now. */
export function waitMs(bucket: BucketState, limit: RateLimit, lane: Lane, now: number): number {
  const full = refill(bucket, limit, now);
  const missing = tokensNeeded(lane) - full.tokens;
  const filledMs = missing <= 0 ? 0 : Math.ceil((missing / limit.perSecond) * 1000);
  return Math.max(0, full.notBefore - now, filledMs);
}

const longestHoldMs = 10 * 60_000;

function tokensNeeded(lane: Lane): number {
  return lane === 'question' || lane === 'outcome' ? 1 : 1 + keptForQuestions;
}

/**
 * Keeps work from a node that fails again and again by its own fault (not the tasks'):
 *
 *   closed ──5 node failures in a row──▶ open ──60 s──▶ trying ──2 successes──▶ closed
 *                                          ▲               │
 *                                          └──── failure ──┘
 */
export type Breaker =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly since: number; readonly reason: string }
  /** One task at a time, until `successes` are enough. `busy`: that one is out. */
  | { readonly kind: 'trying'; readonly successes: number; readonly busy: boolean };

export const failuresToOpen = 5;
export const openMs = 60_000;
export const successesToClose = 2;

export const closedBreaker: Breaker = { kind: 'closed', failures: 0 };

export type BreakerEvent =
  /** A task was given to the node. */
  | { readonly kind: 'given' }
  /** The node did its part: the task may have failed for all that. */
  | { readonly kind: 'success' }
  /** It never claimed, was lost, could not start the session. */
  | { readonly kind: 'failure'; readonly reason: string }
  /** What was given was taken back before the node could show anything (the run was aborted, a person killed it). */
  | { readonly kind: 'returned' };

/** What the breaker is by now: an open one whose time is over lets one task try. Returns the same object when nothing changed. */
export function breakerAt(breaker: Breaker, now: number): Breaker {
  if (breaker.kind !== 'open' || now - breaker.since < openMs) return breaker;
  return { kind: 'trying', successes: 0, busy: false };
}

export function nextBreaker(before: Breaker, event: BreakerEvent, now: number): Breaker {
  const breaker = breakerAt(before, now);
  switch (event.kind) {
    case 'given':
      return breaker.kind === 'trying' ? { ...breaker, busy: true } : breaker;
    case 'returned':
      return breaker.kind === 'trying' ? { ...breaker, busy: false } : breaker;
    case 'success':
      return afterSuccess(breaker);
    case 'failure':
      return afterFailure(breaker, event.reason, now);
  }
}

function afterSuccess(breaker: Breaker): Breaker {
  switch (breaker.kind) {
    case 'closed':
      return breaker.failures === 0 ? breaker : closedBreaker;
    case 'open':
      // Of a task it was given before: that it ends now says nothing of the failures since.
      return breaker;
    case 'trying':
      if (breaker.successes + 1 >= successesToClose) return closedBreaker;
      return { kind: 'trying', successes: breaker.successes + 1, busy: false };
  }
}

function afterFailure(breaker: Breaker, reason: string, now: number): Breaker {
  if (breaker.kind === 'open') return breaker;
  const failures = breaker.kind === 'closed' ? breaker.failures + 1 : failuresToOpen;
  return failures >= failuresToOpen ? { kind: 'open', since: now, reason } : { kind: 'closed', failures };
}

/** Null when a task may be given to the node, else why not. */
export function breakerRefusal(breaker: Breaker, now: number): string | null {
  const current = breakerAt(breaker, now);
  switch (current.kind) {
    case 'closed':
      return null;
    case 'open': {
      const left = Math.ceil((openMs - (now - current.since)) / 1000);
      return `failed ${failuresToOpen} times in a row (last: ${current.reason}); one trial in ${left} s`;
    }
    case 'trying':
      return current.busy ? 'failed often; a task is being tried on it' : null;
  }
}

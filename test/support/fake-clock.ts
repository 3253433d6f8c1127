import type { MonitorClock } from '../../src/monitor/open-monitor.ts';

export interface FakeClock extends MonitorClock {
  /** Calls what is due on the way, in order. */
  advanceTo(at: number): void;
  readonly pending: number;
}

/** A clock that stands still until it is moved. */
export function openFakeClock(): FakeClock {
  let now = 0;
  let timers: { readonly at: number; readonly call: () => void }[] = [];
  return {
    now: () => now,
    after(ms, call) {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advanceTo(at) {
      for (;;) {
        const next = timers.filter((timer) => timer.at <= at).toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.at);
        next.call();
      }
      now = Math.max(now, at);
    },
    get pending() {
      return timers.length;
    },
  };
}

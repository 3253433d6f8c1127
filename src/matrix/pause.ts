/** A pause that ends early when the signal or `wake` says so. */
export interface Pause {
  wait(ms: number, signal: AbortSignal): Promise<void>;
  wake(): void;
}

export function openPause(): Pause {
  const sleepers = new Set<() => void>();
  let pending = false;
  return {
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (pending || signal.aborted) {
          pending = false;
          resolve();
          return;
        }
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          sleepers.delete(end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        signal.addEventListener('abort', end);
        sleepers.add(end);
      }),
    wake() {
      // Nobody sleeps: whoever goes to sleep next must not miss it.
      if (sleepers.size === 0) pending = true;
      for (const end of sleepers) end();
    },
  };
}

/** Milliseconds before the n-th repetition (from 0): doubles from 1 s to 30 s, less up to a quarter at random. */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(30_000, 1000 * 2 ** Math.min(failures, 10));
  return Math.round(full * (1 - random / 4));
}

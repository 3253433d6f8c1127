import type { LoggedEvent } from './event.ts';

/** Whatever shows a run while it goes on: the live table, plain lines, NDJSON. */
export interface RunView {
  /** Takes events in the order of the log, after they were committed. */
  show(events: readonly LoggedEvent[]): void;
  /** Leaves the terminal as it was found. May be called twice. */
  close(): void;
}

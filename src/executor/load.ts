import { applyEvent, createModel, type RunModel } from '../domain/plan-model.ts';
import type { RunSettings } from '../domain/run.ts';
import type { LoggedEvent } from '../domain/event.ts';
import type { Db } from '../storage/open.ts';
import { readEvents } from '../storage/read.ts';

/**
 * Makes the model of a run again from its log, and gives the log to `each` on the way. An event of a later time than now was
 * written before the clock was set back: it happened at the latest now, so that nothing waits for the old time to come again.
 */
export function loadModel(
  db: Db,
  settings: RunSettings,
  tickOffset: number,
  each?: (events: readonly LoggedEvent[]) => void,
): RunModel {
  const model = createModel(settings);
  const now = performance.now();
  for (let after = 0; ;) {
    const events = readEvents(db, settings.run, after, 5_000);
    for (const { event, at } of events) applyEvent(model, event, { at, tick: Math.min(at + tickOffset, now) });
    if (events.length > 0) each?.(events);
    const last = events.at(-1);
    if (last === undefined || events.length < 5_000) return model;
    after = last.seq;
  }
}

import { unreachable } from '../../domain/unreachable.ts';
import { currentItem, currentWaiting, listItems } from './items.ts';
import { pressEntry, pressKey } from './keys.ts';
import { moveCursor, open, scroll, stay, type Step } from './moves.ts';
import type { Dashboard, DashboardEvent, Snapshot } from './state.ts';

/** Returns what the dashboard becomes by an event, and what is to be done. */
export function nextDashboard(state: Dashboard, event: DashboardEvent): Step {
  switch (event.kind) {
    case 'snapshot':
      return stay(takeSnapshot(state, event.snapshot, event.now));
    case 'key':
      return state.entry === null
        ? pressKey({ ...state, notice: null }, event)
        : pressEntry(state, state.entry, event.key, event.text);
    case 'click':
      return click(state, event.item);
    case 'wheel':
      return state.page.kind === 'output' ? scroll(state, event.lines) : stay(moveCursor(state, -event.lines));
    case 'output':
      return stay(takeOutput(state, event));
    case 'history':
      return stay(takeHistory(state, event));
    case 'said':
      return stay({ ...state, notice: event.notice });
    default:
      return unreachable(event);
  }
}

function takeSnapshot(state: Dashboard, snapshot: Snapshot, now: number): Dashboard {
  const cursor = keepCursor(state, snapshot);
  const asked = currentWaiting(state)?.key ?? null;
  const next = { ...state, snapshot, cursor };
  const asks = currentWaiting(next)?.key ?? null;
  const moved = asks !== null && asks !== asked ? { landedAt: now } : {};
  return { ...next, ...moved, ...dropEntry(state, snapshot) };
}

/**
 * The cursor stays on its item. Where no person has put it, or its question is gone, it is on the first question there is; where
 * something else is gone, on what is in its place.
 */
function keepCursor(state: Dashboard, snapshot: Snapshot): string | null {
  const item = currentItem(state);
  const after = listItems(snapshot);
  const isThere = after.some(({ key }) => key === item?.key);
  if (isThere && (state.cursor !== null || item?.kind === 'waiting')) return item?.key ?? null;
  if (state.cursor === null || item === null || item.kind === 'waiting') return null;
  const at = listItems(state.snapshot).findIndex(({ key }) => key === item.key);
  return after[Math.min(at, after.length - 1)]?.key ?? null;
}

/** An answer to a question that is gone is not typed to its end. */
function dropEntry({ entry }: Dashboard, { waiting }: Snapshot): Partial<Dashboard> {
  if (entry?.kind !== 'text' || waiting.some(({ key }) => key === entry.of)) return {};
  return { entry: null, notice: { text: 'that question is gone', tone: 'dim' } };
}

function takeOutput(state: Dashboard, event: Extract<DashboardEvent, { kind: 'output' }>): Dashboard {
  const { page } = state;
  if (page.kind !== 'output' || page.session !== event.session) return state;
  return { ...state, page: { ...page, lines: event.lines, end: event.end } };
}

function takeHistory(state: Dashboard, event: Extract<DashboardEvent, { kind: 'history' }>): Dashboard {
  const { page } = state;
  if (page.kind !== 'output' || page.session !== event.session || page.back === 0) return state;
  const back = Math.min(page.back, Math.max(0, event.lines.length - 1));
  return { ...state, page: { ...page, history: event.lines, back } };
}

/** Who clicks a run unfolds it, who clicks anything else sees its output. */
function click(state: Dashboard, key: string): Step {
  const item = listItems(state.snapshot).find((one) => one.key === key);
  if (item === undefined || state.page.kind !== 'list' || state.entry !== null) return stay(state);
  return open({ ...state, cursor: key, notice: null }, item);
}

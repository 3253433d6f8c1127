import { currentSession, listItems, sessionOf } from './items.ts';
import type { Dashboard, DashboardCommand, Item } from './state.ts';

export interface Step {
  readonly state: Dashboard;
  readonly commands: readonly DashboardCommand[];
}

export function stay(state: Dashboard): Step {
  return { state, commands: [] };
}

/** Enter, or a click. */
export function open(state: Dashboard, item: Item): Step {
  if (item.kind === 'run') {
    const isOpen = state.snapshot.picture?.run === item.run.run;
    const unfolded = isOpen ? ({ kind: 'none' } as const) : ({ kind: 'run', run: item.run.run } as const);
    return { state: { ...state, unfolded }, commands: [{ kind: 'read' }] };
  }
  const session = sessionOf(item);
  if (session === null) return stay({ ...state, notice: { text: 'it has written nothing yet', tone: 'dim' } });
  const page = { kind: 'output', session, lines: [], history: null, back: 0, end: null } as const;
  return { state: { ...state, page }, commands: [{ kind: 'open-output', session }] };
}

/** Looks further back, or with a negative number further to the end. */
export function scroll(state: Dashboard, lines: number): Step {
  const { page } = state;
  if (page.kind !== 'output') return stay(state);
  const whole = page.history ?? page.lines;
  const furthest = page.history === null && page.end === null ? Infinity : Math.max(0, whole.length - 1);
  const back = Math.min(Math.max(0, page.back + lines), furthest);
  if (back === 0) return stay({ ...state, page: { ...page, back, history: null } });
  const needsHistory = page.history === null && page.end === null;
  const session = currentSession(state);
  return {
    state: { ...state, page: { ...page, back } },
    commands: needsHistory && session !== null ? [{ kind: 'read-history', session }] : [],
  };
}

/** Moves the cursor by so many items; it stops at the ends. */
export function moveCursor(state: Dashboard, by: number): Dashboard {
  const items = listItems(state.snapshot);
  const at = Math.max(
    0,
    items.findIndex(({ key }) => key === state.cursor),
  );
  const next = items[Math.min(Math.max(0, at + by), items.length - 1)];
  return { ...state, cursor: next?.key ?? null, landedAt: 0 };
}

/** To the first of the questions, of the runs, of the tasks: whichever comes next. */
export function moveToNextPart(state: Dashboard): Dashboard {
  const items = listItems(state.snapshot);
  const at = Math.max(
    0,
    items.findIndex(({ key }) => key === state.cursor),
  );
  const kind = items[at]?.kind;
  const next = items.findIndex((item, index) => index > at && item.kind !== kind);
  return { ...state, cursor: items[next === -1 ? 0 : next]?.key ?? null, landedAt: 0 };
}

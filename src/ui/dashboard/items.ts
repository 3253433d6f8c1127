import type { SessionId } from '../../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../../domain/picture.ts';
import { matterOrder } from '../run-table.ts';
import type { Dashboard, Item, Snapshot, Waiting } from './state.ts';

/** So many tasks stay in the order of the file; of more, those that matter come first. */
const calmTasks = 30;

/** Returns all that the cursor can be on, from top to bottom. */
export function listItems({ waiting, runs, picture }: Snapshot): Item[] {
  return [
    ...waiting.map((one) => ({ kind: 'waiting', key: one.key, waiting: one }) as const),
    ...runs.flatMap((run): Item[] => {
      const tasks = picture?.run === run.run ? listTasks(picture) : [];
      return [
        { kind: 'run', key: `run ${run.run}`, run },
        ...tasks.map((task) => ({ kind: 'task', key: `task ${run.run}:${task.task}`, task }) as const),
      ];
    }),
  ];
}

function listTasks(picture: RunPicture): TaskPicture[] {
  if (picture.tasks.size <= calmTasks) return [...picture.tasks.values()];
  return matterOrder.flatMap((kind) =>
    [...(picture.byKind.get(kind) ?? [])].flatMap((id) => picture.tasks.get(id) ?? []),
  );
}

/** The item that keys are for. */
export function currentItem(state: Dashboard): Item | null {
  const items = listItems(state.snapshot);
  return items.find(({ key }) => key === state.cursor) ?? items[0] ?? null;
}

/** What keys answer: the question under the cursor, or that of the session whose output is open. */
export function currentWaiting(state: Dashboard): Waiting | null {
  const { page, snapshot } = state;
  if (page.kind === 'output') return snapshot.waiting.find(({ session }) => session === page.session) ?? null;
  const item = currentItem(state);
  return item?.kind === 'waiting' ? item.waiting : null;
}

/** The session under the cursor, or the one whose output is open. */
export function currentSession(state: Dashboard): SessionId | null {
  if (state.page.kind === 'output') return state.page.session;
  const item = currentItem(state);
  return item === null ? null : sessionOf(item);
}

export function sessionOf(item: Item): SessionId | null {
  switch (item.kind) {
    case 'waiting':
      return item.waiting.session;
    case 'task':
      return item.task.session;
    case 'run':
      return null;
  }
}

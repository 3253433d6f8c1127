import type { TaskId } from './ids.ts';
import type { RunPicture } from './picture.ts';

/**
 * The tasks the run's length came from, first to last: from the one that ended last, back each time to the dependency that
 * ended last. Shortening any other task would not have ended the run sooner.
 */
export function criticalPath(picture: RunPicture): TaskId[] {
  const path: TaskId[] = [];
  let last = latest(picture, picture.tasks.keys());
  while (last !== null) {
    path.unshift(last);
    last = latest(picture, picture.tasks.get(last)?.deps ?? []);
  }
  return path;
}

function latest(picture: RunPicture, ids: Iterable<TaskId>): TaskId | null {
  let found: TaskId | null = null;
  let at = -Infinity;
  for (const id of ids) {
    const task = picture.tasks.get(id);
    const end = task === undefined || task.startedAt === null ? -Infinity : (task.endedAt ?? Infinity);
    if (end > at) [found, at] = [id, end];
  }
  return found;
}

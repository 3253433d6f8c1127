import { heldUpBy, type Detail, type RunPicture, type TaskPicture } from '../domain/picture.ts';
import { settled } from '../domain/task.ts';

/** A run as `--json` shows it. */
export function pictureToJson(picture: RunPicture): object {
  const { run, dag, mode, room, state, reason, startedAt, endedAt } = picture;
  const tasks = [...picture.tasks.values()].map((task) => ({
    ...taskToJson(task),
    ...(task.kind === 'blocked' ? { heldUp: heldUpBy(picture, task.task) } : {}),
  }));
  const open = [...picture.tasks.values()].filter((task) => !settled[task.kind]).length;
  return { run, dag, mode, room, state, reason, startedAt, endedAt, open, tasks };
}

function taskToJson({
  task,
  kind,
  agent,
  deps,
  attempt,
  session,
  node,
  startedAt,
  endedAt,
  detail,
}: TaskPicture): object {
  return {
    task,
    state: kind,
    agent,
    deps,
    attempt,
    session,
    ...(node === null ? {} : { node }),
    startedAt,
    endedAt,
    ...detailOf(detail),
  };
}

function detailOf(detail: Detail): object {
  const { kind: _, ...rest } = detail;
  return rest;
}

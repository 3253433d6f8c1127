import * as v from 'valibot';
import { attemptBase, count, coordinator, exitCode, id, mediaRef, runBase, text } from './schema.ts';
import { taskTransitions, type TaskStateKind } from '../../domain/task.ts';

const status = v.picklist(Object.keys(taskTransitions) as TaskStateKind[]);

const errorClass = v.picklist(['infra', 'auth', 'task', 'policy', 'blocked']);

const progress = v.object({
  total: count,
  completed: count,
  failed: count,
  running: count,
  blocked: count,
  skipped: count,
});

export const taskSchemas = {
  /** Many at once: an event of 200 transitions costs what one of one costs. */
  'cis.dag.task.status': v.object({
    ...runBase,
    tasks: v.array(
      v.object({
        task_id: id,
        attempt: count,
        status,
        node: v.optional(text),
        agent: v.optional(text),
        session_id: v.optional(id),
        exit_code: v.optional(exitCode),
        reason: v.optional(text),
        at: v.optional(count),
      }),
    ),
    progress,
  }),
  /** `task` is the task's definition as canonical JSON text. */
  'cis.dag.task.assigned': v.object({
    ...attemptBase,
    to: id,
    epoch: count,
    coordinator,
    task: v.optional(text),
    task_media: v.optional(mediaRef),
  }),
  'cis.dag.task.claimed': v.object({ ...attemptBase, node: id, epoch: count, load: count, slots_free: count }),
  'cis.dag.task.granted': v.object({ ...attemptBase, node: id, epoch: count, lease_ms: count }),
  'cis.dag.task.released': v.object({ ...attemptBase, node: id, epoch: count, reason: text }),
  'cis.dag.task.result': v.object({
    ...attemptBase,
    node: id,
    epoch: count,
    exit_code: v.nullable(exitCode),
    error_class: v.optional(errorClass),
    reason: v.optional(text),
    output: v.optional(text),
    output_media: v.optional(mediaRef),
  }),
} as const;

import * as v from 'valibot';
import { base, count, coordinator, exitCode, id, instant, mediaRef, positive, runBase, text } from './schema.ts';
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

/** Names one grant: a higher epoch for the same attempt makes it void. */
const grant = { task_id: id, attempt: positive, epoch: count };

/** The node that speaks. */
const sender = { node: id, did: text };

export const taskSchemas = {
  /** Many at once: an event of 200 transitions costs what one of one costs. */
  'cis.dag.task.status': v.object({
    ...runBase,
    /** Who says so, and under which grant, where it is a node. */
    did: v.optional(text),
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
        epoch: v.optional(count),
      }),
    ),
    progress: v.optional(progress),
  }),
  /**
   * Work that is given to a node (`to`: its did) or offered to all (`*`), as many at once as fit. `order` is a `TaskOrder`
   * (domain/fleet) as canonical JSON text: events carry no floats.
   */
  'cis.dag.task.assigned': v.object({
    ...runBase,
    epoch_base: count,
    coordinator,
    assignments: v.array(
      v.pipe(
        v.object({ ...grant, to: id, order: v.optional(text), order_media: v.optional(mediaRef) }),
        v.check((one) => (one.order === undefined) !== (one.order_media === undefined), 'one of order and order_media'),
      ),
    ),
  }),
  /** A node would take what was offered to all. */
  'cis.dag.task.claimed': v.object({
    ...base,
    ...sender,
    claims: v.array(v.object({ run_id: id, ...grant, slots_free: count, load_centi: count })),
  }),
  /** The coordinator's word on who of the claimants runs it, under a new epoch. */
  'cis.dag.task.granted': v.object({
    ...runBase,
    epoch_base: count,
    grants: v.array(v.object({ ...grant, of: count, to: id, lease_ms: count })),
  }),
  /** A node gives back what it was given, or the coordinator takes it back: then the session ends, by `cause`. */
  'cis.dag.task.released': v.object({
    ...base,
    by: v.picklist(['node', 'coordinator']),
    node: v.optional(id),
    did: v.optional(text),
    releases: v.array(
      v.object({
        run_id: id,
        ...grant,
        reason: text,
        error_class: v.optional(errorClass),
        cause: v.optional(v.picklist(['user', 'timeout', 'abort', 'done', 'no-wait', 'skip', 'superseded'])),
      }),
    ),
  }),
  /** How attempts ended. `end` is a `SessionEnd` as JSON text; an output that is too large lies in the media store. */
  'cis.dag.task.result': v.object({
    ...base,
    ...sender,
    results: v.array(
      v.object({
        run_id: id,
        ...grant,
        end: text,
        exit_code: v.nullable(exitCode),
        error_class: v.optional(errorClass),
        reason: v.optional(text),
        started_at: v.optional(instant),
        ended_at: v.optional(instant),
        output: v.optional(text),
        output_media: v.optional(mediaRef),
        output_summary: v.object({
          bytes: count,
          cut_from: v.nullable(count),
          source: v.picklist(['file', 'message', 'screen', 'none']),
        }),
        files: v.array(
          v.object({
            path: text,
            bytes: count,
            sha256: text,
            media: v.optional(mediaRef),
            stayed: v.optional(text),
          }),
        ),
        /** What it committed in its worktree; without a bundle it changed nothing. */
        commit: v.optional(text),
        bundle_media: v.optional(mediaRef),
      }),
    ),
  }),
} as const;

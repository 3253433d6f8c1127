import * as v from 'valibot';
import type { RunId, TaskId } from '../domain/ids.ts';
import { base, coordinator, count, id, positive, text } from '../matrix/events/schema.ts';

/** What a coordinator and its nodes tell each other from device to device: not limited, not kept, only the newest counts. */
export const deviceSchemas = {
  /** What a node has of one run. What is not in it, it does not have. */
  'cis.node.work': v.object({
    ...base,
    node: id,
    did: text,
    run_id: id,
    /** The newest epoch the node has read of this run: what is above it may be on its way. */
    seen: count,
    work: v.array(
      v.object({
        task_id: id,
        attempt: positive,
        epoch: count,
        state: v.picklist(['held', 'running', 'ended']),
        pid: v.optional(count),
        started_at: v.optional(count),
      }),
    ),
  }),
  /** The coordinator of a run lives. */
  'cis.dag.run.alive': v.object({ ...base, run_id: id, did: text, epoch: count, coordinator }),
} as const;

export type DeviceType = keyof typeof deviceSchemas;

export type DeviceContent<Type extends DeviceType> = v.InferOutput<(typeof deviceSchemas)[Type]>;

/** Reads a message of this type; null when it does not fit. */
export function readDeviceContent<Type extends DeviceType>(type: Type, content: object): DeviceContent<Type> | null {
  const read = v.safeParse(deviceSchemas[type], content);
  return read.success ? read.output : null;
}

/** The ids of a grant as events write them. */
export interface GrantWords {
  readonly run_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly epoch: number;
}

export function grantWords(grant: { run: RunId; task: TaskId; attempt: number; epoch: number }): GrantWords {
  return { run_id: grant.run, task_id: grant.task, attempt: grant.attempt, epoch: grant.epoch };
}

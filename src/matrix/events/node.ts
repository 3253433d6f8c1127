import * as v from 'valibot';
import { base, count, id, text } from './schema.ts';

export const nodeSchemas = {
  'cis.node.heartbeat': v.object({
    ...base,
    node: id,
    did: v.optional(text),
    agents: v.array(v.object({ name: text, version: v.optional(text) })),
    labels: v.record(v.string(), v.string()),
    tier: v.picklist([0, 1, 2]),
    slots: count,
    slots_free: count,
    /** Hundredths of the one-minute load average: events carry no fractions. */
    load_centi: count,
    draining: v.optional(v.boolean()),
    leases: v.array(v.object({ run_id: id, task_id: id, attempt: count, epoch: count })),
  }),
  'cis.node.dag.active': v.object({
    ...base,
    node: id,
    runs: v.array(v.object({ run_id: id, dag_name: text, epoch: count })),
  }),
} as const;

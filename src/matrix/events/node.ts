import * as v from 'valibot';
import { base, count, id, text } from './schema.ts';

export const nodeSchemas = {
  /** What a node is, how it does and what it holds; see `domain/fleet/facts.ts` for the words. */
  'cis.node.heartbeat': v.object({
    ...base,
    node: id,
    did: id,
    user_id: id,
    device_id: id,
    /** X25519, base64url. */
    seal_key: text,
    version: text,
    machine: v.object({
      os: text,
      arch: text,
      cores: count,
      memory_mb: count,
      gpus: v.array(
        v.object({ vendor: v.picklist(['nvidia', 'amd', 'apple']), name: text, memory_mb: v.nullable(count) }),
      ),
    }),
    agents: v.array(v.object({ name: text, version: v.optional(text), login: v.picklist(['yes', 'no', 'unknown']) })),
    models: v.array(
      v.object({
        kind: v.picklist(['ollama', 'lmstudio', 'openai-compatible']),
        url: text,
        models: v.array(text),
      }),
    ),
    labels: v.record(v.string(), v.string()),
    features: v.array(text),
    tier: v.picklist([0, 1, 2]),
    slots: count,
    slots_free: count,
    /** Hundredths of the one-minute load average: events carry no fractions. */
    load_centi: count,
    memory_free_mb: count,
    disk_free_mb: count,
    unable: v.array(text),
    draining: v.boolean(),
    leases: v.array(v.object({ run_id: id, task_id: id, attempt: count, epoch: count })),
  }),
  'cis.node.dag.active': v.object({
    ...base,
    node: id,
    runs: v.array(v.object({ run_id: id, dag_name: text, epoch: count })),
  }),
} as const;

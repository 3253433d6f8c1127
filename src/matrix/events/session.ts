import * as v from 'valibot';
import { attemptBase, base, count, id, instant, text } from './schema.ts';

const kind = v.picklist([
  'approval',
  'question',
  'trust',
  'login',
  'rate-limit',
  'menu',
  'password',
  'error',
  'merge-conflict',
  'gate',
]);

export const sessionSchemas = {
  /** What an answer means stands here, so that a restart of whoever asked loses nothing. */
  'cis.dag.session.blocked': v.object({
    ...attemptBase,
    block_id: id,
    session_id: v.optional(id),
    kind,
    question: text,
    choices: v.array(v.object({ label: text, key: v.optional(text) })),
    selected: v.nullable(count),
    fingerprint: v.optional(text),
    preview: v.optional(text),
    /** Of a node's session: who says so and under which grant, and the rest of what is known of the question. */
    node: v.optional(id),
    did: v.optional(text),
    epoch: v.optional(count),
    command: v.optional(text),
    until: v.optional(instant),
    since: v.optional(instant),
    rule: v.optional(text),
    input: v.optional(v.picklist(['menu', 'buttons', 'line', 'key'])),
  }),
  'cis.dag.session.recovered': v.object({
    ...base,
    run_id: v.optional(id),
    block_id: id,
    by: text,
    via: v.picklist(['terminal', 'dashboard', 'room', 'rule', 'screen', 'node']),
    answer: v.optional(text),
    did: v.optional(text),
    epoch: v.optional(count),
  }),
} as const;

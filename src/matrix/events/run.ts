import * as v from 'valibot';
import { coordinator, count, id, instant, mediaRef, runBase, text } from './schema.ts';

const mode = v.picklist(['hybrid', 'matrix', 'local']);

export const runSchemas = {
  /** The checked definition travels as canonical JSON text: events carry no floats. One of `dag_json` and `dag_media` is there. */
  'cis.dag.run.created': v.pipe(
    v.object({
      ...runBase,
      dag_name: text,
      dag_json: v.optional(text),
      dag_media: v.optional(mediaRef),
      dag_sha256: v.pipe(v.string(), v.hexadecimal(), v.length(64)),
      mode,
      /** What the run was started with beside its DAG (`RunSettings`), as canonical JSON text: matrix runs can be taken over. */
      settings_json: v.optional(text),
      tasks: count,
      coordinator,
      epoch: count,
    }),
    v.check(
      (content) => (content.dag_json === undefined) !== (content.dag_media === undefined),
      'one of dag_json and dag_media',
    ),
  ),
  'cis.dag.run.started': v.object({ ...runBase, epoch: count }),
  'cis.dag.run.paused': v.object({ ...runBase, by: text }),
  'cis.dag.run.resumed': v.object({ ...runBase, by: text }),
  'cis.dag.run.mode': v.object({ ...runBase, mode, room_id: v.nullable(id) }),
  'cis.dag.run.completed': v.object({ ...runBase, debts: count, started_at: v.optional(instant) }),
  'cis.dag.run.failed': v.object({ ...runBase, reason: text, started_at: v.optional(instant) }),
  'cis.dag.run.aborted': v.object({ ...runBase, reason: text, started_at: v.optional(instant) }),
} as const;

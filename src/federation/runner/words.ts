import type { GrantId, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import { parseRunId, parseTaskId } from '../../domain/ids.ts';
import type { SessionEnd } from '../../domain/session.ts';
import { isObject } from '../../matrix/http.ts';
import type { MachineContent } from '../../matrix/events/index.ts';
import { grantWords } from '../messages.ts';

export type ResultWords = MachineContent<'cis.dag.task.result'>['results'][number];

/** The order that a coordinator wrote; null when it is none. Whoever is trusted as a coordinator writes what it means. */
export function parseOrder(text: string, grant: GrantId): TaskOrder | null {
  try {
    const raw: unknown = JSON.parse(text);
    const isOrder =
      isObject(raw) &&
      typeof raw['run'] === 'string' &&
      typeof raw['attempt'] === 'number' &&
      isObject(raw['task']) &&
      isObject(raw['dag']) &&
      isObject(raw['upstream']) &&
      raw['run'] === grant.run &&
      raw['attempt'] === grant.attempt &&
      // They become names of files.
      parseRunId(grant.run).ok &&
      [raw['task']['id'], grant.task, ...Object.keys(raw['upstream'])].every((one) => parseTaskId(String(one)).ok);
    return isOrder ? (raw as unknown as TaskOrder) : null;
  } catch {
    return null;
  }
}

/** A report as it stands in an event. */
export function toResultWords(grant: GrantId, report: TaskReport): ResultWords {
  const { end, errorClass, reason, startedAt, endedAt, output, files, work } = report;
  return {
    ...grantWords(grant),
    end: JSON.stringify(end),
    exit_code: end.kind === 'exited' ? end.code : null,
    ...(errorClass === undefined ? {} : { error_class: errorClass }),
    ...(reason === undefined ? {} : { reason: reason.slice(0, 1000) }),
    ...(startedAt === undefined ? {} : { started_at: startedAt }),
    ended_at: endedAt,
    ...(output.text === undefined ? {} : { output: output.text }),
    ...(output.media === undefined ? {} : { output_media: { ...output.media } }),
    output_summary: { bytes: output.bytes, cut_from: output.cutFrom, source: output.source },
    files: files.map((file) => ({ ...file })),
    ...(work === undefined ? {} : { commit: work.commit }),
    ...(work?.bundle == null ? {} : { bundle_media: { ...work.bundle } }),
  };
}

/** The report of a result as it came; null when its end is none. */
export function readResultWords(words: ResultWords): TaskReport | null {
  const end = parseEnd(words.end);
  if (end === null) return null;
  const { error_class, reason, started_at, ended_at, output, output_media, output_summary, files, commit } = words;
  return {
    end,
    ...(error_class === undefined ? {} : { errorClass: error_class }),
    ...(reason === undefined ? {} : { reason }),
    ...(started_at === undefined ? {} : { startedAt: started_at }),
    endedAt: ended_at ?? 0,
    output: {
      bytes: output_summary.bytes,
      cutFrom: output_summary.cut_from,
      source: output_summary.source,
      ...(output === undefined ? {} : { text: output }),
      ...(output_media === undefined ? {} : { media: output_media }),
    },
    files,
    ...(commit === undefined ? {} : { work: { commit, bundle: words.bundle_media ?? null } }),
  };
}

const ends: ReadonlySet<string> = new Set(['exited', 'signalled', 'killed', 'lost', 'not-started']);

function parseEnd(text: string): SessionEnd | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (!isObject(raw) || !ends.has(String(raw['kind']))) return null;
    if (raw['kind'] === 'exited' && !Number.isSafeInteger(raw['code'])) return null;
    return raw as unknown as SessionEnd;
  } catch {
    return null;
  }
}

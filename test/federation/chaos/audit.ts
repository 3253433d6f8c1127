import { existsSync, readFileSync } from 'node:fs';
import type { CisEvent } from '../../../src/domain/event.ts';
import { parseSessionId } from '../../../src/domain/ids.ts';
import { taskCount } from './dag.ts';

export interface Verdict {
  /** Tasks without an accepted result. */
  readonly lost: readonly string[];
  /** Tasks with two accepted results, or that ran to their end twice although no node of theirs was lost. */
  readonly doubled: readonly string[];
  /** How often a task began, over all. */
  readonly begun: number;
}

/**
 * Holds what the sessions themselves wrote against the coordinator's log. A task may have ended twice only if an attempt of it was
 * lost in between: its node was cut off or died, and nobody could know how far it had come.
 */
export function judge(events: readonly CisEvent[], auditPath: string): Verdict {
  const completed = countBy(events.flatMap((event) => (event.kind === 'task-completed' ? [event.task] : [])));
  const lostAttempts = new Set(events.flatMap((event) => (event.kind === 'task-lost' ? [event.task] : [])));
  const lines = existsSync(auditPath) ? readFileSync(auditPath, 'utf8').trimEnd().split('\n') : [];
  const told = (word: string): string[] =>
    lines.flatMap((line) => {
      const [first, session = ''] = line.split(' ');
      const parsed = parseSessionId(session);
      return first === word && parsed.ok ? [parsed.value.task] : [];
    });
  const ends = countBy(told('end'));
  const all = Array.from({ length: taskCount }, (_, index) => `t${index}`);
  return {
    lost: all.filter((task) => (completed.get(task) ?? 0) === 0 || (ends.get(task) ?? 0) === 0),
    doubled: all.filter(
      (task) => (completed.get(task) ?? 0) > 1 || ((ends.get(task) ?? 0) > 1 && !lostAttempts.has(task as never)),
    ),
    begun: told('begin').length,
  };
}

function countBy(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

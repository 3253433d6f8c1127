import type { Retry, Task } from '../domain/dag.ts';
import type { TaskId } from '../domain/ids.ts';
import { resolveAction, type ActionContext } from './action.ts';
import { fillMatrix, type Expanded } from './expand.ts';
import type { TaskDraft } from './keys.ts';
import { readLevel } from './level.ts';
import type { Say } from './problem.ts';

export interface TaskContext extends ActionContext {
  readonly say: Say;
  readonly warn: Say;
  /** Makes a path of the file absolute. */
  readonly resolve: (path: string) => string;
  readonly priority: number;
  readonly maxRetries: number;
  readonly targetNode: string | undefined;
}

/** Tasks as `Task`, but what names other tasks still has to be looked up. */
export type LooseTask = Omit<Task, 'deps' | 'condition' | 'onFailure' | 'rescues' | 'reuseAgent'>;

/** Fills in every default of a task; names of other tasks are not looked at. */
export function readTask(expanded: Expanded, context: TaskContext): LooseTask {
  const { id, values } = expanded;
  const draft = { ...fillMatrix(expanded.draft, values), id };
  const { action, skill } = resolveAction(draft, context, context.say, context.warn);
  const { level, retry } = readLevel(draft, context.say);
  const name = draft.name ?? id;
  return {
    id: id as TaskId,
    name: values === null || draft.name === undefined ? name : `${name} (${Object.values(values).join(', ')})`,
    ...(draft.description === undefined ? {} : { description: draft.description }),
    action,
    ...(skill === undefined ? {} : { skill }),
    level,
    retry: readRetry(draft, retry ?? context.maxRetries),
    priority: draft.priority === undefined ? context.priority : priorityNumber(draft.priority),
    ...(draft.timeout_secs === undefined ? {} : { timeoutMs: Math.round(draft.timeout_secs * 1000) }),
    timeoutCountsBlocked: draft.timeout_counts_blocked ?? false,
    rollback: draft.rollback ?? [],
    idempotent: draft.idempotent ?? false,
    env: draft.env ?? {},
    ...(draft.work_dir === undefined ? {} : { workDir: context.resolve(draft.work_dir) }),
    outputs: draft.outputs ?? [],
    context: draft.context ?? 'deps',
    contextLimit: draft.context_limit ?? 10_000,
    workspace: draft.workspace ?? 'shared',
    keepAgent: draft.keep_agent ?? draft.agent_config?.keep_agent ?? false,
    ...readBlocked(draft),
    placement: readPlacement(draft, context.targetNode),
    ...(values === null ? {} : { matrix: { of: (expanded.draft.id ?? id) as TaskId, values } }),
  };
}

/** Attempts that were lost are tried again only when the author says so: what they did may have happened. */
function readRetry(draft: TaskDraft, fallback: number): Retry {
  const given = draft.retry ?? {};
  const backoffMs = Math.round((given.backoff_secs ?? 1) * 1000);
  const maxBackoffMs = Math.max(backoffMs, Math.round((given.max_backoff_secs ?? 60) * 1000));
  return { max: given.max ?? fallback, backoffMs, maxBackoffMs, on: given.on ?? ['failure', 'timeout'] };
}

const PRIORITIES: Readonly<Record<string, number>> = { low: -10, normal: 0, medium: 0, high: 10, critical: 20 };

/** Words of the older files in order, with room between them for numbers. */
export function priorityNumber(priority: string): number {
  return PRIORITIES[priority] ?? Number(priority);
}

function readBlocked(draft: TaskDraft): Pick<Task, 'onBlocked' | 'answers'> {
  const timeout = draft.unblock_timeout_secs;
  return {
    onBlocked: {
      ...(timeout === undefined ? {} : { timeoutMs: Math.round(timeout * 1000) }),
      then: draft.on_blocked ?? 'wait',
      releaseSlot: draft.release_slot_when_blocked ?? false,
      onRateLimit: draft.on_rate_limit ?? 'block',
    },
    answers: (draft.answers ?? []).map((rule, index) => ({
      name: rule.name ?? `answers[${index}]`,
      ...(rule.agent === undefined ? {} : { agent: rule.agent }),
      ...(rule.kind === undefined ? {} : { kind: rule.kind }),
      match: rule.match ?? '',
      choose: rule.choose ?? '',
      maxTimes: rule.max_times ?? 1,
    })),
  };
}

function readPlacement(draft: TaskDraft, target: string | undefined): Task['placement'] {
  const selector = draft.node_selector;
  const targetNode = draft.target_node ?? target;
  return {
    ...(targetNode === undefined ? {} : { targetNode }),
    ...(selector === undefined
      ? {}
      : {
          selector: {
            ...(selector.arch === undefined ? {} : { arch: selector.arch }),
            ...(selector.os === undefined ? {} : { os: selector.os }),
            features: selector.features ?? [],
            labels: selector.labels ?? {},
            minResources: selector.min_resources ?? {},
          },
        }),
    ...(draft.tier === undefined ? {} : { tier: draft.tier as 0 | 1 | 2 }),
    tierFallback: draft.tier_fallback ?? 'graceful',
    preferLocal: draft.prefer_local ?? false,
    needs: draft.needs ?? [],
  };
}

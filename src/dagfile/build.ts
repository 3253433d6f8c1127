import type { Condition } from '../domain/condition.ts';
import { parseCondition } from '../domain/condition-parser.ts';
import type { OnFailure, Task } from '../domain/dag.ts';
import { findCycles } from '../domain/graph.ts';
import { parseTaskId, type TaskId } from '../domain/ids.ts';
import { expandTask, fillMatrix, type Expanded } from './expand.ts';
import type { TaskDraft } from './keys.ts';
import { didYouMean } from './nearest.ts';
import { under, type At } from './problem.ts';
import { readTask, type TaskContext } from './task.ts';
import { placeOf } from './types.ts';

/** The ids of a file: each stands for itself or, for a task that a matrix expanded, for all that came of it. */
type Ids = ReadonlyMap<string, readonly TaskId[]>;

export interface Entry {
  readonly task: Task;
  readonly draft: TaskDraft;
}

const RESERVED = /\.rollback-\d+$/u;
/** The whole text of a command is one argument of its shell; Linux takes 128 KiB. */
const MAX_COMMAND = 120 * 1024;
const MAX_TASKS = 50_000;

/** Turns drafts into tasks and says all that is wrong between them: ids, dependencies, cycles, rescues, conditions. */
export function buildTasks(drafts: readonly TaskDraft[], context: TaskContext): Entry[] {
  const expanded = drafts.flatMap((draft) => expand(draft, context));
  if (expanded.length > MAX_TASKS) {
    context.say({ message: `${expanded.length} tasks are too many: at most ${MAX_TASKS}`, at: null, part: 'value' });
    return [];
  }
  const ids = indexIds(expanded, context);
  const rescuers = readRescues(expanded, ids, context);
  const entries = expanded.map((one) => buildTask(one, ids, rescuers, context));
  for (const cycle of findCycles(entries.map(({ task }) => task))) sayCycle(cycle, entries, context);
  return entries;
}

function expand(draft: TaskDraft, { say }: TaskContext): Expanded[] {
  const { id } = draft;
  if (id === undefined) return [];
  const at = placeOf(draft, 'id');
  const parsed = parseTaskId(id);
  if (!parsed.ok) {
    say({
      message: `\`id\` must be letters, digits, . _ and -, at most 100, and not begin with . or -`,
      at,
      part: 'value',
    });
    return [];
  }
  if (RESERVED.test(id)) say({ message: `\`${id}\`: the ending .rollback-N is kept for rollbacks`, at, part: 'value' });
  return expandTask({ ...draft, id }, say).filter((one) => {
    if (parseTaskId(one.id).ok) return true;
    say({ message: `\`matrix\` makes the id \`${one.id.slice(0, 120)}\`, which is too long`, at, part: 'value' });
    return false;
  });
}

function indexIds(expanded: readonly Expanded[], { say }: TaskContext): Ids {
  const ids = new Map<string, TaskId[]>();
  const bases = new Map<string, TaskDraft>();
  for (const { id, draft, values } of expanded) {
    const taken = ids.has(id);
    if (taken) {
      const message = `the id \`${id}\` is taken by another task`;
      say({ message, at: placeOf(draft, 'id'), part: 'value' });
      continue;
    }
    ids.set(id, [id as TaskId]);
    if (values !== null && draft.id !== undefined) bases.set(draft.id, draft);
  }
  for (const { id, draft, values } of expanded) {
    if (values === null || draft.id === undefined) continue;
    const own = ids.get(draft.id);
    // Another task may have the plain id of one that was expanded.
    if (own?.length === 1 && own[0] === draft.id) {
      say({ message: `the id \`${draft.id}\` is taken by another task`, at: placeOf(draft, 'id'), part: 'value' });
      continue;
    }
    ids.set(draft.id, [...(own ?? []), id as TaskId]);
  }
  return ids;
}

const POLICY_WORDS = ['fail', 'skip_dependents', 'ignore', 'ask'] as const;

/** By the id of a rescue task: the task whose failure it waits for. */
function readRescues(expanded: readonly Expanded[], ids: Ids, { say }: TaskContext): ReadonlyMap<string, TaskId> {
  const rescues = new Map<string, TaskId>();
  for (const { id, draft } of expanded) {
    const given = draft.on_failure;
    if (given === undefined || POLICY_WORDS.some((word) => word === given)) continue;
    const at = placeOf(draft, 'on_failure');
    const wrong = (message: string, hint?: string): void =>
      say({ message: `\`on_failure\`: ${message}`, ...(hint === undefined ? {} : { hint }), at, part: 'value' });
    const targets = ids.get(given);
    const other = rescues.get(given);
    if (targets === undefined) {
      const words = [...POLICY_WORDS, ...ids.keys()];
      wrong(
        `"${given.slice(0, 100)}" is neither a task nor one of ${POLICY_WORDS.join(', ')}`,
        didYouMean(given, words).hint,
      );
    } else if (targets.length > 1) wrong(`\`${given}\` is several tasks, by its \`matrix\``, 'name one of them');
    else if (given === id) wrong('a task cannot rescue itself');
    else if (other !== undefined) wrong(`\`${given}\` rescues \`${other}\` already`, 'a task can rescue one other');
    else rescues.set(given, id as TaskId);
  }
  return rescues;
}

function buildTask(one: Expanded, ids: Ids, rescues: ReadonlyMap<string, TaskId>, context: TaskContext): Entry {
  const { draft } = one;
  const loose = readTask(one, context);
  const rescued = rescues.get(loose.id);
  const deps = readDeps(one, ids, context);
  const condition = readCondition(one, ids, context);
  const onFailure = readOnFailure(draft.on_failure);
  const reuse = fillMatrix(draft.reuse_agent ?? draft.agent_config?.reuse_agent_id, one.values);
  const reuseAgent = reuse === undefined ? undefined : readReuse(reuse, draft, ids, context);
  checkTexts(loose, draft, context);
  const task: Task = {
    ...loose,
    deps: rescued === undefined || deps.includes(rescued) ? deps : [...deps, rescued],
    ...(condition === null ? {} : { condition }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(rescued === undefined ? {} : { rescues: rescued }),
    ...(reuseAgent === undefined ? {} : { reuseAgent }),
  };
  return { task, draft };
}

function readDeps({ id, draft, values }: Expanded, ids: Ids, { say }: TaskContext): TaskId[] {
  const at = placeOf(draft, 'deps');
  const deps = (draft.deps ?? []).flatMap((given, index): readonly TaskId[] => {
    const dep = fillMatrix(given, values);
    const wrong = (message: string, hint: { hint?: string } = {}): readonly TaskId[] => {
      say({ message, ...hint, at: under(at, index), part: 'value' });
      return [];
    };
    if (dep === id || dep === draft.id) return wrong(`task \`${id}\` waits for itself`);
    return (
      ids.get(dep) ??
      wrong(`task \`${id}\` waits for \`${dep.slice(0, 100)}\`, which is no task`, didYouMean(dep, ids.keys()))
    );
  });
  return [...new Set(deps)];
}

function readCondition({ draft, values }: Expanded, ids: Ids, { say }: TaskContext): Condition | null {
  const { condition } = draft;
  if (condition === undefined) return null;
  const parsed = parseCondition(fillMatrix(condition, values), (id) => ids.get(id)?.length === 1);
  if (parsed.ok) return parsed.value;
  const { message, hint, start, length } = parsed.error;
  const more = hint === undefined ? {} : { hint };
  say({ message, ...more, at: placeOf(draft, 'condition'), part: 'value', within: { start, length } });
  return null;
}

function readOnFailure(given: string | undefined): OnFailure | undefined {
  return given === undefined ? undefined : (POLICY_WORDS.find((word) => word === given) ?? { rescue: given as TaskId });
}

function readReuse(given: string, draft: TaskDraft, ids: Ids, { say }: TaskContext): TaskId | undefined {
  const at = draft.reuse_agent === undefined ? placeOf(draft, 'agent_config') : placeOf(draft, 'reuse_agent');
  const found = ids.get(given);
  if (found?.length === 1) return found[0];
  const message =
    found === undefined ? `\`${given.slice(0, 100)}\` is no task` : `\`${given}\` is several tasks, by its \`matrix\``;
  say({ message: `\`reuse_agent\`: ${message}`, ...didYouMean(given, ids.keys()), at, part: 'value' });
  return undefined;
}

function checkTexts(task: Pick<Task, 'action' | 'rollback'>, draft: TaskDraft, { say }: TaskContext): void {
  const long = (text: string, at: At): void => {
    if (text.length <= MAX_COMMAND) return;
    const hint = 'put the script into a file and run that';
    say({ message: `a command may have ${MAX_COMMAND / 1024} KiB at most`, hint, at, part: 'key' });
  };
  if (task.action.kind === 'command') long(task.action.command, placeOf(draft, 'command'));
  for (const command of task.rollback) long(command, placeOf(draft, 'rollback'));
}

const SHOWN = 20;

function sayCycle(cycle: readonly string[], entries: readonly Entry[], { say }: TaskContext): void {
  const on = entries.find(({ task }) => task.id === cycle[0]);
  const path = cycle.length > SHOWN ? [...cycle.slice(0, SHOWN), `… (${cycle.length - 1} tasks) …`, cycle[0]] : cycle;
  const at = on === undefined ? null : placeOf(on.draft, on.draft.deps === undefined ? 'id' : 'deps');
  const hint = 'each waits for the one before it: take one of these dependencies away';
  say({ message: `tasks wait for each other: ${path.join(' → ')}`, hint, at, part: 'value' });
}

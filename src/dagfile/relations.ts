import { checkCommand } from '../domain/command.ts';
import { tasksOfCondition } from '../domain/condition.ts';
import type { TextProblem } from '../domain/condition-parser.ts';
import type { Dag, Task } from '../domain/dag.ts';
import { depthsOf } from '../domain/graph.ts';
import type { TaskId } from '../domain/ids.ts';
import { namesOfDag } from '../domain/names.ts';
import { parseTemplate, type Names } from '../domain/template.ts';
import { upstreamDirVariable, upstreamVariable } from '../domain/upstream.ts';
import type { Entry } from './build.ts';
import type { TaskDraft } from './keys.ts';
import { under, type At, type Say } from './problem.ts';
import { placeOf } from './types.ts';

type IsBefore = (task: Task, other: TaskId) => boolean;

/** Checks what tasks say of each other once their order is known: templates, conditions, shared agents, variables of files. */
export function checkRelations(dag: Pick<Dag, 'tasks' | 'vars'>, entries: readonly Entry[], say: Say): void {
  const namesOf = namesOfDag(dag);
  const isBefore = orderOf(dag.tasks);
  const tasks = new Map(dag.tasks.map((task) => [task.id, task]));
  for (const { task, draft } of entries) {
    checkTemplates(task, draft, namesOf(task), isBefore, say);
    checkCondition(task, draft, isBefore, say);
    checkReuse(task, draft, tasks, isBefore, say);
  }
  checkVariables(entries, isBefore, say);
}

/** Tells whether a task stands before another on some way; looks no further back than where it can still be found. */
function orderOf(tasks: readonly Task[]): IsBefore {
  // Most files never ask for more than a direct dependency: the rest is computed when one does.
  let depths: Map<string, number> | null = null;
  let index: Map<TaskId, Task> | null = null;
  return (task, other) => {
    if (task.deps.includes(other)) return true;
    depths ??= depthsOf(tasks);
    index ??= new Map(tasks.map((one) => [one.id, one]));
    const depth = depths.get(other) ?? 0;
    const seen = new Set<TaskId>(task.deps);
    for (const id of seen) {
      if (id === other) return true;
      if ((depths.get(id) ?? 0) > depth) for (const dep of index.get(id)?.deps ?? []) seen.add(dep);
    }
    return false;
  };
}

function checkTemplates(task: Task, draft: TaskDraft, names: Names, isBefore: IsBefore, say: Say): void {
  const { action } = task;
  const text = action.kind === 'command' ? action.command : action.prompt;
  const at = textPlace(draft);
  if (text.includes('{{')) {
    const template = parseTemplate(text, names);
    const problems = action.kind === 'command' ? checkCommand(text, action.shell, names) : template.problems;
    for (const problem of problems) sayText(problem, at, say);
    for (const piece of template.pieces) {
      if (piece.kind !== 'placeholder' || piece.of.kind !== 'output') continue;
      const missing = piece.of.tasks.find((id) => !isBefore(task, id));
      if (missing !== undefined)
        sayText({ ...notBefore(task, missing), start: piece.start, length: piece.length }, at, say);
    }
  }
  for (const [index, command] of task.rollback.entries()) {
    const place = under(placeOf(draft, 'rollback'), index);
    for (const problem of checkCommand(command, '/bin/sh', names)) sayText(problem, place, say);
  }
}

function notBefore(task: Task, other: TaskId): { readonly message: string; readonly hint: string } {
  const itself = task.id === other;
  return {
    message: itself
      ? `task \`${task.id}\` asks for its own output`
      : `task \`${task.id}\` does not wait for \`${other}\``,
    hint: itself ? 'a task can use outputs of tasks before it' : `add "${other}" to its \`deps\``,
  };
}

function textPlace(draft: TaskDraft): At {
  if (draft.prompt !== undefined) return placeOf(draft, 'prompt');
  return placeOf(draft, draft.command === undefined ? 'skill' : 'command');
}

function sayText({ message, hint, start, length }: TextProblem, at: At, say: Say): void {
  say({ message, ...(hint === undefined ? {} : { hint }), at, part: 'value', within: { start, length } });
}

function checkCondition(task: Task, draft: TaskDraft, isBefore: IsBefore, say: Say): void {
  if (task.condition === undefined) return;
  for (const id of tasksOfCondition(task.condition)) {
    if (!isBefore(task, id)) say({ ...notBefore(task, id), at: placeOf(draft, 'condition'), part: 'value' });
  }
}

/** A conversation can go on when its task is an agent's, comes before, and keeps its agent. */
function checkReuse(
  task: Task,
  draft: TaskDraft,
  tasks: ReadonlyMap<TaskId, Task>,
  isBefore: IsBefore,
  say: Say,
): void {
  if (task.reuseAgent === undefined) return;
  const other = tasks.get(task.reuseAgent);
  if (other === undefined) return;
  const at = draft.reuse_agent === undefined ? placeOf(draft, 'agent_config') : placeOf(draft, 'reuse_agent');
  const wrong = (message: string, hint: string): void =>
    say({ message: `\`reuse_agent\`: ${message}`, hint, at, part: 'value' });
  if (!isBefore(task, other.id)) {
    wrong(`task \`${task.id}\` does not wait for \`${other.id}\``, `add "${other.id}" to its \`deps\``);
  }
  if (other.action.kind !== 'agent')
    wrong(`\`${other.id}\` has no agent`, 'name a task with an agent and `keep_agent = true`');
  else if (!other.keepAgent)
    wrong(`\`${other.id}\` does not keep its agent`, `give task \`${other.id}\` \`keep_agent = true\``);
  if (task.action.kind !== 'agent') {
    wrong(`task \`${task.id}\` is a command`, 'a conversation goes on with a `prompt`');
    return;
  }
  const mine = task.action.agent;
  const theirs = other.action.kind === 'agent' ? other.action.agent : undefined;
  if (mine !== undefined && theirs !== undefined && mine !== theirs) {
    wrong(`\`${other.id}\` is a conversation with ${theirs}, this task wants ${mine}`, 'leave `agent` away');
  }
}

/** Two ids may come to the same `$CIS_UPSTREAM_<ID>`; that matters where one task comes after both. */
function checkVariables(entries: readonly Entry[], isBefore: IsBefore, say: Say): void {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const variable = upstreamVariable(entry.task.id);
    const group = groups.get(variable);
    if (group === undefined) groups.set(variable, [entry]);
    else group.push(entry);
  }
  for (const [variable, group] of groups) {
    const [first, second] = group;
    if (first === undefined) continue;
    const at = placeOf((second ?? first).draft, 'id');
    if (variable === upstreamDirVariable) {
      const message = `the id \`${first.task.id}\` would give the variable $${variable}, which names the directory`;
      if (entries.some(({ task }) => isBefore(task, first.task.id)))
        say({ message, hint: 'choose another id', at, part: 'value' });
    }
    if (second === undefined || second.task.id === first.task.id) continue; // an id given twice is told elsewhere
    const both = entries.find(({ task }) => group.filter((one) => isBefore(task, one.task.id)).length > 1);
    if (both === undefined) continue;
    const ids = group.map(({ task }) => `\`${task.id}\``).join(' and ');
    const message = `${ids} both give the variable $${variable}, and task \`${both.task.id}\` comes after both`;
    say({ message, hint: 'choose ids that differ in letters or digits', at, part: 'value' });
  }
}

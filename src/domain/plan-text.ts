import { renderCondition } from './condition.ts';
import type { Action, Dag, Level, Task } from './dag.ts';
import { planWaves } from './graph.ts';
import { namesOfDag } from './names.ts';
import { templateValues } from './prompt.ts';
import { agentOf } from './run.ts';
import { fillPlaceholder, parseTemplate, type Placeholder } from './template.ts';

/** What is known before a run starts. */
export interface PlanFacts {
  readonly run: string | null;
  readonly mode: string;
  readonly maxWorkers: number;
  /** For tasks that name none; null when there is none. */
  readonly defaultAgent: string | null;
  readonly vars: Readonly<Record<string, string>>;
  readonly env: (name: string) => string | null;
  /** The flag with which a task's agent would skip all permissions, when the config asks for that. */
  readonly skipsPermissions: (task: Task, agent: string | null) => string | null;
}

export interface PlannedTask {
  readonly id: string;
  readonly name: string;
  readonly wave: number;
  readonly deps: readonly string[];
  readonly agent: string | null;
  /** The command or prompt with all that is known filled in; what is not stands there as `‹output of plan›`. */
  readonly text: string;
  readonly shell: string | null;
  readonly notes: readonly string[];
}

/** Plans a run for `--dry-run`: the tasks in waves, each with its command or prompt as far as it is known. */
export function planTasks(dag: Dag, facts: PlanFacts): PlannedTask[] {
  const namesOf = namesOfDag(dag);
  return planWaves(dag).flatMap((wave, index) =>
    wave.map((task) => {
      const agent = agentOf({ dag, defaultAgent: facts.defaultAgent }, task);
      return {
        id: task.id,
        name: task.name,
        wave: index + 1,
        deps: task.deps,
        agent,
        text: fillKnown(textOf(task.action), task, dag, facts, namesOf),
        shell: task.action.kind === 'command' ? task.action.shell : null,
        notes: notesOf(dag, task, agent, facts),
      };
    }),
  );
}

/** Renders the plan as text for people. */
export function renderPlan(dag: Dag, facts: PlanFacts): string {
  const tasks = planTasks(dag, facts);
  const waves = tasks.at(-1)?.wave ?? 0;
  const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
  const head = [`${dag.name}: ${count(tasks.length, 'task')} in ${count(waves, 'wave')}, ${facts.mode} mode`];
  head.push(`policy ${dag.policy} · at most ${count(facts.maxWorkers, 'session')} at once · in ${dag.workDir}`);
  const lines = tasks.flatMap((task, index) => {
    const first = index === 0 || tasks[index - 1]?.wave !== task.wave;
    return [...(first ? ['', `Wave ${task.wave}`] : []), ...renderTask(task)];
  });
  return [...head, ...lines, ''].join('\n');
}

function renderTask(task: PlannedTask): string[] {
  const title = task.name === task.id ? task.id : `${task.id} (${task.name})`;
  const after = task.deps.length === 0 ? '' : `  after ${task.deps.join(', ')}`;
  const who = task.shell === null ? '>' : '$';
  const lines = task.text.trimEnd().split('\n');
  return [
    `  ${title}${after}`,
    ...lines.map((line, index) => `    ${index === 0 ? who : ' '} ${line}`),
    ...task.notes.map((note) => `    · ${note}`),
  ];
}

function textOf(action: Action): string {
  return action.kind === 'command' ? action.command : action.prompt;
}

function fillKnown(
  text: string,
  task: Task,
  dag: Dag,
  facts: PlanFacts,
  namesOf: ReturnType<typeof namesOfDag>,
): string {
  const own = (values: Readonly<Record<string, string>> | undefined, name: string): string | null =>
    values !== undefined && Object.hasOwn(values, name) ? (values[name] ?? null) : null;
  const env = (name: string): string | null => own(task.env, name) ?? own(dag.env, name) ?? facts.env(name);
  const values = templateValues(
    task,
    { run: facts.run ?? '‹run id›', env, var: (name) => own(facts.vars, name) ?? own(dag.vars, name) },
    () => null,
  );
  const show = (of: Placeholder): string => {
    if (of.kind === 'output') return `‹output of ${of.tasks.join(', ')}›`;
    if (of.kind === 'var' && values.var(of.name) === null) return `‹var ${of.name}›`;
    return fillPlaceholder(of, values);
  };
  return parseTemplate(text, namesOf(task))
    .pieces.map((piece) => (piece.kind === 'text' ? piece.text : show(piece.of)))
    .join('');
}

function notesOf(dag: Dag, task: Task, agent: string | null, facts: PlanFacts): string[] {
  const { action, retry, placement } = task;
  const flag = facts.skipsPermissions(task, agent);
  const shown = action.kind === 'agent' && task.context !== 'none' && task.deps.length > 0;
  return [
    ...(action.kind === 'agent' ? [agentNote(action, agent)] : []),
    ...(flag === null ? [] : [`asks for no permission: ${flag}`]),
    ...(shown
      ? [`is shown the outputs of ${task.context === 'deps' ? task.deps.join(', ') : 'all tasks before it'}`]
      : []),
    ...(task.level.kind === 'mechanical' ? [] : [gateNote(task.level)]),
    ...(task.rescues === undefined ? [] : [`runs only if ${task.rescues} fails, which is then retried once`]),
    ...(task.condition === undefined ? [] : [`only if ${renderCondition(task.condition)}`]),
    ...(retry.max === 0
      ? []
      : [`${retry.max} more attempts after ${retry.on.join(', ')}, first after ${retry.backoffMs / 1000} s`]),
    ...(task.timeoutMs === undefined ? [] : [`at most ${task.timeoutMs / 1000} s`]),
    ...(task.onFailure === undefined ? [] : [failureNote(task.onFailure)]),
    ...task.rollback.map((command) => `on rollback: ${command}`),
    ...(task.workspace === 'worktree' ? ['in a git worktree of its own'] : []),
    ...(task.reuseAgent === undefined ? [] : [`carries on the conversation of ${task.reuseAgent}`]),
    ...(placement.targetNode === undefined ? [] : [`on node ${placement.targetNode}`]),
    ...(task.workDir === undefined || task.workDir === dag.workDir ? [] : [`in ${task.workDir}`]),
    ...(task.skill?.known === false ? [`needs the skill ${task.skill.name}, which is not defined`] : []),
  ];
}

function agentNote(action: Action & { kind: 'agent' }, agent: string | null): string {
  const model = action.config.model === undefined ? '' : `, model ${action.config.model}`;
  const permission =
    action.config.permissionMode === undefined ? '' : `, permission mode ${action.config.permissionMode}`;
  return `agent ${agent ?? 'not chosen yet'}${model}${permission}`;
}

/** What must happen before a task with this level starts, in words. */
function gateNote(level: Exclude<Level, { kind: 'mechanical' }>): string {
  switch (level.kind) {
    case 'recommended':
      return `gate: waits ${level.timeoutMs / 1000} s for a word, then: ${level.defaultAction}`;
    case 'confirmed':
      return 'gate: a person must confirm';
    case 'arbitrated':
      return `gate: more than half of ${level.stakeholders.join(', ')} must agree`;
  }
}

function failureNote(onFailure: NonNullable<Task['onFailure']>): string {
  return typeof onFailure === 'string'
    ? `on failure: ${onFailure}`
    : `on failure: ${onFailure.rescue} runs, then one more attempt`;
}

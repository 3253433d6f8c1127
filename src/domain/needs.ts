import type { Dag, Task } from './dag.ts';
import type { TaskId } from './ids.ts';
import { namesOfDag } from './names.ts';
import { nearest } from './nearest.ts';
import type { RunMode } from './run.ts';
import { parseTemplate } from './template.ts';

/** Something without which a run of the DAG could not do what the file says. */
export interface Need {
  /** Null: the DAG as a whole. */
  readonly task: TaskId | null;
  /** One line: "task `x` needs matrix mode: it names `target_node`". */
  readonly message: string;
  readonly hint: string;
}

export interface NeedFacts {
  readonly mode: RunMode;
  /** For tasks that name none, after flags, file and config were laid over each other. */
  readonly defaultAgent: string | null;
  /** Given with `--var`. */
  readonly vars: Readonly<Record<string, string>>;
  /** Names of skills that are defined. */
  readonly skills: readonly string[];
}

/** Says what a run in this mode would still need, beside a file that is right; with any of these it must not start. */
export function planNeeds(dag: Dag, facts: NeedFacts): Need[] {
  const namesOf = namesOfDag(dag);
  const missing = new Set<string>();
  const needs = dag.tasks.flatMap((task) => {
    for (const name of varsOf(task, namesOf)) {
      if (!Object.hasOwn(facts.vars, name) && !Object.hasOwn(dag.vars ?? {}, name)) missing.add(name);
    }
    return [...skillNeeds(task, facts), ...agentNeeds(task, facts), ...modeNeeds(task, facts)];
  });
  const vars = [...missing].map((name) => ({
    task: null,
    message: `{{ var.${name} }} needs a value`,
    hint: `give it with --var ${name}=VALUE, or in \`[dag.vars]\``,
  }));
  return [...needs, ...vars];
}

function skillNeeds({ id, skill }: Task, { skills }: NeedFacts): Need[] {
  if (skill === undefined || skill.known) return [];
  const message = `task \`${id}\` needs the skill \`${skill.name}\`, which is not defined`;
  const near = nearest(skill.name, skills);
  const meant = near === null ? '' : `did you mean ${near}? `;
  const hint = `${meant}there are ${skills.join(', ')}; define it in \`[skills.${skill.name}]\` of the config with a \`command\``;
  return [{ task: id, message, hint }];
}

function agentNeeds({ id, action, reuseAgent }: Task, { defaultAgent }: NeedFacts): Need[] {
  if (action.kind === 'command' || action.agent !== undefined || reuseAgent !== undefined) return [];
  if (defaultAgent !== null) return [];
  const hint = 'name one with `agent`, `default_agent` of `[dag]`, --agent, or `default_agent` of the config';
  return [{ task: id, message: `task \`${id}\` has a prompt and needs an agent`, hint }];
}

/** Placement is the work of matrix mode; elsewhere such a task would silently run on the wrong machine. */
function modeNeeds({ id, placement }: Task, { mode }: NeedFacts): Need[] {
  if (mode === 'matrix') return [];
  const keys = [
    ...(placement.targetNode === undefined ? [] : ['target_node']),
    ...(placement.selector === undefined ? [] : ['node_selector']),
    ...(placement.tier !== undefined && placement.tierFallback === 'strict' ? ['tier'] : []),
    ...(placement.needs.length === 0 ? [] : ['needs']),
  ];
  if (keys.length === 0) return [];
  const names = keys.map((key) => `\`${key}\``).join(', ');
  return [
    {
      task: id,
      message: `task \`${id}\` needs matrix mode: it has ${names}`,
      hint: 'run it with --matrix --room ROOM',
    },
  ];
}

function varsOf(task: Task, namesOf: ReturnType<typeof namesOfDag>): string[] {
  const { action } = task;
  const texts = [action.kind === 'command' ? action.command : action.prompt, ...task.rollback];
  const used = texts.flatMap((text) => (text.includes('{{') ? parseTemplate(text, namesOf(task)).pieces : []));
  return used.flatMap((piece) => (piece.kind === 'placeholder' && piece.of.kind === 'var' ? [piece.of.name] : []));
}

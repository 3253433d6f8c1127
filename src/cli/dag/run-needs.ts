import type { Config } from '../../config/config.ts';
import { builtInSkills } from '../../dagfile/action.ts';
import type { Task } from '../../domain/dag.ts';
import { planNeeds, type Need } from '../../domain/needs.ts';
import { agentOf, type RunSettings } from '../../domain/run.ts';
import { home } from '../context.ts';
import { CommandError } from '../exit.ts';

export type NeedySettings = Pick<RunSettings, 'dag' | 'mode' | 'vars' | 'defaultAgent' | 'agentMode'>;

/** How the agents of tasks would start: by task, an error or what the agent may do without asking. */
export type AgentPreview = (task: Task) => {
  readonly problem: string | null;
  readonly asksNobody: string | null;
  /** The program of its agent, when it is not installed. */
  readonly missing: string | null;
};

/** Everything without which a run would not do what its file says. */
export async function listNeeds(settings: NeedySettings, config: Config, isNew = true): Promise<Need[]> {
  const skills = [...builtInSkills, ...Object.keys(config.skills)];
  const needs = planNeeds(settings.dag, { ...settings, skills });
  const preview = await openPreview(settings, config, isNew);
  const seen = new Set<string>();
  for (const task of settings.dag.tasks) {
    if (task.action.kind === 'command' || agentOf(settings, task) === null) continue;
    const { problem, missing } = preview(task);
    const found =
      problem ?? (missing === null ? null : `its agent is not installed, there is no \`${missing}\` in PATH`);
    if (found === null || seen.has(found)) continue;
    seen.add(found);
    const name = agentOf(settings, task);
    const hint =
      problem !== null ? 'see: cis agents list' : `install it, or say in \`[agents.${name}]\` how it is started`;
    needs.push({ task: task.id, message: `task \`${task.id}\`: ${found}`, hint });
  }
  return needs;
}

/**
 * Ends the command when something is missing, with a line for each. `isNew` is false for a run that is carried on: its living
 * sessions need no program any more, and what a later task misses is its own failure.
 */
export async function refuseNeeds(
  what: string,
  settings: NeedySettings,
  config: Config,
  isNew: boolean,
): Promise<void> {
  const needs = await listNeeds(settings, config, isNew);
  if (needs.length === 0) return;
  const lines = needs.slice(0, 50).map(({ message, hint }) => `${message}: ${hint}`);
  const more = needs.length > lines.length ? [`… and ${needs.length - lines.length} more`] : [];
  throw new CommandError('usage', `${what} cannot run like this`, [...lines, ...more]);
}

/** Previews each agent once per way in which it is started; a run without agents loads none of them. */
export async function openPreview(settings: NeedySettings, config: Config, isNew = true): Promise<AgentPreview> {
  const nothing = { problem: null, asksNobody: null, missing: null };
  if (!settings.dag.tasks.some(({ action }) => action.kind === 'agent')) return () => nothing;
  const { isInstalled, previewAgent } = await import('../../executor/agents.ts');
  const facts = { home: home(), settings, tables: config.agents, env: process.env };
  const missingOf = (task: Task, program: string): string | null =>
    !isNew || isInstalled(facts, task, program) ? null : program;
  const known = new Map<string, ReturnType<AgentPreview>>();
  return (task) => {
    const { action } = task;
    if (action.kind === 'command') return nothing;
    const key = JSON.stringify([
      agentOf(settings, task),
      action.mode,
      action.config,
      task.reuseAgent !== undefined,
      task.env['PATH'],
    ]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const previewed = previewAgent(facts, task);
    const made = previewed.ok
      ? { ...nothing, asksNobody: previewed.value.asksNobody, missing: missingOf(task, previewed.value.program) }
      : { ...nothing, problem: previewed.error };
    known.set(key, made);
    return made;
  };
}

import type { Action, AgentConfig } from '../domain/dag.ts';
import type { TaskDraft } from './keys.ts';
import { didYouMean } from './nearest.ts';
import type { Say } from './problem.ts';
import { placeOf } from './types.ts';

/** The agents that cis knows without being told. */
const builtInAgents = ['claude', 'codex', 'opencode', 'gemini', 'qwen', 'kimi', 'aider', 'shell'] as const;
const SPELLINGS: Readonly<Record<string, string>> = {
  open_code: 'opencode',
  'open-code': 'opencode',
  'claude-code': 'claude',
};

/** Skills that need no definition. */
export const builtInSkills = ['shell', 'shell-exec', 'echo'] as const;

export interface ActionContext {
  readonly agents: readonly string[];
  readonly skills: Readonly<Record<string, { readonly command: string }>>;
  readonly defaultAgent: string | undefined;
  /** `--use-agent`: a `command` without an agent is the prompt of the default one. */
  readonly useAgent: boolean;
}

export interface ResolvedAction {
  readonly action: Action;
  readonly skill?: { readonly name: string; readonly known: boolean };
}

/** The name by which an agent is known, or null with the mistake said. */
export function resolveAgent(
  name: string,
  context: Pick<ActionContext, 'agents'>,
): { name: string } | { message: string; hint: string } {
  const known = [...builtInAgents, ...context.agents];
  const spelled = SPELLINGS[name] ?? name;
  if (known.includes(spelled)) return { name: spelled };
  const hint =
    didYouMean(name, known).hint ?? `known: ${known.join(', ')}; others are defined in \`[agents.NAME]\` of the config`;
  return { message: `there is no agent \`${name.slice(0, 100)}\``, hint };
}

/** What a task does: its command, its agent's prompt, or what its skill says. */
export function resolveAction(
  draft: TaskDraft & { readonly id: string },
  context: ActionContext,
  say: Say,
  warn: Say,
): ResolvedAction {
  const agent = agentOf(draft, context, say);
  const skill = skillOf(draft, context, warn);
  const given = draft.prompt ?? draft.command;
  if (draft.prompt !== undefined && draft.command !== undefined) {
    const hint = 'the command of a task with an agent is its prompt';
    say({
      message: `task \`${draft.id}\` has a \`prompt\` and a \`command\``,
      hint,
      at: placeOf(draft, 'prompt'),
      part: 'key',
    });
  }
  if (given === undefined && draft.skill === undefined) {
    const hint = 'give it a `command`, a `prompt` for an agent, or a `skill`';
    say({ message: `task \`${draft.id}\` has nothing to do`, hint, at: placeOf(draft, 'id'), part: 'key' });
  }
  const named = draft.skill === undefined ? {} : { skill: { name: draft.skill, known: skill.known } };
  const text = skillText(given, skill.command, draft, warn);
  if (agent === null) return { action: { kind: 'command', command: text, shell: draft.shell ?? '/bin/sh' }, ...named };
  const mode = draft.mode === undefined ? {} : { mode: draft.mode };
  const name = agent.name === null ? {} : { agent: agent.name };
  return { action: { kind: 'agent', ...name, prompt: text, ...mode, config: readAgentConfig(draft) }, ...named };
}

/** Null: a command. `name` null: the default agent. */
function agentOf(draft: TaskDraft, context: ActionContext, say: Say): { readonly name: string | null } | null {
  const given = draft.agent ?? draft.agent_config?.runtime;
  if (given === undefined) {
    const asks = draft.prompt !== undefined || draft.reuse_agent !== undefined || draft.type === 'agent';
    const asked = asks || (context.useAgent && draft.command !== undefined);
    return asked && context.defaultAgent !== 'shell' ? { name: null } : null;
  }
  if (given === 'default') return { name: null };
  const found = resolveAgent(given, context);
  if ('message' in found) {
    const at = draft.agent === undefined ? placeOf(draft, 'agent_config') : placeOf(draft, 'agent');
    say({ ...found, at, part: 'value' });
    return { name: null };
  }
  return found.name === 'shell' ? null : found;
}

interface Skill {
  readonly command: string | null;
  readonly known: boolean;
}

function skillOf(draft: TaskDraft & { readonly id: string }, context: ActionContext, warn: Say): Skill {
  const name = draft.skill;
  if (name === undefined) return { command: null, known: true };
  const at = placeOf(draft, 'skill');
  const defined = Object.hasOwn(context.skills, name) ? context.skills[name] : undefined;
  if (defined !== undefined) return { command: defined.command, known: true };
  const hasText = draft.command !== undefined || draft.prompt !== undefined;
  if (name === 'echo') return { command: `printf '%s\\n' {{ task.name }}`, known: true };
  if (name === 'shell' || name === 'shell-exec') {
    if (!hasText)
      warn({
        message: `task \`${draft.id}\` has the skill \`${name}\` without a command: it does nothing`,
        at,
        part: 'value',
      });
    return { command: ':', known: true };
  }
  const known = [...builtInSkills, ...Object.keys(context.skills)];
  const hint = `known: ${known.join(', ')}; define it in \`[skills.${name.slice(0, 100)}]\` of the config; a run needs it`;
  warn({ message: `there is no skill \`${name.slice(0, 100)}\``, hint, at, part: 'value' });
  return { command: null, known: false };
}

const ARGS = /\{\{\s*args\s*\}\}/gu;

/** A skill's template takes the task's own text where it says `{{ args }}`; without that, the task's text stands in its place. */
function skillText(given: string | undefined, template: string | null, draft: TaskDraft, warn: Say): string {
  if (template === null) return given ?? '';
  // A function, so that a `$&` of the author's is not read as a pattern of replace.
  if (template.search(ARGS) !== -1) return template.replaceAll(ARGS, () => given ?? '');
  if (given === undefined) return template;
  const builtIn = builtInSkills.some((name) => name === draft.skill);
  const message = `the skill \`${draft.skill ?? ''}\` takes no {{ args }}: the task's own command is used in its place`;
  if (!builtIn) warn({ message, at: placeOf(draft, 'skill'), part: 'value' });
  return given;
}

function readAgentConfig(draft: TaskDraft): AgentConfig {
  const config = draft.agent_config;
  const model = config?.model ?? draft.model;
  const permissionMode = config?.permission_mode ?? draft.permission_mode;
  return {
    ...(model === undefined ? {} : { model }),
    ...(permissionMode === undefined ? {} : { permissionMode }),
    ...(config?.provider_type === undefined ? {} : { providerType: config.provider_type }),
    ...(config?.base_url === undefined ? {} : { baseUrl: config.base_url }),
    ...(config?.temperature === undefined ? {} : { temperature: String(config.temperature) }),
    ...(config?.max_tokens === undefined ? {} : { maxTokens: config.max_tokens }),
    ...(config?.timeout_secs === undefined ? {} : { timeoutMs: Math.round(config.timeout_secs * 1000) }),
    ...(config?.system_prompt === undefined ? {} : { systemPrompt: config.system_prompt }),
    ...(config?.api_key === undefined ? {} : { apiKeyEnv: config.api_key }),
  };
}

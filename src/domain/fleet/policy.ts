import type { Action } from '../dag.ts';
import { err, ok, type Result } from '../result.ts';
import { matchesPattern, splitCommands } from './command-words.ts';
import type { Did } from './did.ts';

/** What the owner of a machine lets others do on it: `[node]` and `[node.policy]` of its config. */
export interface NodePolicy {
  /** Agents it runs. Null: every one that is installed. */
  readonly agents: readonly string[] | null;
  /** Patterns; a command must match one of them, in each of its parts. Null: any command. */
  readonly allowCommands: readonly string[] | null;
  /** Patterns; what matches one is refused, whatever else allows it. */
  readonly denyCommands: readonly string[];
  /** Absolute, links resolved: tasks that name a directory must be in one of them. Others get one of the node's own. */
  readonly dirs: readonly string[];
  readonly env: EnvPolicy;
  /** Where agents may be sent besides this machine: their keys go along. */
  readonly baseUrls: readonly string[];
  /** Modes that a task may start an agent in. Null: any. */
  readonly permissionModes: readonly string[] | null;
  readonly maxSessions: number;
  /** `coordinators`, dids, user ids: who may answer, see and end sessions here. */
  readonly answersFrom: readonly string[];
}

/** `safe`: all but such as change which program a name means, or what an innocent program runs. */
export type EnvPolicy = 'all' | 'safe' | 'none';

/** The part of an order that the policy is asked about. */
export interface PolicyQuestion {
  readonly action: Action;
  /** As resolved: of a task that names none, the default agent of the run. Null for commands. */
  readonly agent: string | null;
  /** Rollback commands go the same way as the task's own. */
  readonly rollback: readonly string[];
  /** As the DAG and the task set it. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, links resolved where it exists; null: the node chooses. */
  readonly dir: string | null;
  /** Who orders it, when it brings answers for questions that may come; null: it brings none. */
  readonly answersOf: Did | null;
}

/** A `policy` error: it is shown to whoever ordered the work, and says what, where and what to do. */
export interface Refusal {
  readonly class: 'policy';
  readonly code:
    | 'untrusted'
    | 'agent'
    | 'command'
    | 'directory'
    | 'env'
    | 'base-url'
    | 'permission'
    | 'answer'
    | 'full'
    | 'draining';
  readonly what: string;
  /** What in the order, or which key of the config, stands against it. */
  readonly where: string;
  readonly todo: string;
}

export function describeRefusal({ what, where, todo }: Refusal): string {
  return `${what} (${where}); ${todo}`;
}

/** The first thing that stands against running this here, if there is one. */
export function checkPolicy(policy: NodePolicy, question: PolicyQuestion): Result<null, Refusal> {
  const refusal =
    agentRefusal(policy, question) ??
    scripts(question).reduce<Refusal | null>((found, each) => found ?? commandRefusal(policy, each), null) ??
    dirRefusal(policy, question) ??
    envRefusal(policy, question) ??
    urlRefusal(policy, question) ??
    modeRefusal(policy, question) ??
    answersRefusal(policy, question);
  return refusal === null ? ok(null) : err(refusal);
}

function refuse(code: Refusal['code'], what: string, where: string, todo: string): Refusal {
  return { class: 'policy', code, what, where, todo };
}

function agentRefusal({ agents }: NodePolicy, { agent }: PolicyQuestion): Refusal | null {
  if (agent === null || agents === null || agents.includes(agent)) return null;
  return refuse(
    'agent',
    `this node does not run ${agent}`,
    `node.agents is ${agents.join(', ')}`,
    'choose another node or agent, or let its owner add it there',
  );
}

interface Script {
  readonly text: string;
  readonly shell: string;
  readonly where: string;
}

function scripts({ action, rollback }: PolicyQuestion): Script[] {
  const own = action.kind === 'command' ? [{ text: action.command, shell: action.shell, where: 'command' }] : [];
  const shell = action.kind === 'command' ? action.shell : 'sh';
  return [...own, ...rollback.map((text, index) => ({ text, shell, where: `rollback ${index + 1}` }))];
}

function commandRefusal(policy: NodePolicy, { text, shell, where }: Script): Refusal | null {
  const { allowCommands, denyCommands } = policy;
  const parts = splitCommands(text, shell);
  const all = [text, ...(parts.ok ? parts.value : [])];
  const denied = denyCommands.find((pattern) => all.some((each) => matchesPattern(pattern, each)));
  if (denied !== undefined) {
    return refuse(
      'command',
      `this node does not run \`${short(text)}\``,
      `${where} matches "${denied}" of node.policy.deny_commands`,
      'choose another node with `target_node`, or change the command',
    );
  }
  if (allowCommands === null) return null;
  const todo = 'choose another node with `target_node`, or let its owner allow it there';
  if (!parts.ok) {
    const why = `${where}: ${parts.error}, so it cannot be held against node.policy.allow_commands`;
    return refuse('command', `this node does not run \`${short(text)}\``, why, todo);
  }
  const stranger = parts.value.find((part) => !allowCommands.some((pattern) => matchesPattern(pattern, part)));
  if (stranger === undefined) return null;
  return refuse(
    'command',
    `this node does not run \`${short(stranger)}\``,
    `${where} matches nothing of node.policy.allow_commands`,
    todo,
  );
}

function dirRefusal({ dirs }: NodePolicy, { dir }: PolicyQuestion): Refusal | null {
  if (dir === null || dirs.some((offered) => isInside(dir, offered))) return null;
  return refuse(
    'directory',
    `this node does not offer ${dir}`,
    `node.policy.dirs is ${dirs.length === 0 ? 'empty' : dirs.join(', ')}`,
    'leave `work_dir` away (the node then makes a directory of its own), or let its owner offer it there',
  );
}

function isInside(path: string, dir: string): boolean {
  if (path.split('/').includes('..')) return false;
  return path === dir || path.startsWith(dir.endsWith('/') ? dir : `${dir}/`);
}

/** Each of them makes some ordinary program load or run something else. */
const steering: readonly string[] = [
  'PATH',
  'LD_*',
  'DYLD_*',
  'BASH_ENV',
  'BASH_FUNC_*',
  'ENV',
  'ZDOTDIR',
  'SHELL',
  'SHELLOPTS',
  'PROMPT_COMMAND',
  'IFS',
  'HOME',
  'XDG_*',
  'CIS_*',
  'NODE_*',
  'NPM_CONFIG_*',
  'npm_config_*',
  'PYTHON*',
  'PERL*',
  'RUBY*',
  'JAVA_TOOL_OPTIONS',
  'JDK_*',
  'GIT_*',
  'SSH_*',
  'EDITOR',
  'VISUAL',
  'PAGER',
  '*_PROXY',
  '*_proxy',
  '*_BASE_URL',
  '*_API_BASE',
  'OLLAMA_HOST',
  '*_HOME',
  '*_CONFIG_DIR',
  'SSL_*',
  'CURL_*',
  '*_CA_BUNDLE',
  '*_ENDPOINT',
];

function envRefusal(policy: NodePolicy, { env }: PolicyQuestion): Refusal | null {
  const names = Object.keys(env);
  const refused =
    policy.env === 'all'
      ? []
      : policy.env === 'none'
        ? names
        : names.filter((name) => steering.some((pattern) => matchesPattern(pattern, name)));
  if (refused.length === 0) return null;
  return refuse(
    'env',
    `this node does not let others set ${refused.join(', ')}`,
    `node.policy.env is "${policy.env}"`,
    'leave it out of `env`, or let its owner set node.policy.env there',
  );
}

/** An agent that is sent elsewhere takes its key along: only where the owner said so. */
function urlRefusal({ baseUrls }: NodePolicy, { action }: PolicyQuestion): Refusal | null {
  if (action.kind !== 'agent' || action.config.baseUrl === undefined) return null;
  const url = action.config.baseUrl;
  if (isLoopback(url) || baseUrls.includes(url)) return null;
  return refuse(
    'base-url',
    `this node does not send its agents to ${url}`,
    'node.policy.base_urls does not have it',
    'leave `base_url` away, or let its owner add it there',
  );
}

/** An agent that asks nobody runs what it likes. */
function modeRefusal({ permissionModes }: NodePolicy, { action }: PolicyQuestion): Refusal | null {
  if (action.kind !== 'agent' || action.config.permissionMode === undefined || permissionModes === null) return null;
  const mode = action.config.permissionMode;
  if (permissionModes.includes(mode)) return null;
  return refuse(
    'permission',
    `this node does not start agents in the mode ${mode}`,
    `node.policy.permission_modes is ${permissionModes.join(', ')}`,
    'leave `permission_mode` away, or let its owner allow it there',
  );
}

function isLoopback(url: string): boolean {
  return /^https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:\/[^@]*)?$/.test(url);
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

/** Answers that are given before the question are answers. */
function answersRefusal({ answersFrom }: NodePolicy, { answersOf }: PolicyQuestion): Refusal | null {
  if (answersOf === null || answersFrom.includes('coordinators') || answersFrom.includes(answersOf)) return null;
  return refuse(
    'answer',
    'this node takes no answers with the task',
    `node.policy.answers_from is ${answersFrom.join(', ') || 'empty'}`,
    'leave `answers` away, or let its owner add the coordinator there',
  );
}

/** Whether somebody may answer, look into or end sessions on this node; `coordinator`: it is trusted as one. */
export function mayAnswer(
  { answersFrom }: NodePolicy,
  who: { readonly did: Did | null; readonly userId: string; readonly coordinator: boolean },
): Result<null, Refusal> {
  const allowed =
    (who.coordinator && answersFrom.includes('coordinators')) ||
    answersFrom.includes(who.userId) ||
    (who.did !== null && answersFrom.includes(who.did));
  if (allowed) return ok(null);
  return err(
    refuse(
      'answer',
      `this node takes no answers from ${who.userId}`,
      `node.policy.answers_from is ${answersFrom.join(', ') || 'empty'}`,
      'let its owner add you there, or answer on the node itself',
    ),
  );
}

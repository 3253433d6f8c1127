import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { readFinalMessage } from '../agents/final-message.ts';
import { hookCommand } from '../agents/hook-command.ts';
import { planAgentStart, type AgentPlan, type AgentStart } from '../agents/plan-start.ts';
import { findProgram } from '../agents/probe.ts';
import { hasForm, type AgentProfile, type CloseStep } from '../agents/profile.ts';
import { findProfile, type AgentTables } from '../agents/profiles.ts';
import { parseAgentDefaults } from '../agents/user-profile.ts';
import { recordingPath, type Home } from '../config/home.ts';
import type { Action, AgentConfig, AgentMode, Task } from '../domain/dag.ts';
import type { RunId, TaskId } from '../domain/ids.ts';
import { buildPrompt } from '../domain/prompt.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { agentOf, type RunSettings } from '../domain/run.ts';
import { decodeRecording } from '../host/transcript.ts';
import type { Start, StartRequest } from './action.ts';
import { writePrivate } from './files.ts';

/** More than any answer that is taken for an output (1 MiB). */
const maxOutputBytes = 8 * 1024 * 1024;

type AgentAction = Extract<Action, { kind: 'agent' }>;

/** What a run has to do with agents: how they start, what they said last, how they are ended. */
export interface Agents {
  start(request: StartRequest): Result<Start, string>;
  /** The final message of an attempt that has ended, as its program gives it; `hook` is what its hook reported. */
  message(task: Task, attempt: number, hook: string | null): string | null;
  /** How the session of a task is ended once its turn is done; null when it ends by itself. */
  closing(task: Task): readonly CloseStep[] | null;
  /** The program's id of the conversation, as its hook gives it: a later task may carry it on. */
  noteThread(task: Task, thread: string): void;
}

export interface AgentFacts<Settings = RunSettings> {
  readonly home: Home;
  readonly settings: Settings;
  /** `[agents.NAME]` of the config. */
  readonly tables: AgentTables;
  /** The executor's own. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What of a run's settings decides how its agents start. */
type AgentSettings = Pick<RunSettings, 'dag' | 'defaultAgent' | 'agentMode'>;

/** Opens the agents of a run. */
export function openAgents(facts: AgentFacts): Agents {
  const { home, settings } = facts;
  return {
    start: (request) => start(facts, request),
    message(task, attempt, hook) {
      const known = profileOf(facts, task);
      if (!known.ok) return hook;
      const form = known.value.profile.forms[known.value.mode];
      if (!hasForm(form)) return hook;
      return readFinalMessage(form.finalMessage, {
        hook,
        file: readIfThere(join(sessionDir(home, settings.run, task.id, attempt), 'final-message')),
        output: () => readOutput(recordingPath(home, settings.run, task.id, attempt)),
      });
    },
    closing(task) {
      const known = profileOf(facts, task);
      return known.ok && known.value.mode === 'interactive' ? known.value.profile.close : null;
    },
    noteThread: (task, thread) => noteConversation(facts, task, thread),
  };
}

/** What would start for a task, without starting it: an error says why it could not, `asksNobody` what it may do without a word. */
export function previewAgent(
  facts: AgentFacts<AgentSettings>,
  task: Task,
): Result<{ readonly mode: AgentMode; readonly asksNobody: string | null; readonly program: string }, string> {
  const { action } = task;
  if (action.kind !== 'agent') return err('it is no agent');
  const known = profileOf(facts, task);
  if (!known.ok) return known;
  const { profile, mode } = known.value;
  const form = profile.forms[mode];
  if (task.reuseAgent !== undefined && hasForm(form) && form.resume === null)
    return err(`${profile.title} cannot carry on a conversation: leave reuse_agent out`);
  const planned = planAgentStart({
    ...startOf(facts, profile, action.config),
    mode,
    prompt: '',
    conversation: '',
    sessionDir: '/',
  });
  return planned.ok ? ok({ mode, asksNobody: planned.value.asksNobody, program: profile.program }) : planned;
}

/**
 * Whether the program of an agent is where its task will look. `PATH` of the file and of the task count; one that is made of
 * placeholders, and a program in the working directory, which an earlier task may make, are not known before.
 */
export function isInstalled(facts: AgentFacts<AgentSettings>, task: Task, program: string): boolean {
  const { env } = facts;
  const path = task.env['PATH'] ?? facts.settings.dag.env['PATH'] ?? env['PATH'];
  const isOpen = path?.includes('{{') === true || (program.includes('/') && !isAbsolute(program));
  return isOpen || findProgram(program, { PATH: path }) !== null;
}

function start(facts: AgentFacts, request: StartRequest): Result<Start, string> {
  const { task, attempt, context } = request;
  const { home, settings } = facts;
  const { action } = task;
  if (action.kind !== 'agent') return err('it is no agent');
  const known = profileOf(facts, task);
  if (!known.ok) return known;
  const { profile, mode } = known.value;
  const resume = conversationToCarryOn(facts, task, profile);
  if (!resume.ok) return resume;
  const dir = sessionDir(home, settings.run, task.id, attempt);
  const prompt = buildPrompt(settings.dag, task, action.prompt, { run: settings.run, ...context });
  const planned = planAgentStart({
    ...startOf(facts, profile, action.config),
    mode,
    prompt: action.config.systemPrompt === undefined ? prompt : `${action.config.systemPrompt}\n\n${prompt}`,
    ...(resume.value === null ? {} : { resume: resume.value }),
    conversation: randomUUID(),
    sessionDir: dir,
    env: { ...facts.env, ...settings.dag.env, ...task.env },
  });
  if (!planned.ok) return planned;
  for (const file of planned.value.files) writePrivate(file.path, file.content);
  if (planned.value.conversation !== null) noteConversation(facts, task, planned.value.conversation);
  return ok(toStart(profile, action, planned.value, facts.tables[profile.name]?.['rules']));
}

function startOf(
  { tables, env }: AgentFacts<AgentSettings>,
  profile: AgentProfile,
  config: AgentConfig,
): Pick<AgentStart, 'profile' | 'model' | 'permissionMode' | 'skipPermissions' | 'hookCommand' | 'env'> {
  const defaults = parseAgentDefaults(tables[profile.name]);
  const model = config.model ?? defaults.model;
  const permissionMode = config.permissionMode ?? defaults.permissionMode;
  return {
    profile,
    ...(model === undefined ? {} : { model }),
    ...(permissionMode === undefined ? {} : { permissionMode }),
    skipPermissions: defaults.skipPermissions,
    hookCommand: hookCommand(),
    env,
  };
}

/** The session's token makes its hook known to the host; a program of the user's own may call `cis hook` by it too. */
function toStart(profile: AgentProfile, action: AgentAction, plan: AgentPlan, rules: unknown): Start {
  return {
    file: plan.file,
    args: plan.args,
    env: {
      ...plan.env,
      ...settingVariables(action.config),
    },
    agent: {
      name: profile.name,
      screen: profile.screen,
      hookToken: randomBytes(16).toString('hex'),
      goOn: profile.goOn,
      answering: profile.answering,
      ...(rules === undefined ? {} : { rules }),
    },
  };
}

/** What no flag of a program stands for is given to it as variables: those of `[agents.NAME]` may read them. */
function settingVariables(config: AgentConfig): Record<string, string> {
  const { providerType, baseUrl, temperature, maxTokens, apiKeyEnv } = config;
  return Object.fromEntries(
    Object.entries({
      CIS_AGENT_PROVIDER_TYPE: providerType,
      CIS_AGENT_BASE_URL: baseUrl,
      CIS_AGENT_TEMPERATURE: temperature,
      CIS_AGENT_MAX_TOKENS: maxTokens?.toString(),
      CIS_AGENT_API_KEY_ENV: apiKeyEnv,
    }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/**
 * A task's own `mode` holds; what the run as a whole was started with (`--mode`, a terminal) gives way where the program has just one
 * of the forms.
 */
function profileOf(
  { settings, tables }: AgentFacts<AgentSettings>,
  task: Task,
): Result<{ readonly profile: AgentProfile; readonly mode: AgentMode }, string> {
  const name = agentOf(settings, task);
  if (name === null) return err('it has a prompt, and no agent is named');
  const found = findProfile(name, tables);
  if (!found.ok) return found;
  const own = task.action.kind === 'agent' ? task.action.mode : undefined;
  const wanted = own ?? settings.agentMode;
  const other = wanted === 'oneshot' ? 'interactive' : 'oneshot';
  const mode = own === undefined && !hasForm(found.value.forms[wanted]) ? other : wanted;
  return ok({ profile: found.value, mode });
}

// Conversations -----------------------------------------------------------------------------------------------------------

/** Kept beside the recordings, so that a driver that carries the run on knows it too. The latest attempt's is the one that counts. */
function conversationPath(home: Home, run: RunId, task: TaskId): string {
  return join(home.sessions, run, `${task}.conversation`);
}

function noteConversation({ home, settings }: AgentFacts, task: Task, id: string): void {
  writePrivate(
    conversationPath(home, settings.run, task.id),
    JSON.stringify({ agent: agentOf(settings, task), conversation: id }),
  );
}

/** Null: the task begins a conversation of its own. */
function conversationToCarryOn(facts: AgentFacts, task: Task, profile: AgentProfile): Result<string | null, string> {
  const { home, settings } = facts;
  if (task.reuseAgent === undefined) return ok(null);
  const text = readIfThere(conversationPath(home, settings.run, task.reuseAgent));
  if (text === null) {
    return err(
      `the conversation of ${task.reuseAgent} is not known: it has not run, or ${profile.title} does not tell it`,
    );
  }
  const { agent, conversation } = JSON.parse(text) as { agent: string; conversation: string };
  if (agent !== agentOf(settings, task)) {
    return err(`it is to carry on the conversation of ${task.reuseAgent}, which ${agent} had`);
  }
  return ok(conversation);
}

/** Of one attempt, 0700: its prompt, the settings that make it report, its final message. */
function sessionDir(home: Home, run: RunId, task: TaskId, attempt: number): string {
  return join(home.sessions, run, `${task}#${attempt}.agent`);
}

/** The end of what the program wrote: its answer as data is the last that it says. */
function readOutput(path: string): string {
  const chunks: Buffer[] = [];
  let size = 0;
  for (const chunk of decodeRecording(path)) {
    chunks.push(chunk);
    size += chunk.length;
    while (size - (chunks[0]?.length ?? 0) > maxOutputBytes) size -= chunks.shift()?.length ?? 0;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

import { join } from 'node:path';
import type { AgentMode } from '../domain/dag.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { planHooks, type HookPlan } from './install-hooks.ts';
import { hasForm, type AgentProfile, type FinalMessage, type Form, type PromptBy } from './profile.ts';
import { fillArgs } from './template.ts';

export interface AgentStart {
  readonly profile: AgentProfile;
  readonly mode: AgentMode;
  readonly prompt: string;
  readonly model?: string;
  readonly permissionMode?: string;
  /** The config allows this agent or task to work without asking a person (`skip_permissions = true`). */
  readonly skipPermissions?: boolean;
  /** Carries on the conversation of an earlier session. */
  readonly resume?: string;
  /** A fresh UUID: the id of the new conversation, for programs that let it be chosen. */
  readonly conversation: string;
  /** Of this session alone, 0700; the plan's files lie in it. */
  readonly sessionDir: string;
  /** argv that runs `cis hook`; the name of the agent is added. */
  readonly hookCommand: readonly string[];
  /** The environment that the session will start from. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface AgentPlan {
  readonly file: string;
  readonly args: readonly string[];
  /** On top of the session's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** To be written, 0600, before the start. */
  readonly files: readonly PlannedFile[];
  readonly promptBy: PromptBy;
  /** The program's conversation, when it is known before the start; its hooks tell otherwise. */
  readonly conversation: string | null;
  readonly finalMessage: FinalMessage;
  /** Where the final message will be, when `finalMessage` is a file. */
  readonly outputFile: string | null;
  /** Its hook will say when the turn is done; otherwise only the screen or the exit tells. */
  readonly hooked: boolean;
  /** Null, or in words what the program may do without asking: shown in the plan of a run. */
  readonly asksNobody: string | null;
}

export interface PlannedFile {
  readonly path: string;
  readonly content: string;
}

/** Linux: MAX_ARG_STRLEN is 128 KiB for one argument, its end included. */
const maxArgumentBytes = 128 * 1024 - 1;

/** Returns what to start for a task of an agent; pure, the files are written by the caller. The error says what to change. */
export function planAgentStart(start: AgentStart): Result<AgentPlan, string> {
  const form = start.profile.forms[start.mode];
  if (!hasForm(form)) return err(form.missing);
  if (start.prompt.includes('\0')) return err('the prompt holds a NUL byte, which no program can be given');
  const permission = planPermission(start);
  if (!permission.ok) return permission;
  const conversation = planConversation(start, form);
  if (!conversation.ok) return conversation;
  const prompt = planPrompt(start, form);
  return ok(assemble(start, form, { permission: permission.value, conversation: conversation.value, prompt }));
}

interface Parts {
  readonly permission: Permissions;
  readonly conversation: { readonly args: readonly string[]; readonly id: string | null };
  readonly prompt: Prompt;
}

function assemble(start: AgentStart, form: Form, { permission, conversation, prompt }: Parts): AgentPlan {
  const { profile, sessionDir, model } = start;
  const hooks: HookPlan = planHooks(start);
  const outputFile = form.finalMessage.kind === 'file' ? join(sessionDir, 'final-message') : null;
  const args = fillArgs(form.args, {
    hooks: hooks.args,
    permission: permission.args,
    model: model === undefined ? [] : fillArgs(profile.model, { model }),
    resume: conversation.args,
    prompt: prompt.argument,
    prompt_file: prompt.path,
    ...(outputFile === null ? {} : { output_file: outputFile }),
  });
  return {
    ...command(profile.program, args, prompt),
    env: { ...profile.env, ...hooks.env, ...prompt.env },
    files: [...hooks.files, ...prompt.files],
    promptBy: prompt.by,
    conversation: conversation.id,
    finalMessage: form.finalMessage,
    outputFile,
    hooked: isHooked(hooks),
    asksNobody: permission.asksNobody,
  };
}

/** The variable that names the prompt's file to the small shell that opens it; the prompt itself is in no argument. */
const promptVariable = 'CIS_PROMPT_FILE';

function command(program: string, args: readonly string[], prompt: Prompt): { file: string; args: readonly string[] } {
  if (prompt.by !== 'stdin') return { file: program, args };
  return { file: '/bin/sh', args: ['-c', `exec "$0" "$@" <"$${promptVariable}"`, program, ...args] };
}

interface Prompt {
  readonly by: PromptBy;
  readonly argument?: string;
  readonly path?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly PlannedFile[];
}

/** A prompt that is too long for an argument lies in a file, and the argument points to it. */
function planPrompt({ prompt, sessionDir }: AgentStart, form: Form): Prompt {
  if (form.promptBy === 'argument' && Buffer.byteLength(prompt) <= maxArgumentBytes) {
    return { by: 'argument', argument: prompt, env: {}, files: [] };
  }
  const path = join(sessionDir, 'prompt');
  const files = [{ path, content: prompt }];
  if (form.promptBy === 'stdin') return { by: 'stdin', env: { [promptVariable]: path }, files };
  return {
    by: 'file',
    argument: `Your task is written in the file ${path}. Read it all and do what it says.`,
    path,
    env: {},
    files,
  };
}

interface Permissions {
  readonly args: readonly string[];
  readonly asksNobody: string | null;
}

/** A mode in which nobody is asked needs the config's word: a DAG file from elsewhere cannot choose it alone. */
function planPermission({ profile, permissionMode, skipPermissions }: AgentStart): Result<Permissions, string> {
  const { modes, skipping, skip } = profile.permission;
  const mode = permissionMode ?? (skipPermissions === true && skip !== null ? skip : 'default');
  const args = modes[mode];
  if (args === undefined) {
    return err(`${profile.title} has no permission mode "${mode}": there are ${Object.keys(modes).join(', ')}`);
  }
  const asksNobody = skipping.includes(mode);
  if (asksNobody && skipPermissions !== true) {
    return err(
      `permission mode "${mode}" lets ${profile.title} work without asking: allow it with skip_permissions = true in [agents.${profile.name}] of the config`,
    );
  }
  return ok({ args, asksNobody: asksNobody ? `${profile.title} asks nobody (${args.join(' ')})` : null });
}

function planConversation(
  { profile, resume, conversation }: AgentStart,
  form: Form,
): Result<Parts['conversation'], string> {
  if (resume !== undefined) {
    if (form.resume === null) return err(`${profile.title} cannot carry on a conversation: leave reuse_agent out`);
    return ok({ args: fillArgs(form.resume, { conversation: resume }), id: resume });
  }
  if (form.newConversation === null) return ok({ args: [], id: null });
  return ok({ args: fillArgs(form.newConversation, { conversation }), id: conversation });
}

function isHooked({ args, env }: HookPlan): boolean {
  return args.length > 0 || Object.keys(env).length > 0;
}

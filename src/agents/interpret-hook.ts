import type { HookReport } from '../domain/hook.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads what an agent gave to its hook: null when it says nothing that matters. `payload` is the parsed JSON, whatever it is; nothing
 * in it is trusted to be there. The names of the payloads are those of the programs (recorded in test/agents/payloads/).
 */
export function interpretHook(agent: string, payload: unknown): HookReport | null {
  const json = object(payload);
  if (agent === 'codex') return readCodex(json);
  if (agent === 'opencode') return readOpencode(json);
  if (agent === 'gemini') return readGemini(json);
  return readClaude(json);
}

/** Claude Code's payloads, which Qwen Code has as well. */
function readClaude(json: Json): HookReport | null {
  const thread = text(json['session_id']);
  switch (json['hook_event_name']) {
    case 'SessionStart':
      return { kind: 'started', thread };
    case 'UserPromptSubmit':
    case 'PostToolUse':
    case 'PostToolUseFailure':
      return { kind: 'working', thread };
    case 'PermissionRequest':
      return permissionOf(json, thread);
    case 'Notification':
      return notificationOf(json, thread);
    case 'Stop':
      return { kind: 'turn-done', thread, message: text(json['last_assistant_message']) };
    case 'StopFailure':
      return failureOf(thread, text(json['error']) ?? text(json['last_assistant_message']) ?? 'the turn failed');
    case 'SessionEnd':
      return { kind: 'ended', thread, reason: text(json['reason']) ?? '' };
    default:
      return null;
  }
}

function permissionOf(json: Json, thread: string | null): HookReport {
  const tool = text(json['tool_name']);
  const input = object(json['tool_input']);
  const asks = tool === 'AskUserQuestion' || tool === 'ask_user_question';
  const command = text(input['command']) ?? text(input['file_path']) ?? text(input['url']);
  const question = asks
    ? (text(object(list(input['questions'])[0])['question']) ?? 'It has a question')
    : `Allow ${tool ?? 'a tool'}?`;
  return {
    kind: 'blocked',
    thread,
    block: asks ? 'question' : 'approval',
    question,
    command: asks ? null : command,
    tool,
  };
}

/** `idle_prompt` comes a minute after a turn; it says nothing that `Stop` did not. */
function notificationOf(json: Json, thread: string | null): HookReport | null {
  const question = text(json['message']) ?? '';
  const blocked = { kind: 'blocked', thread, question, command: null, tool: null } as const;
  switch (json['notification_type']) {
    case 'permission_prompt':
      return { ...blocked, block: 'approval' };
    case 'elicitation_dialog':
      return { ...blocked, block: 'question' };
    default:
      return null;
  }
}

function failureOf(thread: string | null, reason: string): HookReport {
  const block = /rate.?limit|usage limit|quota|429/i.test(reason)
    ? 'rate-limit'
    : /authenticat|api key|log.?in|401|oauth/i.test(reason)
      ? 'login'
      : 'error';
  return { kind: 'turn-failed', thread, block, reason };
}

/** Codex makes up a title in a turn and thread of its own, and calls `notify` for it as for the real one. */
const TITLE_TURN = /^\s*Generate a concise, single-line task title\b/;

function readCodex(json: Json): HookReport | null {
  if (json['type'] !== 'agent-turn-complete') return null;
  const prompts = list(json['input-messages']);
  if (prompts.some((prompt) => typeof prompt === 'string' && TITLE_TURN.test(prompt))) return null;
  return { kind: 'turn-done', thread: text(json['thread-id']), message: text(json['last-assistant-message']) };
}

/** What opencode-plugin.ts sends: an event of opencode, whether it is a session below another, and the text of the last answer. */
function readOpencode(json: Json): HookReport | null {
  const properties = object(json['properties']);
  const thread = text(properties['sessionID']) ?? text(object(properties['info'])['id']);
  const asked =
    json['type'] === 'permission.asked' || json['type'] === 'permission.updated' || json['type'] === 'question.asked';
  if (json['side'] === true && !asked) return null;
  switch (json['type']) {
    case 'session.created':
      return { kind: 'started', thread };
    case 'session.status':
      return object(properties['status'])['type'] === 'busy' ? { kind: 'working', thread } : null;
    case 'permission.asked':
    case 'permission.updated':
      return opencodePermission(properties, thread);
    case 'question.asked':
      return {
        kind: 'blocked',
        thread,
        block: 'question',
        question: questionOf(properties),
        command: null,
        tool: 'question',
      };
    case 'permission.replied':
    case 'question.replied':
    case 'question.rejected':
      return { kind: 'working', thread };
    case 'session.idle':
      if (json['rejected'] === true) return afterRejection(thread);
      return { kind: 'turn-done', thread, message: text(json['lastText']) };
    case 'session.error':
      return opencodeFailure(properties, thread);
    default:
      return null;
  }
}

/** A rejection ends the turn: the person has more to say, or ends the session. */
function afterRejection(thread: string | null): HookReport {
  const question = 'What should it do instead?';
  return { kind: 'blocked', thread, block: 'question', question, command: null, tool: null };
}

function opencodePermission(properties: Json, thread: string | null): HookReport {
  const tool = text(properties['permission']) ?? text(properties['type']);
  const metadata = object(properties['metadata']);
  const patterns = list(properties['patterns']).filter((one) => typeof one === 'string');
  const command = text(metadata['command']) ?? text(metadata['filepath']) ?? patterns[0] ?? null;
  return { kind: 'blocked', thread, block: 'approval', question: `Allow ${tool ?? 'a tool'}?`, command, tool };
}

function questionOf(properties: Json): string {
  return text(object(list(properties['questions'])[0])['question']) ?? 'It has a question';
}

/** An aborted turn is the person's own doing: after a rejection, for one. */
function opencodeFailure(properties: Json, thread: string | null): HookReport | null {
  const error = object(properties['error']);
  if (error['name'] === 'MessageAbortedError') return null;
  const message = text(object(error['data'])['message']) ?? text(error['name']) ?? 'the turn failed';
  return failureOf(thread, message);
}

function readGemini(json: Json): HookReport | null {
  const thread = text(json['session_id']);
  switch (json['hook_event_name']) {
    case 'SessionStart':
      return { kind: 'started', thread };
    case 'BeforeAgent':
    case 'AfterTool':
      return { kind: 'working', thread };
    case 'Notification':
      return geminiQuestion(json, thread);
    case 'AfterAgent':
      return { kind: 'turn-done', thread, message: text(json['prompt_response']) };
    case 'SessionEnd':
      return { kind: 'ended', thread, reason: text(json['reason']) ?? '' };
    default:
      return null;
  }
}

function geminiQuestion(json: Json, thread: string | null): HookReport | null {
  if (json['notification_type'] !== 'ToolPermission') return null;
  const details = object(json['details']);
  const command = text(details['command']) ?? text(details['filePath']);
  const question = text(json['message']) ?? text(details['title']) ?? 'Allow a tool?';
  return { kind: 'blocked', thread, block: 'approval', question, command, tool: text(details['type']) };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

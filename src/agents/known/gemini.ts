import type { AgentProfile } from '../profile.ts';

/**
 * Gemini CLI, looked at: 0.61.
 *
 * - First start in a folder: a trust question in a box, `1. Trust folder` preselected; it starts itself anew after the answer. The
 *   title says `Working…` meanwhile.
 * - Permission: a menu marked `●`. Hooks: `AfterAgent` has `prompt_response`, `Notification` (`ToolPermission`) tells of a question.
 * - `--session-id` is not used: after the trust question it starts itself anew and then finds its own id taken.
 * - The file of system defaults is refused below a directory that others may write to.
 * - `/quit` is refused while it works ("Slash commands cannot be queued").
 */
export const gemini: AgentProfile = {
  name: 'gemini',
  title: 'Gemini CLI',
  program: 'gemini',
  triedVersions: ['0.61.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}'],
      promptBy: 'stdin',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'hook' },
    },
    interactive: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}', '-i', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'hook' },
    },
  },
  model: ['--model', '{{ model }}'],
  permission: {
    modes: {
      default: ['--approval-mode', 'default'],
      auto_edit: ['--approval-mode', 'auto_edit'],
      plan: ['--approval-mode', 'plan'],
      yolo: ['--approval-mode', 'yolo'],
    },
    skipping: ['yolo'],
    skip: 'yolo',
  },
  env: {},
  hooks: {
    kind: 'defaults-file',
    variable: 'GEMINI_CLI_SYSTEM_DEFAULTS_PATH',
    events: ['SessionStart', 'BeforeAgent', 'AfterTool', 'Notification', 'AfterAgent', 'SessionEnd'],
  },
  screen: 'gemini',
  processes: ['gemini', 'node'],
  close: [
    { keys: '/quit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: {
    env: ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GENAI_USE_VERTEXAI'],
    files: ['.gemini/oauth_creds.json'],
    command: 'gemini, then /auth',
  },
  answering: { axis: 'vertical', digits: true, showsSelection: true },
  goOn: 'continue',
};

import type { AgentProfile } from '../profile.ts';

/**
 * Qwen Code, looked at: 0.24.4.
 *
 * - Without `--approval-mode` it starts in `auto`: a model decides what is harmless, and a person is only asked when that fails. cis
 *   asks for `default`, in which a person decides, unless the configuration says otherwise.
 * - Permission: a menu, the first row preselected, arrows (they wrap around), Enter, digits (a digit picks and confirms). A spinner
 *   with "Waiting for user confirmation..." turns all the while.
 * - Hooks have Claude Code's names and payloads; they are given in a file of system defaults, the weakest layer, to which lists of the
 *   user's are added.
 * - After a turn it asks the model on the side what the user may type next.
 * - Window title: `◐ Qwen - FOLDER` (turning) at work, `✳ …` when blocked, without a sign when idle.
 * - Closing: `/quit`, Enter. It prints `qwen --resume ID` and exits 0.
 */
export const qwen: AgentProfile = {
  name: 'qwen',
  title: 'Qwen Code',
  program: 'qwen',
  triedVersions: ['0.24.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}'],
      promptBy: 'stdin',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: ['--session-id', '{{ conversation }}'],
      finalMessage: { kind: 'hook' },
    },
    interactive: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}', '-i', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: ['--session-id', '{{ conversation }}'],
      finalMessage: { kind: 'hook' },
    },
  },
  model: ['--model', '{{ model }}'],
  permission: {
    modes: {
      default: ['--approval-mode', 'default'],
      plan: ['--approval-mode', 'plan'],
      'auto-edit': ['--approval-mode', 'auto-edit'],
      auto: ['--approval-mode', 'auto'],
      yolo: ['--approval-mode', 'yolo'],
    },
    skipping: ['auto', 'yolo'],
    skip: 'yolo',
  },
  env: {},
  hooks: {
    kind: 'defaults-file',
    variable: 'QWEN_CODE_SYSTEM_DEFAULTS_PATH',
    events: [
      'SessionStart',
      'UserPromptSubmit',
      'PermissionRequest',
      'PostToolUse',
      'Notification',
      'Stop',
      'StopFailure',
      'SessionEnd',
    ],
  },
  screen: 'qwen',
  processes: ['qwen', 'node'],
  close: [
    { keys: '/quit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: {
    env: ['OPENAI_API_KEY', 'DASHSCOPE_API_KEY', 'BAILIAN_CODING_PLAN_API_KEY'],
    files: ['.qwen/oauth_creds.json'],
    command: 'qwen, then /auth',
  },
  answering: { axis: 'vertical', digits: true, showsSelection: true },
  goOn: 'continue',
};

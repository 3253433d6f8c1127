import type { AgentProfile } from '../profile.ts';

const noAnswerQuirks = { axis: 'vertical', digits: true, showsSelection: true } as const;

/**
 * Kimi Code, looked at: 2.1.0. It has no way to start with a prompt and stay open, and what is typed before it listens is lost or,
 * worse, answers its trust question: so only the form that ends by itself is used.
 */
export const kimi: AgentProfile = {
  name: 'kimi',
  title: 'Kimi Code',
  program: 'kimi',
  triedVersions: ['2.1.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}', '--prompt', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['--session', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'screen' },
    },
    interactive: { missing: 'Kimi Code cannot be started with a prompt and stay open; use mode = "oneshot"' },
  },
  model: ['--model', '{{ model }}'],
  permission: { modes: { default: [], yolo: ['--yolo'], auto: ['--auto'] }, skipping: ['yolo', 'auto'], skip: 'auto' },
  env: { KIMI_CODE_NO_AUTO_UPDATE: '1' },
  hooks: { kind: 'none' },
  screen: 'kimi',
  processes: ['kimi', 'node'],
  close: [
    { keys: '/quit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: { env: ['KIMI_API_KEY', 'MOONSHOT_API_KEY'], files: ['.kimi-code/credentials.json'], command: 'kimi login' },
  answering: noAnswerQuirks,
  goOn: 'continue',
};

/** Aider, from its documentation (it is a Python program and was not run here): `--message-file` answers and ends. */
export const aider: AgentProfile = {
  name: 'aider',
  title: 'Aider',
  program: 'aider',
  triedVersions: [],
  version: ['--version'],
  forms: {
    oneshot: {
      args: [
        '--no-check-update',
        '--no-show-release-notes',
        '{{ permission }}',
        '{{ model }}',
        '--message-file',
        '{{ prompt_file }}',
      ],
      promptBy: 'file',
      resume: null,
      newConversation: null,
      finalMessage: { kind: 'screen' },
    },
    interactive: { missing: 'Aider cannot be started with a prompt and stay open; use mode = "oneshot"' },
  },
  model: ['--model', '{{ model }}'],
  permission: { modes: { default: [], yes: ['--yes-always'] }, skipping: ['yes'], skip: 'yes' },
  env: { AIDER_ANALYTICS: 'false' },
  hooks: { kind: 'none' },
  screen: 'aider',
  processes: ['aider', 'python', 'python3'],
  close: [
    { keys: '/exit', thenWaitMs: 300 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: {
    env: ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY'],
    files: ['.aider.conf.yml'],
    command: 'aider --model …',
  },
  answering: noAnswerQuirks,
  goOn: 'continue',
};

/** The prompt is a shell script; `sh` is known everywhere and asks nothing of its own. */
export const shell: AgentProfile = {
  name: 'shell',
  title: 'shell',
  program: '/bin/sh',
  triedVersions: [''],
  version: ['-c', 'echo sh'],
  forms: {
    oneshot: {
      args: ['{{ prompt_file }}'],
      promptBy: 'file',
      resume: null,
      newConversation: null,
      finalMessage: { kind: 'screen' },
    },
    interactive: {
      args: ['{{ prompt_file }}'],
      promptBy: 'file',
      resume: null,
      newConversation: null,
      finalMessage: { kind: 'screen' },
    },
  },
  model: [],
  permission: { modes: { default: [] }, skipping: [], skip: null },
  env: {},
  hooks: { kind: 'none' },
  screen: 'generic',
  processes: ['sh', 'dash', 'bash'],
  close: [{ keys: '\u0004', thenWaitMs: 1_000 }],
  login: { env: [], files: [], command: '' },
  answering: noAnswerQuirks,
  goOn: 'continue',
};

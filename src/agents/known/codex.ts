import type { AgentProfile } from '../profile.ts';

/**
 * Codex, looked at: 0.169.
 *
 * - Without `--no-daemon` the session's work is done by a background server that all sessions of a `CODEX_HOME` share: it has the
 *   environment of whoever started it first, remembers trust, and outlives the session. cis always passes `--no-daemon`.
 * - First start in a git repository: the trust question, `1. Trust and continue` preselected. It shows digits but takes none: arrows and
 *   Enter. Outside of a repository it is not asked.
 * - Permission: on the screen only; title `[ ! ] Action Required | FOLDER` and `[ . ] …`, in turn. Arrows, digits and the letters
 *   shown in brackets (`y`, `p`, `esc`) work; a digit or letter picks and confirms. `3. No` ends the turn without a message and without
 *   `notify`: the program waits for words.
 * - `notify` gets one JSON argument when a turn is complete, also for the turn that makes up the session's title, whose thread is
 *   another one and whose prompt begins with "Generate a concise, single-line task title".
 * - `codex exec` never asks: what would need approval is refused. `--output-last-message FILE` has the final message.
 * - Beside its model it looks up api.github.com at the start, whatever is switched off.
 * - Closing: `/quit`, Enter. It prints `codex resume ID` and exits 0.
 */
export const codex: AgentProfile = {
  name: 'codex',
  title: 'Codex',
  program: 'codex',
  triedVersions: ['codex-cli 0.169.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: [
        'exec',
        '{{ resume }}',
        '{{ hooks }}',
        '{{ permission }}',
        '{{ model }}',
        '--skip-git-repo-check',
        '--output-last-message',
        '{{ output_file }}',
        '-',
      ],
      promptBy: 'stdin',
      resume: ['resume', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'file' },
    },
    interactive: {
      args: ['{{ resume }}', '--no-daemon', '{{ hooks }}', '{{ permission }}', '{{ model }}', '--', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['resume', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'hook' },
    },
  },
  model: ['--model', '{{ model }}'],
  permission: {
    modes: {
      default: [],
      'read-only': ['-c', 'approval_policy="on-request"', '-c', 'sandbox_mode="read-only"'],
      'workspace-write': ['-c', 'approval_policy="on-request"', '-c', 'sandbox_mode="workspace-write"'],
      never: ['-c', 'approval_policy="never"'],
      bypass: ['--dangerously-bypass-approvals-and-sandbox'],
    },
    skipping: ['never', 'bypass'],
    skip: 'bypass',
  },
  env: {},
  hooks: { kind: 'codex-notify' },
  screen: 'codex',
  processes: ['codex'],
  close: [
    { keys: '/quit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: { env: ['OPENAI_API_KEY', 'CODEX_API_KEY'], files: ['.codex/auth.json'], command: 'codex login' },
  answering: { axis: 'vertical', digits: true, showsSelection: true },
  goOn: 'continue',
};

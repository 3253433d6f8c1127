import type { AgentProfile } from '../profile.ts';

/**
 * Claude Code, looked at: 2.1.329.
 *
 * - First start in a folder: the trust question, `No, exit` preselected, no digits. Enter ends the program. It may be painted twice
 *   at the start, with the first row selected again and the keys of the moment lost: look twice before each key. It is asked before any
 *   hook runs, so only the screen tells; `-p` skips it.
 * - Permission: `PermissionRequest` comes within 0.1 s of the screen, with tool and input; `Notification` (`permission_prompt`)
 *   6 s later says nothing new. The menu takes arrows, Enter and digits (a digit picks and confirms); arrows wrap around. The first
 *   row is preselected; how many rows there are and what they say depends on the tool.
 * - Rejecting ends the turn without `Stop`: the program waits for words.
 * - `Stop` has `last_assistant_message`; it also runs under `-p` (and so does
 *   `PermissionRequest`, though nobody is asked then). The user's own hooks run beside ours (`--settings` is merged).
 * - Window title: `◐ …` (turning) at work, `✳ …` when blocked *and* when idle.
 * - 401 is tried again ten times ("retrying in 8s · attempt 6/10"), some minutes in all, before it is shown as an error.
 * - Closing: `/exit`, Enter. It prints `claude --resume ID` and exits 0. `SessionEnd` runs then.
 * - As root, or where a setting forbids it, `--dangerously-skip-permissions` is refused by the program itself.
 */
export const claude: AgentProfile = {
  name: 'claude',
  title: 'Claude Code',
  program: 'claude',
  triedVersions: ['2.1.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: ['-p', '{{ hooks }}', '{{ permission }}', '{{ model }}', '{{ resume }}'],
      promptBy: 'stdin',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: ['--session-id', '{{ conversation }}'],
      finalMessage: { kind: 'hook' },
    },
    interactive: {
      args: ['{{ hooks }}', '{{ permission }}', '{{ model }}', '{{ resume }}', '--', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['--resume', '{{ conversation }}'],
      newConversation: ['--session-id', '{{ conversation }}'],
      finalMessage: { kind: 'hook' },
    },
  },
  model: ['--model', '{{ model }}'],
  permission: {
    modes: {
      default: ['--permission-mode', 'default'],
      acceptEdits: ['--permission-mode', 'acceptEdits'],
      plan: ['--permission-mode', 'plan'],
      auto: ['--permission-mode', 'auto'],
      bypassPermissions: ['--permission-mode', 'bypassPermissions'],
    },
    skipping: ['auto', 'bypassPermissions'],
    skip: 'bypassPermissions',
  },
  env: { DISABLE_AUTOUPDATER: '1' },
  hooks: {
    kind: 'claude-settings',
    events: [
      'SessionStart',
      'UserPromptSubmit',
      'PermissionRequest',
      'PostToolUse',
      'PostToolUseFailure',
      'Notification',
      'Stop',
      'StopFailure',
      'SessionEnd',
    ],
  },
  screen: 'claude',
  processes: ['claude'],
  close: [
    { keys: '/exit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: {
    env: [
      'ANTHROPIC_API_KEY',
      'ANTHROPIC_AUTH_TOKEN',
      'CLAUDE_CODE_OAUTH_TOKEN',
      'CLAUDE_CODE_USE_BEDROCK',
      'CLAUDE_CODE_USE_VERTEX',
    ],
    files: ['.claude/.credentials.json'],
    command: 'claude, then /login',
  },
  answering: { axis: 'vertical', digits: true, showsSelection: true },
  goOn: 'continue',
};

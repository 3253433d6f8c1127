import type { AgentProfile } from '../profile.ts';

/**
 * opencode, looked at: 1.18.33.
 *
 * - It asks no trust question, and without `"permission"` in its configuration it asks for nothing at all.
 * - Permission: a row of buttons, `Allow once` preselected, chosen with left and right (they wrap around) and Enter. Which one is
 *   selected shows by colour only. `Allow always` asks once more (`Confirm`, `Cancel`); `Reject` asks for words to go with it, which
 *   may be empty (Enter).
 * - It paints nothing for some seconds after the start.
 * - `opencode run` rejects what would need permission by itself and goes on or ends; it exits 0 then.
 * - Window title: `OC | TITLE OF THE SESSION`; it says nothing of the state.
 * - Closing: `/exit`, Enter. It prints `opencode -s ID` and exits 0.
 */
export const opencode: AgentProfile = {
  name: 'opencode',
  title: 'opencode',
  program: 'opencode',
  triedVersions: ['1.18.'],
  version: ['--version'],
  forms: {
    oneshot: {
      args: ['run', '{{ permission }}', '{{ model }}', '{{ resume }}'],
      promptBy: 'stdin',
      resume: ['--session', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'hook' },
    },
    interactive: {
      args: ['{{ permission }}', '{{ model }}', '{{ resume }}', '--prompt', '{{ prompt }}'],
      promptBy: 'argument',
      resume: ['--session', '{{ conversation }}'],
      newConversation: null,
      finalMessage: { kind: 'hook' },
    },
  },
  model: ['--model', '{{ model }}'],
  permission: { modes: { default: [], auto: ['--auto'] }, skipping: ['auto'], skip: 'auto' },
  env: { OPENCODE_DISABLE_AUTOUPDATE: '1' },
  hooks: { kind: 'opencode-plugin' },
  screen: 'opencode',
  processes: ['opencode'],
  close: [
    { keys: '/exit', thenWaitMs: 700 },
    { keys: '\r', thenWaitMs: 5_000 },
  ],
  login: { env: [], files: ['.local/share/opencode/auth.json'], command: 'opencode providers login' },
  answering: { axis: 'horizontal', digits: false, showsSelection: false },
};

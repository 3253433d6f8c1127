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
 * - With `--session` the prompt is dropped, but not in the small interface (`--mini`).
 * - A plugin makes it install its dependencies into the user's configuration directory first (npm, so the network is tried: without
 *   one it paints nothing for 10–80 s). After `Reject` comes `session.idle`, as after an answer.
 * - `opencode run` ends before it has delivered `session.idle` to its plugins.
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
      resume: ['--mini', '--session', '{{ conversation }}'],
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
  goOn: 'continue',
};

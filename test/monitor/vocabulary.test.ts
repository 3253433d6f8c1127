import { describe, expect, test } from 'vitest';
import { judgeScreen } from '../../src/monitor/judge.ts';

/** Empty input lines as they stand below a conversation. */
const claudeIdle = '────────────────────────\n❯ \n────────────────────────\n  ? for shortcuts';
const codexIdle = '\n› Ask Codex to do anything\n\n  gpt-5 · 100% context left · ~/project';
/** Written from what many versions are known to say: program, kind, screen. */
const asking: readonly (readonly [string, string, string])[] = [
  [
    'claude',
    'rate-limit',
    "> Say hello\n\n  ⎿  API Error: Request rejected (429) · This request would exceed your account's rate limit. Please try again later.\n\n" +
      claudeIdle,
  ],
  ['claude', 'rate-limit', "> hi\n  ⎿  You've hit your limit · resets 3pm (UTC)\n\n" + claudeIdle],
  ['claude', 'rate-limit', "> hi\n⏺ You've hit your session limit · resets 3pm (UTC)\n\n" + claudeIdle],
  [
    'claude',
    'rate-limit',
    '> hi\n  ⎿  Claude usage limit reached. Your limit will reset at 3pm (America/New_York).\n\n      • /upgrade to increase your usage limit.\n\n' +
      claudeIdle,
  ],
  [
    'claude',
    'rate-limit',
    '> hi\n  ⎿  5-hour limit reached ∙ resets 3pm\n     /upgrade to increase your usage limit.\n\n✻ Worked for 2s\n' +
      claudeIdle,
  ],
  [
    'claude',
    'rate-limit',
    '> hi\n  ⎿  API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"x"}}\n\n' + claudeIdle,
  ],
  ['claude', 'rate-limit', '⏺ API Error: Rate limit reached\n\n✻ Baked for 0s\n\n' + claudeIdle],
  ['claude', 'rate-limit', '● Credit balance is too low\n\n' + claudeIdle],
  [
    'codex',
    'rate-limit',
    "› Say hello\n\n■ You've hit your usage limit. Upgrade to Pro (https://openai.com/chatgpt/pricing) or try again in 3 days 4 hours 9 minutes.\n" +
      codexIdle,
  ],
  ['codex', 'rate-limit', '› Say hello\n\n■ exceeded retry limit, last status: 429 Too Many Requests\n' + codexIdle],
  ['codex', 'rate-limit', '› Say hello\n\n■ The usage limit has been reached\n' + codexIdle],
  [
    'codex',
    'rate-limit',
    "› Say hello\n\n■ You've reached your usage limit. Try again at Oct 15th, 2025 3:05 PM.\n" + codexIdle,
  ],
  [
    'codex',
    'login',
    '› hi\n\n■ unexpected status 401 Unauthorized: Missing bearer or basic authentication in header\n' + codexIdle,
  ],
  [
    'codex',
    'login',
    '› hi\n\n■ Your access token could not be refreshed. Please log out and sign in again.\n' + codexIdle,
  ],
  [
    'codex',
    'login',
    '  Welcome to Codex\n\n  Sign in with ChatGPT to use Codex as part of your paid plan\n  or connect an API key for usage-based billing\n\n> 1. Sign in with ChatGPT\n     Usage included with Plus\n  2. Provide your own API key\n     Pay for what you use\n\n  Press Enter to continue',
  ],
  [
    'codex',
    'login',
    "  Finish signing in via your browser\n\n  If the link doesn't open automatically, open the following link to authenticate:\n\n  https://auth.openai.com/oauth/authorize?x=1\n\n  On a remote or headless machine? Use device auth.\n\n  Press Esc to cancel",
  ],
  [
    'gemini',
    'rate-limit',
    '✕ [API Error: You have exhausted your daily quota on this model.]\n\n╭──────────╮\n│ >   Type your message or @path/to/file │\n╰──────────╯\n~/p  no sandbox  gemini-2.5-pro',
  ],
  [
    'gemini',
    'rate-limit',
    'ℹ ⚡ You have reached your daily gemini-2.5-pro quota limit. You will be switched to the gemini-2.5-flash model for the rest of this session.\n\n● 1. Switch to flash\n  2. Stop',
  ],
  ['gemini', 'login', '⠏ Waiting for authentication... (Press Esc or Ctrl+C to cancel)'],
  ['qwen', 'rate-limit', '✕ [API Error: 429 Free allocated quota exceeded.]\n\n>   Type your message or @path/to/file'],
  [
    'copilot',
    'login',
    '● Please use /login to sign in to use Copilot\n\n╭──────╮\n│ ❯ Enter @ to mention files or / for commands │\n╰──────╯\n Ctrl+c Exit',
  ],
  [
    'claude',
    'login',
    'Select login method:\n\n❯ 1. Claude account with subscription · Pro, Max, Team, or Enterprise\n   2. Anthropic Console account · API usage billing\n',
  ],
  [
    'claude',
    'login',
    "Browser didn't open? Use the url below to sign in:\n\nhttps://claude.ai/oauth/authorize?code=true\n\nPaste code here if prompted > ",
  ],
  ['claude', 'login', '  ⎿  Invalid API key · Please run /login\n' + claudeIdle],
  ['claude', 'login', '  ⎿  OAuth token has expired. Please run /login\n' + claudeIdle],
  [
    'claude',
    'trust',
    'Do you trust the files in this folder?\n\n/home/dev/x\n\nClaude Code may read files in this folder.\n\n❯ 1. Yes, proceed\n  2. No, exit\n\nEnter to confirm · Esc to exit',
  ],
  ['kimi', 'login', 'LLM not set, send "/login" to login\n\n💫 '],
  [
    'aider',
    'login',
    'No LLM model was specified and no API keys were provided.\nLogin to OpenRouter or create a free account? (Y)es/(N)o [Yes]: ',
  ],
  [
    'opencode',
    'login',
    '  ┃  Connect a provider                    esc\n  ┃\n  ┃  Search\n  ┃\n  ┃  Popular\n  ┃  ● OpenCode Zen  (Recommended)\n  ┃    Anthropic  (Claude Max or API key)\n  ┃    GitHub Copilot\n',
  ],
  [
    'goose',
    'approval',
    '◆  Goose would like to call the above tool, do you allow?\n│  ● Allow \n│  ○ Always Allow \n│  ○ Deny \n└  ',
  ],
  [
    'crush',
    'approval',
    '╭───────────────────────╮\n│ Permission Required    │\n│ Tool bash              │\n│ rm -rf build           │\n│  Allow   Allow for Session   Deny  │\n│ ←/→ choose • enter confirm │\n╰───────────────────────╯',
  ],
  [
    'droid',
    'approval',
    'EXECUTE (npm test)\n\n> Yes, allow\n  Yes, and always allow low impact commands\n  No, cancel\n\nUse ↑↓ to navigate, Enter to select, Esc to cancel',
  ],
  [
    'amp',
    'login',
    'Welcome to Amp\n\nIf your browser does not open automatically, visit:\nhttps://ampcode.com/auth/cli-login?x=1\n\nPaste your code here:',
  ],
  ['cursor', 'login', 'Press any key to log in...'],
  [
    'cursor',
    'trust',
    '  Workspace Trust Required\n\n  Cursor Agent can execute code and access files in this directory.\n  Do you want to trust the contents of this directory?\n  /home/x\n\n  ▶ [a] Trust this workspace\n    [q] Quit\n\n Use arrow keys to navigate, Enter to select',
  ],
  ['x', 'approval', "Allow this action? Use 't' to trust (always allow) this tool for the session. [y/n/t]:\n\n>"],
  ['plandex', 'approval', '👉 Apply changes? (y)es | (n)o | (d)iff:  '],
  [
    'cline',
    'approval',
    "[act mode] Let Cline use this tool?\n  > Yes\n    Yes, and don't ask again for this task\n    No, with feedback",
  ],
  [
    'az',
    'login',
    'To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code ABCD1234 to authenticate.',
  ],
  ['npm', 'login', 'Login at:\nhttps://registry.example/login/abc\nPress ENTER to open in the browser...'],
  [
    'pi',
    'login',
    'Warning: No models available. Use /login or set an API key environment variable.\n\n────────────\n\n────────────\n~/p',
  ],
  ['x', 'approval', 'Proceed ([y]/n)? '],
  ['x', 'approval', 'Is this ok [y/N]: '],
  ['x', 'approval', 'Continue? (Y/n) › '],
  ['x', 'approval', 'Do you wish to continue? (yes/no) [no]: '],
  ['x', 'approval', 'Are you sure you want to delete? Type yes to confirm: '],
  ['x', 'question', 'Select an option [1-4]: '],
  ['x', 'question', 'Enter your name: '],
  ['x', 'password', "Enter passphrase for key '/home/dev/.ssh/id_ed25519': "],
  ['x', 'password', "dev@10.0.0.2's password: "],
  ['x', 'password', '(current) UNIX password: '],
  ['x', 'question', "Username for 'https://github.com': "],
  ['x', 'password', 'Vault password (default): '],
  ['x', 'password', 'Enter PIN for authenticator: '],
  ['x', 'password', 'Verification code: '],
];

/** What looks like a question and is none: program, screen. */
const calm: readonly (readonly [string, string])[] = [
  ['claude', '⏺ Should I go on with the documentation? (y/n)\n\n' + claudeIdle],
  [
    'claude',
    '⏺ The tool asks:\n\n     Do you want to proceed?\n     1. Yes\n     2. No\n\n  Answer 1 to go on.\n\n' +
      claudeIdle,
  ],
  [
    'claude',
    '> fix the login page\n\n⏺ The login page asked for a password twice. I removed the second prompt.\n\n' +
      claudeIdle,
  ],
  [
    'claude',
    '⏺ Bash(npm test)\n  ⎿  FAIL test/ask.test.js\n     Continue? [y/N]\n     error: expected y\n\n✻ Pondering… (12s · esc to interrupt)\n\n' +
      claudeIdle,
  ],
  ['claude', '⏺ The API answers 429 when the usage limit is reached; the client now waits.\n\n' + claudeIdle],
  [
    'claude',
    '⏺ Here is the plan:\n\n  1. Read the config\n  2. Write the parser\n  3. Run the tests\n\n  Would you like me to start?\n\n' +
      claudeIdle,
  ],
  ['claude', '  Approaching usage limit · resets at 7pm\n' + claudeIdle],
  ['claude', "  You've used 90% of your session limit · resets 3pm\n" + claudeIdle],
  [
    'claude',
    '⏺ Update(src/login.ts)\n  ⎿  Updated src/login.ts with 1 addition\n       14 +  const answer = await ask("Do you trust this folder? (y/n)");\n\n✻ Baked for 7s\n' +
      claudeIdle,
  ],
  [
    'claude',
    ' ☐ Write tests\n ☒ Read the code\n\n✶ Implementing… (44s · ↓ 2.1k tokens · esc to interrupt)\n\n' + claudeIdle,
  ],
  ['claude', '⏺ I added the key to .env.example. Never paste your API key into the code.\n\n' + claudeIdle],
  ['codex', '• Ran npm test\n  └ Do you want to continue? [y/N] y\n\n• All tests pass. Any questions?\n' + codexIdle],
  ['codex', '• Working (12s • esc to interrupt)\n' + codexIdle],
  [
    'codex',
    '✔ You approved codex to run git push\n\n• I pushed the branch. Would you like to open a pull request next?\n' +
      codexIdle,
  ],
  ['codex', '› 1. Yes, do that\n\n• Done: the option is now on by default.\n' + codexIdle],
  [
    'gemini',
    '✦ I can do one of these:\n\n  1. Refactor the parser\n  2. Add tests\n\n  Which would you like?\n\n╭────────────╮\n│ >   Type your message or @path/to/file │\n╰────────────╯\n ~/p   no sandbox   gemini-2.5-pro (99% context left)',
  ],
  [
    'gemini',
    '⠏ Reticulating splines (esc to cancel, 14s)\n\n╭────────────╮\n│ >   Type your message or @path/to/file │\n╰────────────╯',
  ],
  [
    'gemini',
    '✓  Shell git push\n   Username for https://example.org: dev\n\n✦ Pushed.\n\n╭────────────╮\n│ >   Type your message or @path/to/file │\n╰────────────╯',
  ],
  [
    'opencode',
    '     Shall I continue? (y/n)\n\n     ▣  Build · model · 14.0s\n\n  ┃\n  ┃  Build · model provider\n  ╹▀▀▀▀▀▀▀▀▀▀▀▀▀▀\n   ~/p                 ctrl+p commands',
  ],
  ['aider', 'Applied edit to ask.py\nCommit 1a2b3c4 fix: ask before removing? (y/n) in the loop\n\nask.py\n> '],
  [
    'copilot',
    '● Done. Do you want me to run the tests?\n\n╭──────────────╮\n│ ❯ Enter @ to mention files or / for commands │\n╰──────────────╯\n Ctrl+c Exit · Ctrl+r Expand recent',
  ],
  [
    'cursor',
    '  I changed two files. Run this command to check: npm test\n\n ┌────────────┐\n │ → Add a follow-up │\n └────────────┘\n  Auto · 12%',
  ],
  [
    'amp',
    '  Should I approve the pull request? I cannot do it myself.\n\n╭─────────────╮\n│                          │\n╰─────────────╯',
  ],
  ['x', 'dev@devbox:~/project$ '],
  [
    'x',
    'Are you sure you want to continue connecting (yes/no)? yes\nWarning: Permanently added 127.0.0.1 to the list of known hosts.\nEverything up-to-date',
  ],
  ['x', '$ git log --oneline\n1a2b3c4 ask: "Continue? [y/N]" before removing\n$ '],
  ['x', 'npm warn deprecated inflight@1.0.6: Do you want a good cache? Use lru-cache\n\nadded 14 packages in 2s'],
  ['x', '✔ Select a template › React\n✔ Install dependencies? … yes\n\nInstalling with npm...'],
  [
    'x',
    'Running 14 tests using 2 workers\n  ✓  1 asks for a password (12ms)\n  ✓  2 says "Press any key to continue" (9ms)\n\n  2 passed (1.2s)',
  ],
  ['x', 'To sign in, run az login. You are now logged in as dev@example.org.\nOpening nothing.'],
];

const at = Date.parse('2026-03-01T10:00Z');

describe('what many versions of many programs say', () => {
  test.each(asking)('%s: %s: %j', (agent, kind, screen) => {
    expect(judgeScreen({ lines: screen.split('\n'), agent }, at)).toMatchObject({ state: 'blocked', kind });
  });
});

describe('what only looks like a question', () => {
  test.each(calm)('%s: %j', (agent, screen) => {
    expect(judgeScreen({ lines: screen.split('\n'), agent }, at)).not.toMatchObject({ state: 'blocked' });
  });
});

test('the question of a padded status line is told without its padding', () => {
  const lines = ['', ...Array.from({ length: 22 }, () => '~'), `"x" [New]${' '.repeat(60)}0,0-1         All`];
  const judged = judgeScreen({ lines, cursor: { row: 0, col: 0, visible: true } }, 0);
  expect(judged).toMatchObject({ state: 'blocked', question: '"x" [New]  0,0-1  All' });
});

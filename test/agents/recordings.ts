import type { Turn } from '../support/model-endpoint.ts';
import type { Step } from './recorder.ts';

/** A session of a real program that is recorded: what the model does, what the person does, and what the screen is meanwhile. */
export interface Recording {
  readonly name: string;
  readonly agent: string;
  readonly cols: number;
  readonly rows: number;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly git?: boolean;
  /** Not the very first start: the trust question was answered before. */
  readonly trusted?: boolean;
  readonly files?: Readonly<Record<string, string>>;
  readonly turns: readonly Turn[];
  readonly steps: readonly Step[];
}

const UP = '\u001b[A';
const DOWN = '\u001b[B';
const RIGHT = '\u001b[C';
const ESC = '\u001b';
const ENTER = '\r';

const tool = (command: string, delayMs = 1_500): Turn => ({ kind: 'tool', command, delayMs });
const text = (words: string, paceMs = 40): Turn => ({ kind: 'text', text: words, paceMs, delayMs: 700 });

const long = `I looked at the three modules you named. The parser is fine as it is. The formatter drops the last line when the file does
not end with a newline, and the writer swallows the error. I fixed both and added a test for each.

- src/format.ts: keeps the last line
- src/write.ts: hands the error on

Any questions? Do you want me to proceed with the documentation next? (y/n) is a thing I would never ask, but a log might.`;

// ---------------------------------------------------------------------------------------------------------------- claude

const claudeTrust: Step[] = [
  {
    see: /❯ No, exit/,
    is: { state: 'blocked', kind: 'trust', choices: ['No, exit', 'Yes, I trust this folder'], selected: 0 },
  },
  { keys: DOWN },
  {
    see: /❯ Yes, I trust/,
    is: { state: 'blocked', kind: 'trust', choices: ['No, exit', 'Yes, I trust this folder'], selected: 1 },
    holdMs: 300,
  },
  { keys: ENTER },
];
const claudeWorking: Step = { see: /esc to interrupt/, is: { state: 'working' }, holdMs: 500 };
const claudeDone: Step = { see: /done \d+:\d+/, is: { state: 'done' }, holdMs: 1_500 };
const claudeExit: Step[] = [{ keys: '/exit' }, { passMs: 700 }, { keys: ENTER }, { end: true }];
const claudeAsk = (command: string, selected = 0): Step => ({
  see: /❯ 1\. Yes[\s\S]*Esc to cancel/,
  is: { state: 'blocked', kind: 'approval', command, selected },
});

const claude: Recording[] = [
  {
    name: 'claude-trust-approve',
    agent: 'claude',
    cols: 80,
    rows: 24,
    args: ['--permission-mode', 'default', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt'), text('I made notes.txt, as you asked.')],
    steps: [
      ...claudeTrust,
      claudeWorking,
      { ...claudeAsk('touch notes.txt'), holdMs: 7_500 },
      { keys: ENTER },
      claudeDone,
      ...claudeExit,
    ],
  },
  {
    name: 'claude-reject-by-arrows',
    agent: 'claude',
    cols: 120,
    rows: 40,
    trusted: true,
    args: ['--permission-mode', 'default', 'Clean the build directory'],
    turns: [tool('rm -rf build && mkdir build && ls -la build'), text('Then I leave it as it is.')],
    steps: [
      claudeWorking,
      claudeAsk('rm -rf build && mkdir build && ls -la build'),
      { keys: UP },
      {
        see: /❯ \d\. No/,
        is: { state: 'blocked', kind: 'approval', note: 'one up from the first row wraps to the last' },
        holdMs: 500,
      },
      { keys: ENTER },
      { passMs: 1_500 },
      { see: /❯/, is: { state: 'idle', note: 'rejected: the turn ends without a final message' }, holdMs: 1_000 },
      ...claudeExit,
    ],
  },
  {
    name: 'claude-approve-by-digit',
    agent: 'claude',
    cols: 60,
    rows: 20,
    trusted: true,
    args: ['--permission-mode', 'default', 'Check the types and then run the tests, please'],
    turns: [tool('echo "checking types" > types.log'), tool('echo "all green" > tests.log'), text(long)],
    steps: [
      claudeAsk('echo "checking types" > types.log'),
      { keys: '1' },
      { wait: /tests\.log/ },
      claudeAsk('echo "all green" > tests.log'),
      { keys: '1' },
      claudeDone,
      ...claudeExit,
    ],
  },
  {
    name: 'claude-edit-approval',
    agent: 'claude',
    cols: 100,
    rows: 30,
    trusted: true,
    args: ['--permission-mode', 'default', 'Write a greeting into hello.md'],
    turns: [
      {
        kind: 'call',
        calls: [
          {
            name: 'Write',
            args: {
              file_path: '/home/dev/project/hello.md',
              content: '# Hello\n\nDo you want to proceed? [y/N]\n1. Yes\n2. No\n',
            },
          },
        ],
        delayMs: 1_500,
      },
      text('The greeting is in hello.md.'),
    ],
    steps: [
      claudeWorking,
      { see: /❯ 1\. Yes/, is: { state: 'blocked', kind: 'approval', selected: 0 } },
      { keys: DOWN },
      { see: /❯ 2\. Yes/, is: { state: 'blocked', kind: 'approval', selected: 1 }, holdMs: 400 },
      { keys: UP },
      { passMs: 300 },
      { keys: ENTER },
      claudeDone,
      ...claudeExit,
    ],
  },
  {
    name: 'claude-long-work',
    agent: 'claude',
    cols: 80,
    rows: 24,
    trusted: true,
    args: ['--permission-mode', 'default', '--allowedTools', 'Bash', '--', 'Look at the logs'],
    turns: [
      tool('for i in 1 2 3 4 5 6; do echo "step $i: continue? [y/N] skipped"; sleep 1; done'),
      { kind: 'text', text: long, paceMs: 90, delayMs: 5_000 },
    ],
    steps: [
      { ...claudeWorking, holdMs: 3_000 },
      { see: /step|Running|Bash/, is: { state: 'working', note: 'a command runs' }, holdMs: 3_000 },
      { wait: /parser is fine/ },
      { see: /esc to interrupt/, is: { state: 'working', note: 'the answer streams' }, holdMs: 1_500 },
      claudeDone,
      ...claudeExit,
    ],
  },
  {
    name: 'claude-auth-error',
    agent: 'claude',
    cols: 100,
    rows: 30,
    trusted: true,
    args: ['--permission-mode', 'default', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 401,
        headers: { 'x-should-retry': 'false' },
        body: { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
      },
    ],
    steps: [
      { see: /Please run \/login|API Error|Invalid API key/, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 },
      ...claudeExit,
    ],
  },
  {
    name: 'claude-rate-limit',
    agent: 'claude',
    cols: 100,
    rows: 30,
    trusted: true,
    args: ['--permission-mode', 'default', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 429,
        headers: {
          'x-should-retry': 'false',
          'anthropic-ratelimit-unified-status': 'rejected',
          'anthropic-ratelimit-unified-reset': '1795300000',
        },
        body: {
          type: 'error',
          error: { type: 'rate_limit_error', message: 'This request would exceed your rate limit.' },
        },
      },
    ],
    steps: [{ see: /limit/i, is: { state: 'blocked', kind: 'rate-limit' }, holdMs: 1_500 }, ...claudeExit],
  },
  {
    name: 'claude-not-logged-in',
    agent: 'claude',
    cols: 80,
    rows: 24,
    args: [],
    env: { ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: '' },
    turns: [],
    steps: [...claudeTrust, { see: /login/i, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }],
  },
];

// ----------------------------------------------------------------------------------------------------------------- codex

const codexTrustChoices = ['Trust and continue', 'Back to Agent Command Center'];
const codexTrust: Step[] = [
  { see: /› 1\. Trust and continue/, is: { state: 'blocked', kind: 'trust', choices: codexTrustChoices, selected: 0 } },
  { keys: ENTER },
];
const codexWorking: Step = { see: /esc to interrupt/, is: { state: 'working' }, holdMs: 400 };
const codexAsk = (command: string): Step => ({
  see: /› 1\. Yes, proceed/,
  is: { state: 'blocked', kind: 'approval', command, selected: 0 },
});
const codexDone: Step = { see: /Worked for/, is: { state: 'done' }, holdMs: 1_500 };
const codexExit: Step[] = [{ keys: '/quit' }, { passMs: 700 }, { keys: ENTER }, { end: true }];

const codex: Recording[] = [
  {
    name: 'codex-trust-approve',
    agent: 'codex',
    cols: 80,
    rows: 24,
    git: true,
    args: ['--no-daemon', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt'), text('I made notes.txt, as you asked.')],
    steps: [
      ...codexTrust,
      codexWorking,
      { ...codexAsk('touch notes.txt'), holdMs: 5_000 },
      { keys: ENTER },
      codexDone,
      ...codexExit,
    ],
  },
  {
    name: 'codex-reject-by-arrows',
    agent: 'codex',
    cols: 120,
    rows: 40,
    git: true,
    trusted: true,
    args: ['--no-daemon', 'Clean the build directory'],
    turns: [tool('rm -rf build && mkdir build'), text('Then I leave it as it is.')],
    steps: [
      codexWorking,
      codexAsk('rm -rf build && mkdir build'),
      { keys: DOWN },
      { passMs: 200 },
      { keys: DOWN },
      {
        see: /› 3\. No/,
        is: { state: 'blocked', kind: 'approval', selected: 2, command: 'rm -rf build && mkdir build' },
        holdMs: 400,
      },
      { keys: ENTER },
      { passMs: 1_500 },
      { see: /›/, is: { state: 'idle', note: 'rejected: the turn ends without a final message' }, holdMs: 1_000 },
      ...codexExit,
    ],
  },
  {
    name: 'codex-approve-by-digit',
    agent: 'codex',
    cols: 60,
    rows: 20,
    trusted: true,
    args: ['--no-daemon', 'Check the types and then run the tests, please'],
    turns: [tool('echo checking types > types.log'), tool('echo all green > tests.log'), text(long)],
    steps: [
      codexAsk('echo checking types > types.log'),
      { keys: '1' },
      { wait: /tests\.log/ },
      codexAsk('echo all green > tests.log'),
      { keys: 'y' },
      codexDone,
      ...codexExit,
    ],
  },
  {
    name: 'codex-long-work',
    agent: 'codex',
    cols: 100,
    rows: 30,
    trusted: true,
    args: ['--no-daemon', '-a', 'never', '-s', 'danger-full-access', 'Look at the logs'],
    turns: [
      {
        kind: 'call',
        calls: [
          {
            name: 'exec_command',
            args: { cmd: 'for i in 1 2 3 4 5 6; do echo "step $i: continue? [y/N] skipped"; sleep 1; done' },
          },
        ],
        delayMs: 1_500,
      },
      { kind: 'text', text: long, paceMs: 90, delayMs: 5_000 },
    ],
    steps: [
      { ...codexWorking, holdMs: 3_000 },
      { wait: /parser is fine/ },
      { see: /parser is fine/, is: { state: 'working', note: 'the answer streams' }, holdMs: 1_000 },
      codexDone,
      ...codexExit,
    ],
  },
  {
    name: 'codex-usage-limit',
    agent: 'codex',
    cols: 100,
    rows: 30,
    trusted: true,
    args: ['--no-daemon', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 429,
        body: {
          error: {
            type: 'usage_limit_reached',
            message: 'The usage limit has been reached',
            plan_type: 'plus',
            resets_at: 1795300000,
            resets_in_seconds: 3600,
          },
        },
      },
    ],
    steps: [{ see: /limit/i, is: { state: 'blocked', kind: 'rate-limit' }, holdMs: 1_500 }, ...codexExit],
  },
  {
    name: 'codex-auth-error',
    agent: 'codex',
    cols: 80,
    rows: 24,
    trusted: true,
    args: ['--no-daemon', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 401,
        body: {
          error: {
            message: 'Incorrect API key provided: scripted-key',
            type: 'invalid_request_error',
            code: 'invalid_api_key',
          },
        },
      },
    ],
    steps: [{ see: /401|Unauthorized|API key/i, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }, ...codexExit],
  },
  {
    name: 'codex-not-logged-in',
    agent: 'codex',
    cols: 100,
    rows: 30,
    args: ['--no-daemon', '-c', 'model_provider="openai"', 'Say hello'],
    env: { OPENAI_API_KEY: '' },
    turns: [],
    steps: [{ see: /Sign in|sign in|log ?in/i, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }],
  },
];

// -------------------------------------------------------------------------------------------------------------- opencode

const buttons = ['Allow once', 'Allow always', 'Reject'];
const opencodeWorking: Step = { see: /esc interrupt/, is: { state: 'working' }, holdMs: 500 };
const opencodeAsk = (command: string): Step => ({
  see: /Permission required[\s\S]*Allow once/,
  is: { state: 'blocked', kind: 'approval', choices: buttons, selected: 0, command },
});
const opencodeDone: Step = { see: /▣ .* · [\d.]+m?s/, is: { state: 'done' }, holdMs: 1_500 };
const opencodeExit: Step[] = [{ keys: '/exit' }, { passMs: 700 }, { keys: ENTER }, { end: true }];

const opencode: Recording[] = [
  {
    name: 'opencode-approve',
    agent: 'opencode',
    cols: 80,
    rows: 24,
    args: ['--prompt', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt', 2_500), text('I made notes.txt, as you asked.')],
    steps: [
      opencodeWorking,
      { ...opencodeAsk('touch notes.txt'), holdMs: 5_000 },
      { keys: ENTER },
      opencodeDone,
      ...opencodeExit,
    ],
  },
  {
    name: 'opencode-reject-by-arrows',
    agent: 'opencode',
    cols: 120,
    rows: 40,
    git: true,
    args: ['--prompt', 'Clean the build directory'],
    turns: [tool('rm -rf build && mkdir build', 2_500), text('Then I leave it as it is.')],
    steps: [
      opencodeWorking,
      opencodeAsk('rm -rf build && mkdir build'),
      { keys: RIGHT },
      { passMs: 300 },
      { keys: RIGHT },
      { passMs: 300 },
      {
        see: /Reject/,
        is: {
          state: 'blocked',
          kind: 'approval',
          choices: buttons,
          selected: 2,
          command: 'rm -rf build && mkdir build',
        },
        holdMs: 400,
      },
      { keys: ENTER },
      { passMs: 1_500 },
      {
        see: /Reject permission|Tell|ctrl\+p/,
        is: { state: 'blocked', kind: 'question', note: 'asks for words to go with the rejection' },
        holdMs: 1_000,
      },
      { keys: ENTER },
      { passMs: 1_500 },
      { see: /ctrl\+p/, is: { state: 'idle' }, holdMs: 1_000 },
      ...opencodeExit,
    ],
  },
  {
    name: 'opencode-always',
    agent: 'opencode',
    cols: 60,
    rows: 20,
    args: ['--prompt', 'Check the types and then run the tests, please'],
    turns: [tool('echo checking types > types.log', 2_500), text(long)],
    steps: [
      opencodeAsk('echo checking types > types.log'),
      { keys: RIGHT },
      { passMs: 400 },
      { keys: ENTER },
      { passMs: 1_000 },
      {
        see: /Always allow|Confirm/i,
        is: { state: 'blocked', kind: 'approval', choices: ['Confirm', 'Cancel'], selected: 0 },
        holdMs: 800,
      },
      { keys: ENTER },
      opencodeDone,
      ...opencodeExit,
    ],
  },
  {
    name: 'opencode-edit-approval',
    agent: 'opencode',
    cols: 100,
    rows: 30,
    args: ['--prompt', 'Write a greeting into hello.md'],
    turns: [
      {
        kind: 'call',
        calls: [
          {
            name: 'write',
            args: {
              filePath: '/home/dev/project/hello.md',
              content: '# Hello\n\nDo you want to proceed? [y/N]\n1. Yes\n2. No\n',
            },
          },
        ],
        delayMs: 2_500,
      },
      text('The greeting is in hello.md.'),
    ],
    steps: [
      opencodeWorking,
      { see: /Permission required/, is: { state: 'blocked', kind: 'approval', choices: buttons, selected: 0 } },
      { keys: ENTER },
      opencodeDone,
      ...opencodeExit,
    ],
  },
  {
    name: 'opencode-long-work',
    agent: 'opencode',
    cols: 80,
    rows: 24,
    args: ['--auto', '--prompt', 'Look at the logs'],
    turns: [
      tool('for i in 1 2 3 4 5 6; do echo "step $i: continue? [y/N] skipped"; sleep 1; done', 2_500),
      { kind: 'text', text: long, paceMs: 90, delayMs: 5_000 },
    ],
    steps: [
      { ...opencodeWorking, holdMs: 3_000 },
      { wait: /parser is fine/, withinMs: 90_000 },
      { see: /esc interrupt/, is: { state: 'working', note: 'the answer streams' }, holdMs: 1_000 },
      opencodeDone,
      ...opencodeExit,
    ],
  },
  {
    name: 'opencode-mini-approve',
    agent: 'opencode',
    cols: 80,
    rows: 24,
    args: ['--mini', '--prompt', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt', 2_500), text('I made notes.txt, as you asked.')],
    steps: [
      {
        see: /Permission required|Allow once/i,
        is: { state: 'blocked', kind: 'approval', command: 'touch notes.txt' },
      },
      { keys: ENTER },
      { wait: /I made notes\.txt/ },
      { passMs: 2_000 },
      { see: /I made notes\.txt/, is: { state: 'done' }, holdMs: 1_500 },
    ],
  },
  {
    name: 'opencode-rate-limit',
    agent: 'opencode',
    cols: 100,
    rows: 30,
    args: ['--prompt', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 429,
        headers: { 'retry-after': '3600' },
        body: { error: { message: 'Rate limit reached for requests', type: 'rate_limit_error' } },
      },
    ],
    steps: [{ see: /rate limit|retry/i, is: { state: 'blocked', kind: 'rate-limit' }, holdMs: 1_500 }],
  },
  {
    name: 'opencode-auth-error',
    agent: 'opencode',
    cols: 80,
    rows: 24,
    args: ['--prompt', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 401,
        body: { error: { message: 'Incorrect API key provided', type: 'invalid_request_error' } },
      },
    ],
    steps: [{ see: /API key|Unauthorized/i, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }],
  },
];

// ------------------------------------------------------------------------------------------------------------------ qwen

const qwenWorking: Step = { see: /esc to cancel\)/, is: { state: 'working' }, holdMs: 400 };
const qwenAsk = (command: string): Step => ({
  see: /› 1\. Yes, allow once/,
  is: { state: 'blocked', kind: 'approval', selected: 0, command },
});
const qwenDone: Step = { see: /◆[\s\S]*shift \+ tab/, is: { state: 'done' }, holdMs: 1_500 };
const qwenExit: Step[] = [{ keys: '/quit' }, { passMs: 700 }, { keys: ENTER }, { end: true }];

const qwen: Recording[] = [
  {
    name: 'qwen-approve',
    agent: 'qwen',
    cols: 80,
    rows: 24,
    args: ['--approval-mode', 'default', '-i', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt', 2_500), text('I made notes.txt, as you asked.')],
    steps: [qwenWorking, { ...qwenAsk('touch notes.txt'), holdMs: 1_000 }, { keys: ENTER }, qwenDone, ...qwenExit],
  },
  {
    name: 'qwen-reject-by-arrows',
    agent: 'qwen',
    cols: 120,
    rows: 40,
    git: true,
    args: ['--approval-mode', 'default', '-i', 'Clean the build directory'],
    turns: [tool('rm -rf build && mkdir build', 2_500), text('Then I leave it as it is.')],
    steps: [
      qwenWorking,
      qwenAsk('rm -rf build && mkdir build'),
      { keys: UP },
      { passMs: 500 },
      {
        see: /› \d\. No/,
        is: {
          state: 'blocked',
          kind: 'approval',
          command: 'rm -rf build && mkdir build',
          note: 'one up from the first row wraps to the last',
        },
        holdMs: 400,
      },
      { keys: ENTER },
      { passMs: 1_500 },
      {
        see: /Type your message/,
        is: { state: 'idle', note: 'rejected: the turn ends without a final message' },
        holdMs: 1_000,
      },
      ...qwenExit,
    ],
  },
  {
    name: 'qwen-auto-mode-digit',
    agent: 'qwen',
    cols: 60,
    rows: 20,
    args: ['-i', 'Check the types and then run the tests, please'],
    turns: [tool('echo checking types > types.log', 2_500), text(long)],
    steps: [qwenAsk('echo checking types > types.log'), { keys: '1' }, qwenDone, ...qwenExit],
  },
  {
    name: 'qwen-edit-approval',
    agent: 'qwen',
    cols: 100,
    rows: 30,
    args: ['--approval-mode', 'default', '-i', 'Write a greeting into hello.md'],
    turns: [
      {
        kind: 'call',
        calls: [
          {
            name: 'write_file',
            args: {
              file_path: '/home/dev/project/hello.md',
              content: '# Hello\n\nDo you want to proceed? [y/N]\n1. Yes\n2. No\n',
            },
          },
        ],
        delayMs: 2_500,
      },
      text('The greeting is in hello.md.'),
    ],
    steps: [
      qwenWorking,
      { see: /› 1\. Yes/, is: { state: 'blocked', kind: 'approval', selected: 0 } },
      { keys: ENTER },
      qwenDone,
      ...qwenExit,
    ],
  },
  {
    name: 'qwen-long-work',
    agent: 'qwen',
    cols: 80,
    rows: 24,
    args: ['--approval-mode', 'yolo', '-i', 'Look at the logs'],
    turns: [
      tool('for i in 1 2 3; do echo "step $i: continue? [y/N] skipped"; sleep 1; done', 2_500),
      { kind: 'text', text: long, paceMs: 30, delayMs: 2_500 },
    ],
    steps: [
      { ...qwenWorking, holdMs: 3_000 },
      { wait: /parser is fine/ },
      { see: /parser is fine/, is: { state: 'working', note: 'the answer streams' }, holdMs: 1_000 },
      { wait: /never ask/ },
      { passMs: 2_000 },
      qwenDone,
      ...qwenExit,
    ],
  },
  {
    name: 'qwen-rate-limit',
    agent: 'qwen',
    cols: 100,
    rows: 30,
    args: ['-i', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 429,
        body: {
          error: { message: 'Rate limit reached for requests', type: 'rate_limit_error', code: 'rate_limit_exceeded' },
        },
      },
    ],
    steps: [
      { see: /esc to cancel/, is: { state: 'working', note: '429 is tried again without a word' }, holdMs: 3_000 },
    ],
  },
  {
    name: 'qwen-auth-error',
    agent: 'qwen',
    cols: 80,
    rows: 24,
    args: ['-i', 'Say hello'],
    turns: [
      {
        kind: 'status',
        status: 401,
        body: {
          error: { message: 'Incorrect API key provided', type: 'invalid_request_error', code: 'invalid_api_key' },
        },
      },
    ],
    steps: [{ see: /API key|401|API Error/i, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }],
  },
  {
    name: 'qwen-not-logged-in',
    agent: 'qwen',
    cols: 80,
    rows: 24,
    args: [],
    env: { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', OPENAI_MODEL: '', NO_QWEN_SETTINGS: '1' },
    turns: [],
    steps: [{ see: /Connect a Provider/, is: { state: 'blocked', kind: 'login' }, holdMs: 1_500 }],
  },
];

// ---------------------------------------------------------------------------------------------------------- gemini, kimi

const gemini: Recording[] = [
  {
    name: 'gemini-trust-approve',
    agent: 'gemini',
    cols: 100,
    rows: 34,
    args: ['--model', 'gemini-2.5-pro', '-i', 'Make a file notes.txt'],
    turns: [tool('touch notes.txt', 2_500), text('I made notes.txt, as you asked.')],
    steps: [
      {
        see: /● 1\. Trust folder/,
        is: {
          state: 'blocked',
          kind: 'trust',
          choices: ['Trust folder (project)', 'Trust parent folder (dev)', "Don't trust"],
          selected: 0,
        },
      },
      { keys: ENTER },
      { wait: /restarting/ },
      { see: /esc to cancel/, is: { state: 'working' }, holdMs: 400 },
      {
        see: /● 1\. Allow once/,
        is: { state: 'blocked', kind: 'approval', selected: 0, command: 'touch notes.txt' },
        holdMs: 4_000,
      },
      { keys: ENTER },
      { wait: /I made notes\.txt/ },
      { passMs: 1_500 },
      { see: /Type your message/, is: { state: 'done' }, holdMs: 1_500 },
      { keys: '/quit' },
      { passMs: 700 },
      { keys: ENTER },
      { end: true },
    ],
  },
  {
    name: 'gemini-reject',
    agent: 'gemini',
    cols: 80,
    rows: 24,
    args: ['--skip-trust', '--model', 'gemini-2.5-pro', '-i', 'Clean the build directory'],
    turns: [tool('rm -rf build', 2_500), text('Then I leave it as it is.')],
    steps: [
      { see: /esc to cancel/, is: { state: 'working' }, holdMs: 400 },
      { see: /● 1\. Allow once/, is: { state: 'blocked', kind: 'approval', selected: 0, command: 'rm -rf build' } },
      { keys: ESC },
      { passMs: 2_000 },
      {
        see: /Type your message/,
        is: { state: 'idle', note: 'rejected: the turn ends without a final message' },
        holdMs: 1_000,
      },
      { keys: '/quit' },
      { passMs: 700 },
      { keys: ENTER },
      { end: true },
    ],
  },
];

const kimi: Recording[] = [
  {
    name: 'kimi-trust-approve',
    agent: 'kimi',
    cols: 80,
    rows: 24,
    git: true,
    args: [],
    turns: [tool('touch notes.txt', 2_500), text('I made notes.txt, as you asked.')],
    steps: [
      {
        see: /❯ Trust this folder/,
        is: { state: 'blocked', kind: 'trust', choices: ['Trust this folder', "Don't trust"], selected: 0 },
      },
      { keys: ENTER },
      { see: /Welcome to Kimi[\s\S]*context:/, is: { state: 'idle' } },
      { keys: 'Make a file notes.txt' },
      { passMs: 500 },
      { keys: ENTER },
      { passMs: 1_200 },
      { see: /./, is: { state: 'working' }, holdMs: 300 },
      {
        see: /approve|Approve|Allow|Yes/,
        is: { state: 'blocked', kind: 'approval', selected: 0, command: 'touch notes.txt' },
        holdMs: 4_000,
      },
      { keys: ENTER },
      { wait: /I made notes\.txt/ },
      { passMs: 1_500 },
      { see: /context:/, is: { state: 'done' }, holdMs: 1_500 },
      { keys: '/quit' },
      { passMs: 700 },
      { keys: ENTER },
      { end: true },
    ],
  },
];

export const recordings: readonly Recording[] = [...claude, ...codex, ...opencode, ...qwen, ...gemini, ...kimi];

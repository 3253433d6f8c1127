import {
  boolean,
  choice,
  either,
  integer,
  json,
  list,
  mapped,
  numeric,
  record,
  refused,
  seconds,
  table,
  text,
  type Type,
} from './types.ts';

/** Every key of a DAG file. What the words mean together is checked in `build.ts`; here is what each may hold. */

const anyText = text({ empty: true });
const texts = list(text());
const env = record(anyText, /^[A-Za-z_][A-Za-z0-9_]*$/u, 'a name of a variable: letters, digits and _');
const capitals = {
  Mechanical: 'mechanical',
  Recommended: 'recommended',
  Confirmed: 'confirmed',
  Arbitrated: 'arbitrated',
} as const;
const levelWord = choice(['mechanical', 'recommended', 'confirmed', 'arbitrated'], capitals);
const action = choice(['execute', 'skip', 'abort'], { Execute: 'execute', Skip: 'skip', Abort: 'abort' });
const inLevel = { noun: () => '`level`', also: { timeout: 'timeout_secs' } } as const;

const levelKeys = {
  retry: integer(0, 1000),
  timeout_secs: seconds,
  default_action: action,
  stakeholders: list(text(), 1),
} as const;
const levelBody = table(levelKeys, inLevel);

/** A level is written with a `type`, as a bare word, or with its word as the key. */
const levelTable = table(
  {
    type: levelWord,
    ...levelKeys,
    Mechanical: either('a table', { table: levelBody, null: null }),
    Recommended: levelBody,
    Confirmed: either('a table', { table: levelBody, null: null }),
    Arbitrated: levelBody,
  },
  inLevel,
);

const retry = either<RetryDraft>('a whole number or a table', {
  number: mapped(integer(0, 1000), (max) => ({ max })),
  table: table(
    {
      max: integer(0, 1000),
      backoff_secs: numeric(
        'a number of seconds',
        { type: 'number', minimum: 0, maximum: 86_400 },
        (n) => n >= 0 && n <= 86_400,
      ),
      max_backoff_secs: seconds,
      on: list(choice(['failure', 'timeout', 'lost'])),
    },
    { noun: () => '`retry`' },
  ),
});

interface RetryDraft {
  readonly max?: number;
  readonly backoff_secs?: number;
  readonly max_backoff_secs?: number;
  readonly on?: readonly ('failure' | 'timeout' | 'lost')[];
}

const apiKey = either<string>('a table like { env = "NAME" }', {
  table: mapped(
    table(
      { env: text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/u, what: 'the name of a variable' }) },
      { noun: () => '`api_key`', required: ['env'] },
    ),
    (value) => value.env,
  ),
  string: refused(
    '`api_key` must not hold a key: the file is kept with the run and shown',
    'put the key into an environment variable and write api_key = { env = "NAME" }',
    true,
  ),
});

const agentConfig = table(
  {
    model: text(),
    provider_type: text(),
    base_url: text({ pattern: /^https?:\/\//u, what: 'an address that begins with http:// or https://' }),
    temperature: numeric('a number from 0 to 2', { type: 'number', minimum: 0, maximum: 2 }, (n) => n >= 0 && n <= 2),
    max_tokens: integer(1),
    timeout_secs: seconds,
    permission_mode: text(),
    system_prompt: text(),
    api_key: apiKey,
    runtime: text(),
    keep_agent: boolean,
    reuse_agent_id: text(),
  },
  { noun: () => '`agent_config`' },
);

const nodeSelector = table(
  {
    arch: text(),
    os: text(),
    features: texts,
    labels: record(anyText, /./u, 'a label'),
    min_resources: record(
      numeric('a number, 0 or more', { type: 'number', minimum: 0 }, (n) => n >= 0),
      /./u,
      'the name of a resource',
    ),
  },
  { noun: () => '`node_selector`' },
);

const matrixValue = either<string>('a text, a number, true or false', {
  string: text(),
  number: mapped(numeric('a number', { type: 'number' }, Number.isFinite), String),
  boolean: mapped(boolean, String),
});

const regularExpression = mapped(text(), (pattern, at, say) => {
  try {
    return new RegExp(pattern, 'u').source === '' ? undefined : pattern;
  } catch (error) {
    say({
      message: `\`match\`: ${error instanceof Error ? error.message : 'not a regular expression'}`,
      at,
      part: 'value',
    });
    return undefined;
  }
});

const answers = list(
  table(
    { name: text(), agent: text(), kind: text(), match: regularExpression, choose: text(), max_times: integer(1) },
    { noun: () => '`answers`', required: ['match', 'choose'] },
  ),
);

const priority = either<string>('a whole number or one of low, normal, high, critical', {
  number: mapped(integer(-1_000_000, 1_000_000), String),
  string: choice(['low', 'normal', 'medium', 'high', 'critical']),
});

/** `{ key = value }` where the value alone is meant: a spelling of older files. */
function boxed<T>(key: string, type: Type<T>): Type<T> {
  return mapped(table({ [key]: type }, { noun: () => `\`${key}\``, required: [key] }), (value) => value[key]);
}

const task = table(
  {
    id: text(),
    name: text(),
    description: anyText,
    type: choice(['command', 'shell', 'agent', 'skill']),
    command: anyText,
    prompt: anyText,
    agent: text(),
    skill: text(),
    method: choice(['execute']),
    deps: texts,
    level: either<unknown>('a word or a table', { string: levelWord, table: levelTable }) as Type<string | LevelTable>,
    retry,
    priority,
    timeout_secs: either('a number of seconds', { number: seconds, table: boxed('timeout', seconds) }),
    timeout_counts_blocked: boolean,
    condition: text(),
    on_failure: text(),
    rollback: either<readonly string[]>('a list of commands', {
      list: texts,
      string: mapped(text(), (one) => [one]),
      table: boxed('commands', texts),
    }),
    idempotent: either('true or false', { boolean, table: boxed('idempotent', boolean) }),
    env,
    work_dir: text(),
    shell: text({ pattern: /^[^\n\r]*\S[^\n\r]*$/u, what: 'a program, such as /bin/bash' }),
    outputs: texts,
    context: choice(['deps', 'ancestors', 'none']),
    context_limit: integer(0, 1_048_576),
    workspace: choice(['shared', 'worktree']),
    keep_agent: boolean,
    reuse_agent: text(),
    agent_config: agentConfig,
    mode: choice(['oneshot', 'interactive']),
    model: text(),
    permission_mode: text(),
    unblock_timeout_secs: seconds,
    on_blocked: choice(['wait', 'skip', 'fail']),
    release_slot_when_blocked: boolean,
    on_rate_limit: choice(['block', 'wait']),
    answers,
    target_node: text(),
    node_selector: nodeSelector,
    tier: integer(0, 2),
    tier_fallback: choice(['graceful', 'strict']),
    prefer_local: boolean,
    needs: texts,
    matrix: record(list(matrixValue, 1), /^[A-Za-z_][A-Za-z0-9_-]*$/u, 'a name: letters, digits, _ and -'),
  },
  {
    noun: (value) => (typeof value['id'] === 'string' ? `task \`${value['id'].slice(0, 100)}\`` : 'a task'),
    also: { depends_on: 'deps', dependencies: 'deps', agent_runtime: 'agent' },
    required: ['id'],
  },
);

const policyWord = choice(['all_success', 'first_success', 'allow_debt', 'continue_until_blocking']);
const policy = either<PolicyDraft>('a word or a table', {
  string: mapped(policyWord, (type) => ({ type })),
  table: table(
    { type: policyWord, max_retries: integer(0, 1000), continue_on_failure: boolean },
    { noun: () => '`policy`' },
  ),
});

interface PolicyDraft {
  readonly type?: 'all_success' | 'first_success' | 'allow_debt' | 'continue_until_blocking';
  readonly max_retries?: number;
  readonly continue_on_failure?: boolean;
}

const dagKeys = {
  id: text(),
  name: text(),
  description: anyText,
  version: text(),
  author: text(),
  tags: texts,
  policy,
  max_workers: integer(1, 1000),
  default_agent: text(),
  work_dir: text(),
  env,
  vars: record(anyText, /^[A-Za-z_][A-Za-z0-9_-]*$/u, 'a name: letters, digits, _ and -'),
  todo: list(record(json, /^[\s\S]*$/u, 'a key')),
  scope: either<unknown>('a text or a table', { string: text(), table: record(json, /^[\s\S]*$/u, 'a key') }),
  priority,
  target_node: text(),
  auto_attach_on_block: boolean,
  adaptive: either<never>('nothing', {
    table: refused('`adaptive` rules are not supported', 'use `priority`, `retry`, `condition` and `on_failure`'),
  }),
  matrix: table(
    { room: text(), encrypted: boolean, sensitive: boolean, broadcast_output: boolean },
    { noun: () => '`matrix`' },
  ),
  tasks: list(task, 1),
} as const;
const dagAlso = { agent: 'default_agent', dag_id: 'id', execution_policy: 'policy' } as const;

const dag = table(
  { ...dagKeys, dag: table({ env }, { noun: () => '`dag.dag`' }) },
  { noun: () => '`dag`', also: dagAlso },
);

const skill = table(
  { name: text(), version: text(), description: anyText, author: anyText, type: choice(['dag']) },
  { noun: () => '`skill`' },
);

const metadata = table(
  {
    id: text(),
    name: text(),
    version: text(),
    description: anyText,
    author: anyText,
    tags: texts,
    created_at: anyText,
  },
  { noun: () => '`metadata`' },
);

/** A whole file. The keys of `[dag]` may stand at the top as well, as they do in the short shapes. */
export const dagFile = table(
  { ...dagKeys, dag, skill, metadata, $schema: text() },
  { noun: () => 'the file', also: dagAlso },
);

type Value<T> = T extends Type<infer V> ? V : never;
type LevelTable = Value<typeof levelTable>;
export type TaskDraft = Value<typeof task>;
export type FileDraft = Value<typeof dagFile>;

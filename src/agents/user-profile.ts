import { err, ok, type Result } from '../domain/result.ts';
import { parseRules } from '../monitor/parse-rules.ts';
import type { AgentProfile, CloseStep, FinalMessage, Form, NoForm, PromptBy } from './profile.ts';
import { placeholdersOf } from './template.ts';

type Table = Readonly<Record<string, unknown>>;

/**
 * Makes a profile of a table `[agents.NAME]`: on top of a known one of that name, or on its own. The error names the key and says what
 * it must be.
 */
export function parseUserProfile(name: string, table: Table, known: AgentProfile | null): Result<AgentProfile, string> {
  const problem = firstProblem(name, table);
  if (problem !== null) return err(problem);
  const base = known ?? blank(name, table);
  const oneshot = formOf(table, 'oneshot', base.forms.oneshot);
  const interactive = formOf(table, 'interactive', base.forms.interactive);
  const forms = { oneshot: withResume(oneshot, table), interactive: withResume(interactive, table) };
  if ('missing' in oneshot && 'missing' in interactive) {
    return err(`[agents.${name}] needs \`command\`, \`oneshot\` or \`interactive\`: the arguments it is started with`);
  }
  const close = table['close'];
  return ok({
    ...base,
    program: programOf(table) ?? base.program,
    forms,
    version: strings(table['version'])?.slice(1) ?? base.version,
    env: { ...base.env, ...(table['env'] as Record<string, string> | undefined) },
    close: typeof close === 'string' ? closeSteps(close) : base.close,
  });
}

/** The defaults of a task that names none. */
export interface AgentDefaults {
  readonly model?: string;
  readonly permissionMode?: string;
  readonly skipPermissions: boolean;
}

export function parseAgentDefaults(table: Table | undefined): AgentDefaults {
  const model = table?.['model'];
  const mode = table?.['permission_mode'];
  return {
    ...(typeof model === 'string' ? { model } : {}),
    ...(typeof mode === 'string' ? { permissionMode: mode } : {}),
    skipPermissions: table?.['skip_permissions'] === true,
  };
}

const lists = ['command', 'oneshot', 'interactive', 'resume', 'version'];
const texts = ['prompt', 'close', 'model', 'permission_mode'];
const promptWays: readonly unknown[] = ['argument', 'file', 'stdin'];

function firstProblem(name: string, table: Table): string | null {
  const at = (key: string): string => `[agents.${name}] \`${key}\``;
  for (const key of lists) {
    const list = strings(table[key]);
    if (table[key] !== undefined && (list === null || list.length === 0))
      return `${at(key)} must be a list of texts, the program first`;
  }
  for (const key of texts)
    if (table[key] !== undefined && typeof table[key] !== 'string') return `${at(key)} must be text`;
  if (table['prompt'] !== undefined && !promptWays.includes(table['prompt']))
    return `${at('prompt')} must be "argument", "file" or "stdin"`;
  if (table['skip_permissions'] !== undefined && typeof table['skip_permissions'] !== 'boolean')
    return `${at('skip_permissions')} must be true or false`;
  if (!isEnv(table['env'])) return `${at('env')} must be a table of texts`;
  if (!isFinalMessage(table['final_message']))
    return `${at('final_message')} must be { kind = "hook" | "file" | "json" | "json-lines" | "screen", path = […] }`;
  const rules = table['rules'] === undefined ? null : parseRules(name, table['rules']);
  if (rules !== null && !rules.ok) return rules.error.join('; ');
  return null;
}

function blank(name: string, table: Table): AgentProfile {
  const missing = { missing: `[agents.${name}] has no such form` };
  return {
    name,
    title: name,
    program: programOf(table) ?? name,
    triedVersions: [],
    version: ['--version'],
    forms: { oneshot: missing, interactive: missing },
    model: ['--model', '{{ model }}'],
    permission: { modes: { default: [] }, skipping: [], skip: null },
    env: {},
    hooks: { kind: 'none' },
    screen: name,
    processes: [],
    close: [
      { keys: '\u0003', thenWaitMs: 500 },
      { keys: '\u0003', thenWaitMs: 2_000 },
    ],
    login: { env: [], files: [], command: '' },
    answering: { axis: 'vertical', digits: true, showsSelection: true },
    goOn: 'continue',
  };
}

function programOf(table: Table): string | null {
  for (const key of ['command', 'oneshot', 'interactive']) {
    const list = strings(table[key]);
    if (list?.[0] !== undefined) return list[0];
  }
  return null;
}

function formOf(table: Table, key: 'oneshot' | 'interactive', base: Form | NoForm): Form | NoForm {
  const argv = strings(table[key]) ?? strings(table['command']);
  const finalMessage = table['final_message'] as FinalMessage | undefined;
  if (argv === null) return 'args' in base && finalMessage !== undefined ? { ...base, finalMessage } : base;
  const promptBy = (table['prompt'] as PromptBy | undefined) ?? ('args' in base ? base.promptBy : 'argument');
  const inherited =
    'args' in base ? base : { resume: null, newConversation: null, finalMessage: { kind: 'screen' } as const };
  return {
    ...inherited,
    args: withPrompt(argv.slice(1), promptBy),
    promptBy,
    ...(finalMessage === undefined ? {} : { finalMessage }),
  };
}

/** A template that does not say where the prompt stands has it last. */
function withPrompt(args: readonly string[], promptBy: PromptBy): readonly string[] {
  const named = placeholdersOf(args);
  if (promptBy === 'stdin' || named.has('prompt') || named.has('prompt_file')) return args;
  return [...args, promptBy === 'file' ? '{{ prompt_file }}' : '{{ prompt }}'];
}

function withResume(form: Form | NoForm, table: Table): Form | NoForm {
  const resume = strings(table['resume']);
  if (resume === null || !('args' in form)) return form;
  const args = placeholdersOf(form.args).has('resume') ? form.args : ['{{ resume }}', ...form.args];
  return { ...form, args, resume };
}

const controls: Readonly<Record<string, string>> = {
  enter: '\r',
  escape: '\u001b',
  esc: '\u001b',
  tab: '\t',
  space: ' ',
};

/** Keys in tmux's words: `C-c C-c`, `/exit Enter`. */
function closeSteps(words: string): CloseStep[] {
  return words
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => ({ keys: keyOf(word), thenWaitMs: 700 }));
}

function keyOf(word: string): string {
  const control = /^C-([a-z])$/i.exec(word)?.[1];
  if (control !== undefined) return String.fromCharCode(control.toUpperCase().charCodeAt(0) & 0x1f);
  return controls[word.toLowerCase()] ?? word;
}

function strings(value: unknown): readonly string[] | null {
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : null;
}

function isEnv(value: unknown): boolean {
  if (value === undefined) return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

const messageKinds: readonly unknown[] = ['hook', 'file', 'json', 'json-lines', 'screen'];

function isFinalMessage(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { kind, path, where } = value as Table;
  if (!messageKinds.includes(kind)) return false;
  const needsPath = kind === 'json' || kind === 'json-lines';
  return (!needsPath || strings(path) !== null) && (kind !== 'json-lines' || typeof where === 'string');
}

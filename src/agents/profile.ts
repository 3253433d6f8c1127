import type { AgentMode } from '../domain/dag.ts';

/**
 * What cis knows of one program. It is data, so that a user can add one in the config (`[agents.NAME]`, user-profile.ts) and a new
 * release of a program costs a line. What was seen of each program stands beside its profile, in `known/`.
 */
export interface AgentProfile {
  readonly name: string;
  /** As people call it: `Claude Code`. */
  readonly title: string;
  readonly program: string;
  /** Versions whose screens and hooks were looked at: the beginning of what the program prints, such as `2.1.`. */
  readonly triedVersions: readonly string[];
  /** Arguments that print the version. */
  readonly version: readonly string[];
  readonly forms: Readonly<Record<AgentMode, Form | NoForm>>;
  /** `{{ model }}` of a form. */
  readonly model: readonly string[];
  readonly permission: Permission;
  readonly env: Readonly<Record<string, string>>;
  readonly hooks: HookInstall;
  /** The rules that read its screen, by name. */
  readonly screen: string;
  /** How the kernel calls its process, to know it in the foreground of a terminal. */
  readonly processes: readonly string[];
  /** Keys that end it politely, one step after the other. */
  readonly close: readonly CloseStep[];
  readonly login: LoginProbe;
  readonly answering: Answering;
  /** What a person types into its empty input line to have it go on with a turn that a limit ended. */
  readonly goOn: string;
}

/**
 * One way to start a program. `args` is a template: an element that is just `{{ hooks }}`, `{{ permission }}`, `{{ model }}` or
 * `{{ resume }}` stands for any number of arguments; `{{ prompt }}`, `{{ prompt_file }}`, `{{ output_file }}` and
 * `{{ conversation }}` are filled in wherever they stand.
 */
export interface Form {
  readonly args: readonly string[];
  readonly promptBy: PromptBy;
  /** Null: the program cannot carry on a conversation in this form. */
  readonly resume: readonly string[] | null;
  /** How the program is told the id of a new conversation; null: it makes one up, and its hooks tell. */
  readonly newConversation: readonly string[] | null;
  readonly finalMessage: FinalMessage;
}

/** The program has no such form; `reason` is what a person is told. */
export interface NoForm {
  readonly missing: string;
}

/** A prompt is never typed: a screen may not listen yet. */
export type PromptBy = 'argument' | 'file' | 'stdin';

export type FinalMessage =
  /** Its hook reports it when the turn is done. */
  | { readonly kind: 'hook' }
  /** The program writes it into `{{ output_file }}`. */
  | { readonly kind: 'file' }
  /** One JSON value on its output; `path` leads to the text in it. */
  | { readonly kind: 'json'; readonly path: readonly string[] }
  /** JSON lines on its output; the last one whose `type` is `where` has the text at `path`. */
  | { readonly kind: 'json-lines'; readonly where: string; readonly path: readonly string[] }
  /** Nothing better than what its terminal showed. */
  | { readonly kind: 'screen' };

interface Permission {
  /** By the words of `permission_mode`; `default` asks a person. */
  readonly modes: Readonly<Record<string, readonly string[]>>;
  /** Of `modes`: those that ask nobody. They need `skip_permissions` in the config. */
  readonly skipping: readonly string[];
  /** The mode that `skip_permissions = true` means. */
  readonly skip: string | null;
}

/** How the program is made to report to `cis hook` in this session alone, without touching the user's own configuration. */
type HookInstall =
  | { readonly kind: 'none' }
  /** Claude Code: `--settings FILE`, merged with the user's own. */
  | { readonly kind: 'claude-settings'; readonly events: readonly string[] }
  /** Codex: `-c notify=[…]`. It replaces a `notify` of the user's for this session. */
  | { readonly kind: 'codex-notify' }
  /** opencode: a plugin named in `OPENCODE_CONFIG_CONTENT`, merged with the user's own configuration. */
  | { readonly kind: 'opencode-plugin' }
  /** Qwen Code and Gemini CLI: a file of system defaults, the weakest layer of their settings; `variable` names it. */
  | { readonly kind: 'defaults-file'; readonly variable: string; readonly events: readonly string[] };

export interface CloseStep {
  readonly keys: string;
  readonly thenWaitMs: number;
}

/** What tells, without network and without reading a secret, whether the program can reach a model. */
interface LoginProbe {
  readonly env: readonly string[];
  /** Below the home directory, unless absolute. */
  readonly files: readonly string[];
  readonly command: string;
}

/** How a choice is selected on the program's screens. */
export interface Answering {
  readonly axis: 'vertical' | 'horizontal';
  /** A digit shown before a choice picks *and* confirms it. */
  readonly digits: boolean;
  /** The preselected choice can be read from the text of the screen, not only from its colours. */
  readonly showsSelection: boolean;
}

/** Narrows to a form that exists. */
export function hasForm(form: Form | NoForm): form is Form {
  return 'args' in form;
}

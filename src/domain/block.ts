import type { BlockId } from './ids.ts';

/** One episode of waiting for a person. */
export interface Block {
  readonly id: BlockId;
  readonly kind: BlockKind;
  readonly question: string;
  readonly choices: readonly Choice[];
  /** Index into `choices` of the preselected one, when the screen shows one. */
  readonly selected: number | null;
  /** The command the program asks to run, when it shows one. */
  readonly command?: string;
  /** When a rate limit ends, in ms since 1970, when shown. */
  readonly until?: number;
  /** cis waits for that time by itself (`on_rate_limit = "wait"`) and lets the program go on then: nobody is asked. */
  readonly waits?: true;
  readonly since: number;
  /** Hash of question and choices without counters and clocks: tells the same question from the next one. */
  readonly fingerprint: string;
  /** The rule or hook that said so. */
  readonly rule: string;
  /** How it takes an answer, when that could be seen. */
  readonly input?: BlockInput;
}

/** A menu is walked up and down, buttons from left to right; a line is typed and sent; a key is just pressed. */
export type BlockInput = 'menu' | 'buttons' | 'line' | 'key';

export type BlockKind =
  | 'approval'
  | 'question'
  | 'trust'
  | 'login'
  | 'rate-limit'
  | 'menu'
  | 'password'
  | 'error'
  | 'merge-conflict';

export interface Choice {
  readonly label: string;
  /** What the program itself shows to press, such as `1` or `y`, when it does. */
  readonly key?: string;
}

/** What a person, a rule or a room says to a block. */
export type Answer =
  | { readonly kind: 'choose'; readonly index: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'keys'; readonly keys: string };

/** Where an answer came from. */
export interface AnswerSource {
  readonly by: string;
  readonly via: 'terminal' | 'dashboard' | 'room' | 'rule' | 'screen' | 'node';
}

import type { BlockInput, BlockKind, Choice } from '../domain/block.ts';
import { findDialog, type Dialog } from './dialog.ts';
import { fingerprintOf } from './fingerprint.ts';
import { lookAt, type ScreenInput } from './look.ts';
import { factsOf, matchRule, regionRows, type Facts } from './match.ts';
import { isInRange, type JudgedState, type Rule } from './rule.ts';
import { nameOf } from './coding-agents.ts';
import { agentRules } from './rules/agents.ts';
import { genericRules } from './rules/generic.ts';
import { parseUntil } from './until.ts';

/** What a screen is judged to be, and why. */
export type Judgement = QuietJudgement | BlockedJudgement;

export interface QuietJudgement {
  readonly state: Exclude<JudgedState, 'blocked'>;
  readonly rule: string;
  readonly evidence: string;
  /** The screen between two turns: one that was seen to begin is over. */
  readonly endsTurn?: boolean;
}

export interface BlockedJudgement {
  readonly state: 'blocked';
  readonly kind: BlockKind;
  readonly question: string;
  readonly choices: readonly Choice[];
  /** Index into `choices`. */
  readonly selected: number | null;
  readonly command?: string;
  /** Ms since 1970. */
  readonly until?: number;
  readonly strength: 'strong' | 'weak';
  readonly fingerprint: string;
  readonly rule: string;
  /** The row that the rule saw. */
  readonly evidence: string;
  readonly input?: BlockInput;
}

/** Rules in the order in which they are asked, for one program. */
export type RuleBook = (agent: string | undefined, version: string | undefined) => readonly Rule[];

/** Makes a rule book of what cis knows and what the user added; a user's rule replaces one of the same id and goes first among equals. */
export function openRuleBook(own: readonly Rule[] = []): RuleBook {
  const replaced = new Set(own.map((rule) => rule.id));
  const all = [...own, ...[...agentRules, ...genericRules].filter((rule) => !replaced.has(rule.id))];
  const sorted = all.toSorted((a, b) => b.priority - a.priority);
  const books = new Map<string, readonly Rule[]>();
  return (agent, version) => {
    const name = nameOf(agent);
    const key = `${name ?? ''}@${version ?? ''}`;
    const known = books.get(key);
    if (known !== undefined) return known;
    const book = sorted.filter((rule) => isFor(rule, name) && isInRange(version, rule.versions));
    if (books.size < 200) books.set(key, book);
    return book;
  };
}

/** Without a program, or with one that no rule knows, what some agent is known to say is asked too. */
function isFor(rule: Rule, agent: string | undefined): boolean {
  return rule.agents === undefined || (agent !== undefined && rule.agents.includes(agent));
}

const known = openRuleBook();

/** Judges a screen: pure, and of bounded cost whatever the screen holds. `now` is ms since 1970, for the end of a limit. */
export function judgeScreen(input: ScreenInput, now: number, book: RuleBook = known): Judgement {
  const look = lookAt({
    ...input,
    ...(input.agent === undefined ? {} : { agent: nameOf(input.agent) ?? input.agent }),
  });
  const facts = factsOf(look, findDialog(look));
  for (const rule of book(input.agent, input.version)) {
    const match = matchRule(rule, facts);
    if (match !== null) return conclude(rule, facts, match.evidence, now);
  }
  return { state: 'unknown', rule: 'none', evidence: '' };
}

function conclude(rule: Rule, facts: Facts, evidence: string, now: number): Judgement {
  if (rule.state !== 'blocked') {
    const endsTurn = rule.state === 'done' || rule.endsTurn === true;
    return { state: rule.state, rule: rule.id, evidence, ...(endsTurn ? { endsTurn } : {}) };
  }
  const { dialog } = facts;
  const asked = askedBy(rule, facts, evidence);
  const until = rule.kind === 'rate-limit' ? parseUntil(textAround(facts, evidence), now) : undefined;
  return {
    state: 'blocked',
    kind: rule.kind ?? 'question',
    ...asked,
    ...(until === undefined ? {} : { until }),
    strength: rule.strength ?? dialog?.strength ?? 'strong',
    fingerprint: fingerprintOf(asked),
    rule: rule.id,
    evidence: evidence.trim().slice(0, 300),
    ...(dialog === null ? {} : { input: inputs[dialog.shape] }),
  };
}

const inputs = {
  menu: 'menu',
  buttons: 'buttons',
  'yes-no': 'line',
  input: 'line',
  password: 'line',
  repl: 'line',
  shell: 'line',
  key: 'key',
  pager: 'key',
  editor: 'key',
} as const satisfies Record<Dialog['shape'], BlockInput>;

type Asked = Pick<BlockedJudgement, 'question' | 'choices' | 'selected' | 'command'>;

function askedBy(rule: Rule, facts: Facts, evidence: string): Asked {
  const rows = regionRows(rule.region ?? 'live', facts);
  const named = extract(rule.question, rows);
  const command = extract(rule.command, rows) ?? facts.dialog?.command;
  const dialog: Dialog | null = facts.dialog?.shape === 'shell' ? null : facts.dialog;
  const spoken = rule.kind === 'rate-limit' || rule.kind === 'login' ? evidence.trim() : '';
  const question = named ?? (dialog === null ? evidence.trim() : dialog.question || evidence.trim() || spoken);
  return {
    question: question.replaceAll(/ {3,}/g, '  ').slice(0, 500), // a status line is padded to the width of the screen
    choices: dialog?.choices ?? [],
    selected: dialog?.selected ?? null,
    ...(command === undefined ? {} : { command }),
  };
}

function extract(pattern: RegExp | undefined, rows: readonly string[]): string | undefined {
  if (pattern === undefined) return undefined;
  for (const row of rows) {
    const match = pattern.exec(row);
    if (match !== null) return (match[1] ?? match[0]).trim();
  }
  return undefined;
}

function textAround(facts: Facts, evidence: string): string {
  const rows = facts.look.text.map((line) => line.text);
  const at = rows.findLastIndex((row) => row.trim() !== '' && evidence.includes(row.trim()));
  const near = at < 0 ? rows.slice(-10) : rows.slice(at, at + 6);
  return [evidence, ...near].join(' ').replaceAll(/\s+/gu, ' ');
}

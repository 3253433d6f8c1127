import type { BlockKind } from '../domain/block.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { whyNotLinear } from './linear.ts';
import { isRange, type JudgedState, type Pattern, type Region, type Rule, type Shape } from './rule.ts';

const states: readonly JudgedState[] = ['blocked', 'working', 'idle', 'done', 'unknown'];
const kinds: readonly BlockKind[] = [
  'approval',
  'question',
  'trust',
  'login',
  'rate-limit',
  'menu',
  'password',
  'error',
  'merge-conflict',
];
const regions: readonly Region[] = ['screen', 'live', 'recent', 'last-line', 'title', 'dialog', 'asked', 'foot'];
const shapes: readonly Shape[] = [
  'menu',
  'buttons',
  'yes-no',
  'password',
  'key',
  'input',
  'pager',
  'editor',
  'repl',
  'shell',
  'dialog',
  'working',
  'input-line',
  'no-dialog',
  'weak',
  'strong',
];
const keys = [
  'id',
  'state',
  'kind',
  'priority',
  'strength',
  'versions',
  'region',
  'shape',
  'without',
  'all',
  'any',
  'not',
  'except',
  'below',
  'ends_turn',
  'question',
  'command',
];
/** Above every rule that cis brings, unless the user says otherwise. */
const ownPriority = 2_000;

/**
 * Reads `[[agents.NAME.rules]]` of the config. Texts between slashes are patterns (`/continue\?$/`), others are looked for as they
 * are, in any case. All mistakes are told, each with its place.
 */
export function parseRules(agent: string, value: unknown): Result<readonly Rule[], readonly string[]> {
  if (!Array.isArray(value)) return err([`[[agents.${agent}.rules]] must be a list of tables`]);
  const problems: string[] = [];
  const rules = value.map((table: unknown, index) =>
    parseRule(agent, table, `[[agents.${agent}.rules]] number ${index + 1}`, problems),
  );
  const ids = rules.map((rule) => rule.id);
  for (const id of new Set(ids.filter((id, index) => id !== '' && ids.indexOf(id) !== index)))
    problems.push(`[[agents.${agent}.rules]] has two rules with the id "${id}"`);
  return problems.length > 0 ? err(problems) : ok(rules);
}

type Table = Readonly<Record<string, unknown>>;

function parseRule(agent: string, value: unknown, place: string, problems: string[]): Rule {
  const table: Table = typeof value === 'object' && value !== null ? (value as Table) : {};
  const wrong = (key: string, what: string): undefined => {
    problems.push(`${place}: \`${key}\` ${what}`);
    return undefined;
  };
  for (const key of Object.keys(table))
    if (!keys.includes(key)) wrong(key, `is not a key of a rule; there are ${keys.join(', ')}`);
  const id =
    typeof table['id'] === 'string' && table['id'] !== '' ? table['id'] : (wrong('id', 'must name the rule'), '');
  const state =
    oneOf(table, 'state', states, wrong) ??
    (table['state'] === undefined ? wrong('state', `must be one of ${states.join(', ')}`) : undefined) ??
    'unknown';
  const kind = oneOf(table, 'kind', kinds, wrong);
  if (state === 'blocked' && table['kind'] === undefined)
    wrong('kind', `must say what a blocked session waits for: one of ${kinds.join(', ')}`);
  const versions = table['versions'];
  if (versions !== undefined && (typeof versions !== 'string' || !isRange(versions)))
    wrong('versions', 'must be a range such as ">=2.0 <3"');
  const priority = table['priority'];
  if (priority !== undefined && typeof priority !== 'number') wrong('priority', 'must be a number');
  const lists = {
    shape: listOf(table, 'shape', shapes, wrong),
    without: listOf(table, 'without', shapes, wrong),
    all: patternsOf(table, 'all', wrong),
    any: patternsOf(table, 'any', wrong),
    not: patternsOf(table, 'not', wrong),
    except: patternsOf(table, 'except', wrong),
    below: patternsOf(table, 'below', wrong),
  };
  const endsTurn = table['ends_turn'];
  if (endsTurn !== undefined && typeof endsTurn !== 'boolean') wrong('ends_turn', 'must be true or false');
  if (lists.all === undefined && lists.any === undefined && lists.shape === undefined)
    wrong('any', 'is missing: a rule needs `any`, `all` or `shape`');
  return compact({
    id,
    agents: [agent],
    state,
    kind,
    priority: typeof priority === 'number' ? priority : ownPriority,
    strength: oneOf(table, 'strength', ['strong', 'weak'] as const, wrong),
    versions: typeof versions === 'string' ? versions : undefined,
    region: regionOf(table, wrong),
    ...lists,
    endsTurn: typeof endsTurn === 'boolean' ? endsTurn : undefined,
    question: regExpOf(table, 'question', wrong),
    command: regExpOf(table, 'command', wrong),
  });
}

type Wrong = (key: string, what: string) => undefined;

function oneOf<Word extends string>(table: Table, key: string, words: readonly Word[], wrong: Wrong): Word | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  return words.find((word) => word === value) ?? wrong(key, `must be one of ${words.join(', ')}`);
}

function listOf<Word extends string>(
  table: Table,
  key: string,
  words: readonly Word[],
  wrong: Wrong,
): readonly Word[] | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  return given.every((word) => words.includes(word as Word))
    ? (given as readonly Word[])
    : wrong(key, `must list some of ${words.join(', ')}`);
}

function regionOf(table: Table, wrong: Wrong): Region | undefined {
  const value = table['region'];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^last-[1-9]\d?$/u.test(value)) return value as Region;
  return (
    regions.find((region) => region === value) ??
    wrong('region', `must be one of ${regions.join(', ')} or last-N (the last N rows with text)`)
  );
}

function patternsOf(table: Table, key: string, wrong: Wrong): readonly Pattern[] | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (given.length === 0 || given.some((text) => typeof text !== 'string' || text === ''))
    return wrong(key, 'must be a text or a list of texts');
  const patterns = (given as readonly string[]).map((text) => (isPattern(text) ? compile(key, text, wrong) : text));
  return patterns.includes(undefined) ? undefined : (patterns as readonly Pattern[]);
}

function regExpOf(table: Table, key: string, wrong: Wrong): RegExp | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  return typeof value === 'string' && isPattern(value)
    ? compile(key, value, wrong)
    : wrong(key, 'must be a pattern between slashes, group 1 being what is wanted');
}

function isPattern(text: string): boolean {
  return /^\/.+\/i?$/u.test(text);
}

function compile(key: string, text: string, wrong: Wrong): RegExp | undefined {
  const source = text.slice(1, text.lastIndexOf('/'));
  const slow = whyNotLinear(source);
  if (slow !== null) return wrong(key, `has the pattern ${text}, which could take long: ${slow}`);
  try {
    return new RegExp(source, 'iu');
  } catch (error) {
    return wrong(key, `has the pattern ${text}, which is none: ${(error as Error).message}`);
  }
}

function compact(rule: { readonly [Key in keyof Rule]: Rule[Key] | undefined }): Rule {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined)) as unknown as Rule;
}

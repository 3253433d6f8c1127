import { judgeScreen, type Judgement, type RuleBook } from './judge.ts';
import { readInput, type GivenScreen } from './read-input.ts';

/** Judges one line of `cis agents test --jsonl`; whatever the line holds, exactly one object comes back. */
export function judgeLine(line: string, now: number, rules: RuleBook): Record<string, unknown> {
  try {
    const given = parseLine(line);
    return typeof given === 'string' ? bad(given) : renderJudgement(judgeScreen(readInput(given), now, rules));
  } catch (error) {
    return bad(error instanceof Error ? error.message : String(error));
  }
}

function bad(error: string): Record<string, unknown> {
  return { state: 'unknown', rule: 'none', error };
}

function parseLine(line: string): GivenScreen | string {
  if (line.trim() === '') return 'the line is empty; it must be an object with "screen"';
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `the line is not JSON: ${(error as Error).message}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'the line must be an object with "screen"';
  const table = value as Readonly<Record<string, unknown>>;
  if (typeof table['screen'] !== 'string') return '"screen" must be a text';
  const given: Record<string, unknown> = { screen: table['screen'] };
  for (const key of ['agent', 'version', 'title']) {
    if (typeof table[key] === 'string') given[key] = table[key];
  }
  for (const key of ['cols', 'rows']) {
    const size = table[key];
    if (typeof size === 'number' && Number.isFinite(size) && size > 0) given[key] = size;
  }
  return given as unknown as GivenScreen;
}

/** A judgement as JSON shows it. */
export function renderJudgement(judgement: Judgement): Record<string, unknown> {
  if (judgement.state !== 'blocked')
    return { state: judgement.state, rule: judgement.rule, evidence: judgement.evidence };
  const { state, kind, question, choices, selected, command, until, strength, rule, evidence } = judgement;
  return {
    state,
    kind,
    question,
    choices,
    selected,
    ...(command === undefined ? {} : { command }),
    ...(until === undefined ? {} : { until }),
    strength,
    rule,
    evidence,
  };
}

import type { CompareOp, Condition, Operand, TaskField } from './condition.ts';
import type { TaskId } from './ids.ts';
import { err, ok, type Result } from './result.ts';

/** A mistake in a text of the file: `start` and `length` count UTF-16 units from the beginning of that text. */
export interface TextProblem {
  readonly message: string;
  readonly hint?: string;
  readonly start: number;
  readonly length: number;
}

interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'sign' | 'end';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const TOKEN =
  /\s+|(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<number>-?\d+(?:\.\d+)?(?![\w.]))|(?<sign>&&|\|\||[=!<>]=|[<>!()[\]])|(?<word>[A-Za-z0-9_.][A-Za-z0-9_.-]*)/uy;
const FIELDS = ['exit_code', 'output', 'status', 'attempts'] as const satisfies readonly TaskField[];
const SIGNS = new Set(['==', '!=', '<', '<=', '>', '>=', 'contains', 'matches']);
const MAX_DEPTH = 100;

/**
 * Reads `tasks.build.exit_code == 0 && tasks['plan'].output contains "yes"`. `isTask` says which ids are known: ids may hold
 * dots, so the longest known one wins. Also the older spelling `if build.status == 'failed'`, and `and`, `or`, `not`.
 */
export function parseCondition(text: string, isTask: (id: string) => boolean): Result<Condition, TextProblem> {
  try {
    return ok(parser(tokenize(text), isTask).whole());
  } catch (error) {
    if (error instanceof Stop) return err(error.problem);
    throw error;
  }
}

/** Carries a problem out of the recursive descent; it never leaves this file. */
class Stop extends Error {
  readonly problem: TextProblem;
  constructor(token: { readonly start: number; readonly end: number }, message: string, hint?: string) {
    super(message);
    const length = Math.max(1, token.end - token.start);
    this.problem = { message, start: token.start, length, ...(hint === undefined ? {} : { hint }) };
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      const hint = text[at] === '=' ? 'write ==' : 'texts stand in quotes';
      throw new Stop({ start: at, end: at + 1 }, `condition: "${text[at]}" is not understood here`, hint);
    }
    for (const kind of ['text', 'number', 'sign', 'word'] as const) {
      const found = match.groups?.[kind];
      if (found !== undefined) tokens.push({ kind, text: found, start: at, end: at + found.length });
    }
    at += match[0].length;
  }
  tokens.push({ kind: 'end', text: '', start: at, end: at });
  return tokens;
}

function parser(tokens: readonly Token[], isTask: (id: string) => boolean): { readonly whole: () => Condition } {
  let at = 0;
  let depth = 0;
  const end = tokens.at(-1) ?? { kind: 'end', text: '', start: 0, end: 0 };
  const peek = (): Token => tokens[at] ?? end;
  const next = (): Token => tokens[at++] ?? end;
  const takes = (...texts: readonly string[]): boolean => {
    const token = peek();
    if (token.kind === 'text' || !texts.includes(token.text)) return false;
    at += 1;
    return true;
  };

  function whole(): Condition {
    takes('if');
    const condition = either();
    const rest = peek();
    if (rest.kind !== 'end')
      throw new Stop(rest, `condition: "${rest.text}" is not expected here`, 'join comparisons with && or ||');
    return condition;
  }

  function either(): Condition {
    let left = both();
    while (takes('||', 'or')) left = { kind: 'or', left, right: both() };
    return left;
  }

  function both(): Condition {
    let left = one();
    while (takes('&&', 'and')) left = { kind: 'and', left, right: one() };
    return left;
  }

  function one(): Condition {
    if (++depth > MAX_DEPTH) throw new Stop(peek(), 'condition: nested too deeply');
    try {
      if (takes('!', 'not')) return { kind: 'not', of: one() };
      if (takes('(')) {
        const inner = either();
        if (!takes(')')) throw new Stop(peek(), 'condition: ")" is missing here');
        return inner;
      }
      return comparison();
    } finally {
      depth -= 1;
    }
  }

  function comparison(): Condition {
    const left = operand();
    const sign = peek();
    if (!SIGNS.has(sign.text) || sign.kind === 'text') {
      throw new Stop(sign, 'condition: a comparison is missing here', 'one of == != < <= > >= contains matches');
    }
    at += 1;
    const place = peek();
    const right = operand();
    if (sign.text === 'matches') checkPattern(right, place);
    return { kind: 'compare', op: sign.text as CompareOp, left, right };
  }

  function operand(): Operand {
    const token = next();
    if (token.kind === 'text') return { kind: 'literal', value: unquote(token.text) };
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) };
    if (token.kind === 'word') return word(token);
    throw new Stop(
      token,
      'condition: a value is missing here',
      `such as tasks.ID.exit_code, env.NAME, var.NAME, "text", 1`,
    );
  }

  function word(token: Token): Operand {
    if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true' };
    if (token.text === 'tasks' && takes('[')) return bracketed(token);
    for (const kind of ['env', 'var', 'vars'] as const) {
      if (token.text.startsWith(`${kind}.`)) {
        return { kind: kind === 'env' ? 'env' : 'var', name: token.text.slice(kind.length + 1) };
      }
    }
    const path = token.text.startsWith('tasks.') ? token.text.slice('tasks.'.length) : token.text;
    const dot = path.lastIndexOf('.');
    if (dot <= 0)
      throw new Stop(
        token,
        `condition: "${token.text}" is not understood`,
        'texts stand in quotes; results are tasks.ID.exit_code',
      );
    return result(token, path.slice(0, dot), path.slice(dot + 1));
  }

  function bracketed(start: Token): Operand {
    const id = next();
    if (id.kind !== 'text' || !takes(']')) throw new Stop(id, "condition: write tasks['ID'].exit_code");
    const field = next();
    if (field.kind !== 'word' || !field.text.startsWith('.'))
      throw new Stop(field, 'condition: a field is missing here');
    return result({ ...start, end: field.end }, unquote(id.text), field.text.slice(1));
  }

  function result(token: Token, id: string, field: string): Operand {
    const known = FIELDS.find((name) => name === field);
    if (known === undefined) {
      throw new Stop(token, `condition: a task has no "${field}"`, `one of ${FIELDS.join(', ')}`);
    }
    if (!isTask(id)) throw new Stop(token, `condition: there is no task \`${id}\``);
    return { kind: 'task', task: id as TaskId, field: known };
  }

  return { whole };
}

function checkPattern(operand: Operand, place: Token): void {
  if (operand.kind !== 'literal')
    throw new Stop(place, 'condition: what follows "matches" is a regular expression in quotes');
  try {
    RegExp(String(operand.value), 'mu');
  } catch (error) {
    throw new Stop(place, `condition: ${error instanceof Error ? error.message : 'not a regular expression'}`);
  }
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\([\s\S])/g, (whole, char: string) => {
    if (char === 'n') return '\n';
    if (char === 't') return '\t';
    return char === '"' || char === "'" || char === '\\' ? char : whole;
  });
}

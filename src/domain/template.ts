import type { TextProblem } from './condition-parser.ts';
import type { TaskId } from './ids.ts';
import { unreachable } from './unreachable.ts';

/** What a placeholder stands for. `output` has several tasks when it names one that a matrix expanded. */
export type Placeholder =
  | { readonly kind: 'output'; readonly tasks: readonly TaskId[] }
  | { readonly kind: 'run' }
  | { readonly kind: 'env' | 'var' | 'matrix'; readonly name: string }
  | { readonly kind: 'task'; readonly field: 'id' | 'name' };

export type Piece =
  | { readonly kind: 'text'; readonly text: string; readonly start: number }
  | { readonly kind: 'placeholder'; readonly of: Placeholder; readonly start: number; readonly length: number };

export interface Template {
  readonly pieces: readonly Piece[];
  readonly problems: readonly TextProblem[];
}

/** Which names a template may use. */
export interface Names {
  /** The ids behind a name: one of a task, several of a task that a matrix expanded, null for what is unknown. */
  readonly task: (id: string) => readonly TaskId[] | null;
  /** Null: any name may be given when the run starts. */
  readonly vars: readonly string[] | null;
  readonly matrix: readonly string[];
}

/** What is filled in; null means that there is none. */
export interface TemplateValues {
  readonly run: string;
  readonly task: { readonly id: string; readonly name: string };
  readonly output: (task: TaskId) => string | null;
  readonly env: (name: string) => string | null;
  readonly var: (name: string) => string | null;
  readonly matrix: (name: string) => string | null;
}

/** `{{.Names}}` and the like belong to other programs (docker, gh, kubectl): a placeholder of ours begins with a letter. */
const PLACEHOLDER = /\{\{\s*(?:(?<quoted>"\{\{"|'\{\{'|"\}\}"|'\}\}')|(?<body>[A-Za-z_](?:[^{}]|\}(?!\}))*?))\s*\}\}/gu;
const NAME = '[A-Za-z_][A-Za-z0-9_]*';
const BRACKETS = /^tasks\s*\[\s*(?:'([^']*)'|"([^"]*)")\s*\]\s*\.\s*(\w+)$/u;
const KNOWN = 'tasks.ID.output, run.id, env.NAME, var.NAME, matrix.KEY, task.id, task.name';

/** Splits a text into what stands as it is and what is filled in; `{{ "{{" }}` is a literal `{{`. */
export function parseTemplate(text: string, names: Names): Template {
  const pieces: Piece[] = [];
  const problems: TextProblem[] = [];
  let at = 0;
  const keep = (literal: string, start: number): void => {
    if (literal !== '') pieces.push({ kind: 'text', text: literal, start });
  };
  if (!text.includes('{{')) return { pieces: [{ kind: 'text', text, start: 0 }], problems };
  for (const match of text.matchAll(PLACEHOLDER)) {
    const place = { start: match.index, length: match[0].length };
    keep(text.slice(at, match.index), at);
    at = match.index + match[0].length;
    const quoted = match.groups?.['quoted'];
    if (quoted !== undefined) {
      keep(quoted.slice(1, -1), match.index);
      continue;
    }
    const of = parsePlaceholder(match.groups?.['body'] ?? '', names);
    if ('message' in of) problems.push({ ...of, ...place });
    else pieces.push({ kind: 'placeholder', of, ...place });
  }
  keep(text.slice(at), at);
  return { pieces, problems };
}

interface Unknown {
  readonly message: string;
  readonly hint?: string;
}

function parsePlaceholder(body: string, names: Names): Placeholder | Unknown {
  if (body === 'run.id') return { kind: 'run' };
  if (body === 'task.id' || body === 'task.name') return { kind: 'task', field: body === 'task.id' ? 'id' : 'name' };
  const named = new RegExp(`^(env|vars?|matrix)\\.(${NAME}|[A-Za-z0-9_-]+)$`, 'u').exec(body);
  if (named !== null) return parseNamed(named[1] ?? '', named[2] ?? '', names);
  const brackets = BRACKETS.exec(body);
  if (brackets !== null) return output(brackets[1] ?? brackets[2] ?? '', brackets[3] ?? '', names);
  const dotted = /^tasks\.(.+)\.(\w+)$/u.exec(body);
  if (dotted !== null) return output(dotted[1] ?? '', dotted[2] ?? '', names);
  return {
    message: `unknown placeholder {{ ${body} }}`,
    hint: `known: ${KNOWN}; for a literal {{ write {{ "{{" }}`,
  };
}

function parseNamed(kind: string, name: string, names: Names): Placeholder | Unknown {
  if (kind === 'env') return { kind: 'env', name };
  if (kind === 'matrix') {
    if (names.matrix.includes(name)) return { kind: 'matrix', name };
    return { message: `unknown placeholder {{ matrix.${name} }}`, hint: matrixHint(names.matrix) };
  }
  if (names.vars === null || names.vars.includes(name)) return { kind: 'var', name };
  return { message: `unknown placeholder {{ var.${name} }}`, hint: `the file's \`vars\` has ${names.vars.join(', ')}` };
}

function matrixHint(keys: readonly string[]): string {
  return keys.length === 0 ? 'the task has no `matrix`' : `its \`matrix\` has ${keys.join(', ')}`;
}

function output(id: string, field: string, names: Names): Placeholder | Unknown {
  if (field !== 'output')
    return { message: `a task has no "${field}" to fill in`, hint: `write {{ tasks.${id}.output }}` };
  const tasks = names.task(id);
  if (tasks === null) return { message: `there is no task \`${id}\`` };
  return { kind: 'output', tasks };
}

/** The text that a placeholder stands for. What is not there (an unset variable, a skipped task) is empty. */
export function fillPlaceholder(of: Placeholder, values: TemplateValues): string {
  switch (of.kind) {
    case 'output':
      return of.tasks.map((task) => values.output(task) ?? '').join('\n');
    case 'run':
      return values.run;
    case 'env':
      return values.env(of.name) ?? '';
    case 'var':
      return values.var(of.name) ?? '';
    case 'matrix':
      return values.matrix(of.name) ?? '';
    case 'task':
      return values.task[of.field];
    default:
      return unreachable(of);
  }
}

/** Fills a template in one pass: what comes out is never read as a template again. */
export function fillTemplate(template: Template, values: TemplateValues): string {
  return template.pieces
    .map((piece) => (piece.kind === 'text' ? piece.text : fillPlaceholder(piece.of, values)))
    .join('');
}

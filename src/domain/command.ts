import type { TextProblem } from './condition-parser.ts';
import type { Dag, Task } from './dag.ts';
import { namesOfDag } from './names.ts';
import { err, ok, type Result } from './result.ts';
import { scanShell, type Context } from './shell-scan.ts';
import { fillPlaceholder, parseTemplate, type Names, type Piece, type TemplateValues } from './template.ts';

/** A command ready to run: no value stands in the script itself, each is a shell variable that the prelude sets. */
export interface RenderedCommand {
  readonly script: string;
  readonly variables: readonly Variable[];
}

export interface Variable {
  readonly name: string;
  readonly value: string;
}

/** The most one value may have, in bytes of UTF-8: beyond that a program cannot take it as an argument (Linux: 128 KiB). */
const maxValueBytes = 100 * 1024;

/** Names of the environment variable that holds the path of the prelude. */
export const preludeVariable = 'CIS_PRELUDE';

const POSIX_SHELLS = new Set(['sh', 'dash', 'bash', 'ash']);

/** The words that start a shell: `/bin/bash -eu` is two. The command is given as the argument of a `-c` that follows. */
export function shellArgv(shell: string): string[] {
  return [...shell.trim().split(/\s+/u), '-c'];
}

/** All that is wrong with the templates of a command, found before anything runs. */
export function checkCommand(command: string, shell: string, names: Names): readonly TextProblem[] {
  const template = parseTemplate(command, names);
  const placeholders = template.pieces.filter((piece) => piece.kind === 'placeholder');
  if (placeholders.length === 0) return template.problems;
  const first = placeholders[0];
  if (!isPosix(shell) && first !== undefined) {
    const message = `the shell \`${shell}\` is not a POSIX shell, so nothing can be filled in safely here`;
    return [...template.problems, { message, hint: fileHint(first), start: first.start, length: first.length }];
  }
  const contexts = scanShell(template.pieces, isBash(shell));
  return [...template.problems, ...placeholders.flatMap((piece, index) => contextProblem(piece, contexts[index]))];
}

/**
 * Fills in a command that `checkCommand` found nothing wrong with: `{script, variables}`. An error names the value that is
 * too large for a variable, or that holds a NUL byte, and the file to read instead.
 */
export function renderCommand(
  dag: Dag,
  task: Task,
  command: string,
  shell: string,
  values: TemplateValues,
): Result<RenderedCommand, string> {
  const names = namesOfDag(dag)(task);
  const problem = checkCommand(command, shell, names)[0];
  if (problem !== undefined)
    return err(problem.hint === undefined ? problem.message : `${problem.message}: ${problem.hint}`);
  const { pieces } = parseTemplate(command, names);
  const contexts = scanShell(pieces, isBash(shell));
  const variables: Variable[] = [];
  let script = '';
  for (const piece of pieces) {
    if (piece.kind === 'text') {
      script += piece.text;
      continue;
    }
    const value = fillPlaceholder(piece.of, values);
    const reason = unfit(value);
    if (reason !== null) return err(`${describe(piece)} ${reason}: ${fileHint(piece)}`);
    const name = `__cis_${variables.length + 1}`;
    script += expansion(contexts[variables.length], name);
    variables.push({ name, value });
  }
  return ok({ script, variables });
}

/** The text of the prelude, for a file that only its owner may read (0600): one assignment per variable. */
export function renderPrelude(variables: readonly Variable[]): string {
  // Unset first: were a variable of that name in the environment, the assignment would export the value to every program.
  const lines = variables.map(({ name, value }) => `unset ${name}; ${name}='${value.replaceAll("'", `'\\''`)}'\n`);
  return lines.join('');
}

/**
 * The text for `sh -c`. With variables it first reads the file named by `$CIS_PRELUDE`, on the same line, so that line
 * numbers, `$0`, `$?` and `set -e` are as the author expects; without any it is the script.
 */
export function wrapScript(rendered: RenderedCommand): string {
  if (rendered.variables.length === 0) return rendered.script;
  return `. "$${preludeVariable}" || exit 126; unset ${preludeVariable}; ${rendered.script}`;
}

function expansion(context: Context | undefined, name: string): string {
  switch (context?.kind) {
    case 'bare':
      return `"\${${name}}"`;
    case 'double':
      return `\${${name}}`;
    case 'single':
      return `'"\${${name}}"'`;
    case 'refused':
    case undefined:
      throw new Error('a command was filled in that had not been checked');
  }
}

function unfit(value: string): string | null {
  if (value.includes('\0')) return 'holds a NUL byte, which no shell variable can';
  const bytes = value.length > maxValueBytes ? value.length : new TextEncoder().encode(value).length;
  return bytes > maxValueBytes ? `has more than ${maxValueBytes / 1024} KiB` : null;
}

function contextProblem(piece: Piece & { kind: 'placeholder' }, context: Context | undefined): TextProblem[] {
  if (context === undefined || context.kind !== 'refused') return [];
  const message = `${describe(piece)} cannot be filled in ${context.where}`;
  return [{ message, hint: fileHint(piece), start: piece.start, length: piece.length }];
}

function describe({ of }: Piece & { kind: 'placeholder' }): string {
  switch (of.kind) {
    case 'output':
      return `the output of \`${of.tasks.join(', ')}\``;
    case 'run':
      return 'the run id';
    case 'task':
      return `task.${of.field}`;
    case 'env':
    case 'var':
    case 'matrix':
      return `${of.kind}.${of.name}`;
  }
}

function fileHint({ of }: Piece & { kind: 'placeholder' }): string {
  if (of.kind === 'output') return `read the file "$CIS_UPSTREAM_DIR/${of.tasks[0] ?? 'ID'}" instead`;
  if (of.kind === 'env') return `the program finds $${of.name} in its environment`;
  return 'give it to the task with `env`, and use the variable';
}

function isPosix(shell: string): boolean {
  return POSIX_SHELLS.has(shellName(shell));
}

function isBash(shell: string): boolean {
  return shellName(shell) !== 'dash';
}

function shellName(shell: string): string {
  const program = shell.trim().split(/\s+/u)[0] ?? '';
  return program.slice(program.lastIndexOf('/') + 1);
}

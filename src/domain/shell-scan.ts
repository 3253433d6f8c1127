import { simpleCommand, type SimpleCommand } from './shell-words.ts';
import type { Piece } from './template.ts';

/** Where a placeholder stands in a shell script, which decides how a variable is put there. */
export type Context =
  | { readonly kind: 'bare' | 'double' | 'single' }
  /** `where` completes "cannot be filled in …". */
  | { readonly kind: 'refused'; readonly where: string };

/** A placeholder in the text that is scanned; no command may hold a NUL byte itself. */
const HOLE = '\0';
const MAX_DEPTH = 100;
const WORD_END = /[\s;&|<>()]/u;

interface Heredoc {
  readonly delimiter: string;
  readonly stripsTabs: boolean;
  readonly quoted: boolean;
}

/**
 * Tells for each placeholder of a script in which quoting state of the POSIX shell grammar it stands. Whatever cannot be
 * told with certainty is refused. A wrong guess between bare and quoted would still only put a variable's expansion there:
 * expansions are not read as code again, but for the places (eval, arithmetic, array indices, …) that are refused by name.
 */
export function scanShell(pieces: readonly Piece[], bash: boolean): Context[] {
  return scanner(pieces.map((piece) => (piece.kind === 'text' ? piece.text : HOLE)).join(''), bash).whole();
}

function scanner(text: string, bash: boolean): { readonly whole: () => Context[] } {
  const contexts: Context[] = [];
  const heredocs: Heredoc[] = [];
  let at = 0;
  let depth = 0;
  /** Set when the grammar outruns this scanner: then nothing is filled in anywhere. */
  let confused: string | null = null;

  function whole(): Context[] {
    commands(null, null);
    if (confused === null) return contexts;
    const where = confused;
    return Array.from(text)
      .filter((char) => char === HOLE)
      .map(() => ({ kind: 'refused', where }));
  }

  /** Reads commands up to `close`. `refused` is the reason why no placeholder may stand here, if there is one. */
  function commands(close: string | null, refused: string | null, asArguments = false): void {
    if (++depth > MAX_DEPTH) confused = 'in a script that is nested so deeply';
    const command = simpleCommand(asArguments);
    while (at < text.length && confused === null) {
      const char = text[at] ?? '';
      if (char === close) break;
      step(char, command, refused);
    }
    at += 1;
    depth -= 1;
    if (refused !== null && command.sawCase()) confused = 'beside a `case` inside of $( … )';
  }

  function step(char: string, command: SimpleCommand, refused: string | null): void {
    switch (char) {
      case HOLE:
        return hole('bare', command, refused);
      case '\\':
        return backslash(command);
      case "'":
        return single(command, refused);
      case '"':
        return double(command, refused);
      case '`':
        command.add('`');
        at += 1;
        return commands('`', 'inside of backticks');
      case '$':
        return dollar(command, false);
      case '#':
        return command.inWord() ? plain(command) : comment();
      case ' ':
      case '\t':
        at += 1;
        return command.endWord();
      case '\n':
        return newline(command);
      case ';':
      case '|':
        at += 1;
        return command.end();
      case '&':
        at += 1;
        return text[at] === '>' ? command.endWord() : command.end();
      case '<':
      case '>':
        return redirection(char, command);
      case '(':
        return parenthesis(command, refused);
      case ')':
        // Of a `case` pattern: a command follows.
        at += 1;
        return command.end();
      default:
        return plain(command);
    }
  }

  function plain(command: SimpleCommand): void {
    command.add(text[at] ?? '');
    at += 1;
  }

  function hole(kind: 'bare' | 'double' | 'single', command: SimpleCommand, refused: string | null): void {
    const where = refused ?? command.refusal(bash);
    contexts.push(where === null ? { kind } : { kind: 'refused', where });
    command.add(HOLE);
    at += 1;
  }

  function refuse(where: string): void {
    contexts.push({ kind: 'refused', where });
  }

  function backslash(command: SimpleCommand): void {
    const next = text[at + 1];
    if (next === HOLE) refuse('right after a backslash');
    if (next !== '\n' && next !== undefined) command.add(next);
    at += 2;
  }

  function single(command: SimpleCommand, refused: string | null): void {
    command.add('');
    at += 1;
    while (at < text.length && text[at] !== "'") {
      if (text[at] === HOLE) hole('single', command, refused);
      else plain(command);
    }
    at += 1;
  }

  function double(command: SimpleCommand, refused: string | null): void {
    command.add('');
    at += 1;
    while (at < text.length && text[at] !== '"' && confused === null) {
      const char = text[at];
      if (char === HOLE) hole('double', command, refused);
      else if (char === '\\') backslash(command);
      else if (char === '$') dollar(command, true);
      else if (char === '`') {
        at += 1;
        commands('`', 'inside of backticks');
      } else plain(command);
    }
    at += 1;
  }

  function dollar(command: SimpleCommand, quoted: boolean): void {
    const next = text[at + 1];
    command.add('$');
    at += 1;
    if (next === HOLE) {
      refuse('right after a $');
      at += 1;
    } else if (next === '(') substitution();
    else if (next === '{') braces(quoted);
    else if (next === '[') until(']', 'inside of $[ … ]');
    else if (next === "'" && !quoted) ansi();
  }

  function substitution(): void {
    if (text[at + 1] === '(') {
      at += 2;
      return arithmetic('inside of $(( … ))');
    }
    at += 1;
    commands(')', 'inside of $( … )');
  }

  function until(close: string, where: string): void {
    at += 1;
    while (at < text.length && text[at] !== close) {
      if (text[at] === HOLE) refuse(where);
      at += 1;
    }
    at += 1;
  }

  /** `$'…'` ends at another place in bash than in dash as soon as it holds a `\'`. */
  function ansi(): void {
    at += 1;
    const start = at;
    while (at < text.length && text[at] !== "'") {
      if (text[at] === HOLE) refuse("inside of $'…'");
      at += 1;
    }
    if (text.slice(start, at).endsWith('\\')) confused = "beside a $'…' that holds a \\'";
    at += 1;
  }

  function arithmetic(where: string): void {
    const nested = simpleCommand(true);
    for (let open = 2; at < text.length && open > 0 && confused === null;) {
      const char = text[at];
      if (char === HOLE) refuse(where);
      if (char === '(') open += 1;
      if (char === ')') open -= 1;
      if (char === '$') dollar(nested, true);
      else at += 1;
    }
  }

  function braces(quoted: boolean): void {
    if (++depth > MAX_DEPTH) confused = 'in a script that is nested so deeply';
    const where = 'inside of ${ … }';
    const nested = simpleCommand(true);
    at += 1;
    while (at < text.length && text[at] !== '}' && confused === null) {
      const char = text[at];
      if (char === HOLE) {
        refuse(where);
        at += 1;
      } else if (char === '\\') backslash(nested);
      else if (char === '"') double(nested, where);
      else if (char === '$') dollar(nested, true);
      else if (char === "'" && quoted) confused = "beside a ' inside of ${ … }";
      else if (char === "'") single(nested, where);
      else if (char === '`') {
        at += 1;
        commands('`', 'inside of backticks');
      } else at += 1;
    }
    at += 1;
    depth -= 1;
  }

  function comment(): void {
    while (at < text.length && text[at] !== '\n') {
      if (text[at] === HOLE) refuse('in a comment');
      at += 1;
    }
  }

  function newline(command: SimpleCommand): void {
    at += 1;
    command.end();
    for (const heredoc of heredocs.splice(0)) body(heredoc);
  }

  function parenthesis(command: SimpleCommand, refused: string | null): void {
    if (text[at + 1] === '(') {
      at += 2;
      arithmetic('inside of (( … ))');
      return command.end();
    }
    at += 1;
    const start = at;
    const elements = command.endsWithEquals();
    commands(')', refused, elements);
    const isFunction = text.slice(start, at - 1).trim() === '';
    if (!elements && (isFunction || !command.inWord())) command.end();
  }

  function redirection(char: string, command: SimpleCommand): void {
    command.endWord();
    if (text[at + 1] === '(') {
      at += 2;
      command.add('<');
      return commands(')', `inside of ${char}( … )`);
    }
    if (text.startsWith('<<', at) && text[at + 2] !== '<') return heredoc(command);
    while (/[<>&|]/u.test(text[at] ?? '')) at += 1;
    command.redirect();
  }

  function heredoc(command: SimpleCommand): void {
    at += 2;
    const stripsTabs = text[at] === '-';
    if (stripsTabs) at += 1;
    while (text[at] === ' ' || text[at] === '\t') at += 1;
    const start = at;
    while (at < text.length && !WORD_END.test(text[at] ?? '')) {
      if (text[at] === HOLE) refuse('as the end mark of a heredoc');
      at += 1;
    }
    const word = text.slice(start, at);
    const quoted = /['"\\]/u.test(word);
    if (/["'].*\s/u.test(text.slice(start, at + 1)) && !/^(["']).*\1\s?$/u.test(word)) {
      confused = 'beside a heredoc whose end mark is quoted in such a way';
    }
    heredocs.push({ delimiter: word.replaceAll(/['"\\]/gu, ''), stripsTabs, quoted });
    command.endWord();
  }

  function body({ delimiter, stripsTabs, quoted }: Heredoc): void {
    let joined = false;
    while (at < text.length) {
      const end = text.indexOf('\n', at);
      const line = text.slice(at, end === -1 ? text.length : end);
      at = end === -1 ? text.length : end + 1;
      if (!joined && (stripsTabs ? line.replace(/^\t+/u, '') : line) === delimiter) return;
      for (const char of line) if (char === HOLE) refuse('in a heredoc');
      joined = !quoted && /(?:^|[^\\])(?:\\\\)*\\$/u.test(line);
    }
  }

  return { whole };
}

import { err, ok, type Result } from '../result.ts';

/** Shells whose grammar the scan below knows well enough to be on the safe side. */
const shells: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh']);

/** Words after which a command follows; they run nothing themselves. */
const keywords = /^(?:if|then|else|elif|fi|do|done|while|until|!|time)(?=\s|$)/;

/**
 * Takes a script apart into the simple commands that it runs, for patterns to be held against. Whatever hides a command from that
 * (`$( … )`, backticks, `<( … )`, a heredoc, `eval`, a `case`) is an error: then nobody can say what it runs.
 */
export function splitCommands(script: string, shell: string): Result<readonly string[], string> {
  const name = shell.split('/').at(-1) ?? shell;
  if (!shells.has(name)) return err(`it is run by ${shell}, whose commands cannot be told apart`);
  const commands: string[] = [];
  let current = '';
  let quote: "'" | '"' | null = null;
  const end = (): void => {
    commands.push(current);
    current = '';
  };
  for (let at = 0; at < script.length; at++) {
    const char = script[at] ?? '';
    const next = script[at + 1] ?? '';
    if (quote === "'") {
      if (char === "'") quote = null;
      current += char;
      continue;
    }
    if (char === '\\') {
      // A line that goes on in the next one is one line.
      if (next !== '\n') current += char + next;
      at += 1;
      continue;
    }
    if (char === '`') return err('it holds a command in backticks');
    if (char === '$' && (next === '(' || next === "'" || (next === '{' && /^\$\{[^}]*[`(]/.test(script.slice(at))))) {
      return err(`it holds a $${next} …`);
    }
    if (quote === '"') {
      if (char === '"') quote = null;
      current += char;
      continue;
    }
    if (char === "'" || char === '"') {
      quote = char;
      current += char;
      continue;
    }
    if (char === '#' && (current === '' || /\s$/.test(current))) {
      const newline = script.indexOf('\n', at);
      at = (newline === -1 ? script.length : newline) - 1;
      continue;
    }
    if ((char === '<' || char === '>') && next === '(') return err(`it holds a ${char}( … )`);
    if (char === '<' && next === '<') return err('it holds a heredoc');
    if (char === '&' && (next === '>' || /[<>]$/.test(current))) {
      current += char;
      continue;
    }
    if (/[;&|\n()]/.test(char)) end();
    else current += char;
  }
  if (quote !== null) return err('a quote in it does not end');
  end();
  const clean = commands.map(withoutKeywords).filter((command) => command !== '');
  const hidden = clean.find((command) =>
    /^(?:eval|source|\.|exec|command|builtin|case|for|select|function|coproc|\[\[)(?=\s|$)/.test(command),
  );
  return hidden === undefined ? ok(clean) : err(`it holds \`${hidden.split(/\s/)[0] ?? ''}\``);
}

function withoutKeywords(command: string): string {
  let rest = command.trim();
  for (;;) {
    const next = rest
      .replace(/^[{}](?=\s|$)/, '')
      .trim()
      .replace(keywords, '')
      .trim();
    if (next === rest) return rest;
    rest = next;
  }
}

/** `*` stands for any text, `?` for one character; the whole text must match. In linear time: patterns come from files. */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p += 1;
      t += 1;
    } else if (star !== -1) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

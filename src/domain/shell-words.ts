/** One simple command while it is read: which words came, and whether its name was there yet. */
export interface SimpleCommand {
  /** Adds to the word that is being read, or begins one; quotes are gone already. */
  add(text: string): void;
  inWord(): boolean;
  endWord(): void;
  /** The next word is a file to redirect to or from. */
  redirect(): void;
  /** An operator or a newline: the next word is a command's name. */
  end(): void;
  endsWithEquals(): boolean;
  sawCase(): boolean;
  /** Why a placeholder may not stand here, completing "cannot be filled in …"; null when it may. */
  refusal(bash: boolean): string | null;
}

const ASSIGNMENT = /^[A-Za-z_]\w*\+?=/u;
const RESERVED = new Set(['if', 'then', 'else', 'elif', 'while', 'until', 'do', '{', '!', 'coproc']);
/** Programs whose first argument that is no option is a command again, and their options that take a value. */
const WRAPPERS = new Set(
  'exec command builtin nohup env sudo doas setsid nice ionice timeout stdbuf xargs time chroot unbuffer busybox'.split(
    ' ',
  ),
);
const VALUED = new Set('-I -n -P -L -d -s -u -g -k -S -C -i -o -e'.split(' '));
const SHELLS = /^(?:ba|da|z|k|mk|pdk|a|c|tc|fi|ya|po|r|rba)?sh$/u;
const INTERPRETERS =
  /^(?:python[\d.]*|pypy3?|perl|ruby|node|nodejs|deno|bun|php|lua[\d.]*|Rscript|osascript|tclsh|psql|mysql)$/u;
/** Whatever they are given is run, or read as a language that can run programs. */
const RUNS_ARGUMENTS = new Set(
  'eval trap let alias ssh su watch parallel source . awk gawk mawk nawk sed ed ex vim vi m4 expect tmux screen script at batch bc dc'.split(
    ' ',
  ),
);
/** Take names of variables, whose array index bash computes: `unset 'a[$(reboot)]'` runs it. */
const TAKE_NAMES = new Set(
  'unset read declare typeset local export readonly getopts mapfile readarray wait'.split(' '),
);

/** Starts with the place of a command's name, or with that of an argument. */
export function simpleCommand(asArguments: boolean): SimpleCommand {
  let word: string | null = null;
  let name: string | null = asArguments ? '' : null;
  let args: string[] = [];
  let redirected = false;
  let wrapped = false;
  let valueFollows = false;
  let inTest = false;
  let sawCase = false;

  function endWord(): void {
    if (word === null) return;
    const done = word;
    word = null;
    if (redirected) redirected = false;
    else if (name === null) endCommandWord(done);
    else endArgument(done);
  }

  function endCommandWord(done: string): void {
    if (ASSIGNMENT.test(done) || RESERVED.has(done)) return;
    if (wrapped && valueFollows) {
      valueFollows = false;
      return;
    }
    if (wrapped && (done.startsWith('-') || /^[\d.]+[smhd]?$/u.test(done))) {
      valueFollows = VALUED.has(done);
      return;
    }
    if (WRAPPERS.has(baseName(done))) {
      wrapped = true;
      return;
    }
    if (done === 'case') sawCase = true;
    inTest = done === '[[';
    name = baseName(done);
  }

  function endArgument(done: string): void {
    if (inTest && done === ']]') inTest = false;
    // `function f { COMMAND`
    if (name === 'function' && done === '{') end();
    else args.push(done);
  }

  function end(): void {
    endWord();
    name = null;
    args = [];
    redirected = false;
    wrapped = false;
    valueFollows = false;
    inTest = false;
  }

  function refusal(bash: boolean): string | null {
    const prefix = word ?? '';
    if (redirected) return null;
    if (/^[A-Za-z_]\w*\[/u.test(prefix)) return 'in an array index, which the shell computes';
    if (inTest && bash) return 'inside of [[ … ]], where the shell may compute with it';
    if (name === null) return ASSIGNMENT.test(prefix) ? null : "where a command's name stands";
    return argumentRefusal(name, prefix);
  }

  function argumentRefusal(name: string, prefix: string): string | null {
    if (RUNS_ARGUMENTS.has(name)) return `as an argument of \`${name}\`, which would run it`;
    const shell = [name, ...args].findIndex((text) => SHELLS.test(baseName(text)));
    if (shell !== -1) {
      const given = args.slice(shell);
      const program = baseName([name, ...args][shell] ?? '');
      if (given.some((text) => /^-[A-Za-z]*c/u.test(text)))
        return `as an argument of \`${program} -c\`, which would run it`;
      if (program === name && given.every((text) => text.startsWith('-'))) return `as the script of \`${program}\``;
    }
    if (args.at(-1) === '-exec' || args.at(-1) === '-execdir') return "where a command's name stands";
    if (INTERPRETERS.test(name) && (isCodeNext(args) || prefix.startsWith('-')))
      return `inside of code for \`${name}\``;
    if (TAKE_NAMES.has(name) && !ASSIGNMENT.test(prefix)) return `as a name for \`${name}\``;
    const takesName = ['printf', 'test', '['].includes(name) && /^-[vR]$/u.test(args.at(-1) ?? '');
    return takesName ? `as the name of a variable` : null;
  }

  return {
    add: (text) => {
      word = (word ?? '') + text;
    },
    inWord: () => word !== null,
    endWord,
    redirect: () => {
      endWord();
      redirected = true;
    },
    end,
    endsWithEquals: () => word !== null && word.endsWith('='),
    sawCase: () => sawCase || word === 'case',
    refusal,
  };
}

/** The word that follows an option such as `-c` or `-e` is code. */
function isCodeNext(args: readonly string[]): boolean {
  return /^(?:-[A-Za-z]*[ceEr]|--(?:eval|execute|command|print|run))$/u.test(args.at(-1) ?? '');
}

function baseName(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1);
}

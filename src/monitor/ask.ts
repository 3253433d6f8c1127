import type { Choice } from '../domain/block.ts';
import { isCodingAgent } from './coding-agents.ts';
import { isInputLine } from './input-line.ts';
import type { Look } from './look.ts';

/** A prompt on the last row, with the cursor behind it. */
export interface Ask {
  readonly kind: 'yes-no' | 'password' | 'key' | 'input' | 'pager' | 'editor' | 'repl' | 'shell';
  readonly question: string;
  readonly choices: readonly Choice[];
  readonly selected: number | null;
  /** Weak ones could be ordinary text: they count after two seconds of quiet. */
  readonly strength: 'strong' | 'weak';
  /** Index into `look.lines`. */
  readonly at: number;
}

const PASSWORD =
  /(?:^|[\s'"])(?:\[sudo[^\]]*\] )?(?:[\w' .@-]{0,60})?(?:password|passphrase|pass phrase|passcode|\bpin\b|secret key|passwort|mot de passe|contraseña|密码)(?: \([^)]{0,60}\))?(?: (?:for|für|de|pour|para|per|di|van|до|для) .{1,160}| again| confirm\w*| \(again\))?\s*[:：?]\s*[•*]*\s*(?:[([][^)\]]{0,40}\b(?:hidden|echo)\b[^)\]]{0,20}[)\]])?\s*$/iu;
const PASSWORD_WORDS =
  /\b(?:enter|type|retype|verify|repeat|confirm|new|current|old|the)\b.{0,60}\b(?:password|passphrase|pass phrase|pin)\b.{0,80}[:：]\s*[•*]*\s*(?:[([][^)\]]{0,40}\b(?:hidden|echo)\b[^)\]]{0,20}[)\]])?\s*$/iu;
const ONE_TIME =
  /\b(?:verification|one-time|otp|2fa|two-factor|authenticat\w+|security|mfa) (?:code|password|token|pin)\b.{0,60}[:：]\s*$/iu;
const YES_NO =
  /[[(]\s*\[?y\]?\s*\/\s*\[?n\]?\s*[\])]\s*[:?>]*\s*$|<[yn]>\s*\?\s*$|[[(<]\s*(?:y(?:es)?|j(?:a)?|o(?:ui)?|s(?:i|í)?)\s*[/|,]\s*n(?:o|ein|on)?(?:\s*[/|,](?:\[[^\]]{1,30}\]|[^\])>[]){1,60})?\s*[\])>]\s*(?:\([^)]{0,30}\)|\[[^\]]{0,20}\])?\s*[.:?>›»]*\s*$|\((?:y or n|yes or no|yes, no|\[?no?\]?\s*\/\s*yes)\)\s*[:?]?\s*$/iu;
const LETTERS =
  /\s\[(?:[a-zA-Z?@!]{1,3}[,/|]){1,14}[a-zA-Z?@!]{1,3}\]\s*(?:\([^)]{0,30}\))?\s*[:?>]*\s*$|\((?:[A-Z][/|,]){2,9}[A-Z]\)(?: ?\[[^\]]{0,30}\])?\s*[:?]*\s*$/u;
/** The letters that may be typed, in one piece: `[Ynaqdh]`. */
const TOGETHER = /\?\s*(?:\([^)]{0,40}\)\s*)?\[([a-zA-Z]{2,12})\]\s*$/u;
/** Words that may be typed, one of them known to answer: `[agree, cancel]`. */
const WORDS =
  /[[(]((?=[^\])]*\b(?:agree|accept|decline|cancel|abort|continue|retry|skip|quit|ok|yes|no)\b)[a-z]{2,12}(?:\s?[,/|]\s?[a-z]{2,12}){1,4})[\])]\s*[:?]?\s*$/iu;
const SPELLED =
  /(?:\([a-zA-Z]\)|\[[a-zA-Z]\])[\w' -]{0,40}[/,|; ].{0,80}(?:\([a-zA-Z]\)|\[[a-zA-Z]\])[\w' -]{0,40}(?:\[[^\]]{0,12}\])?\s*[:?]?\s*$/u;
const PRESS_KEY =
  /(?:\b(?:press|hit|push|strike|type)\s+(?:the\s+)?(?:\[?<?(?:any key|enter|return|space\w*|'?[qyr]'?)>?\]?)(?: or \S+)?\b.{0,80}(?:\bto\b|\.\.\.|…|\bwhen\b|:|continue|\)$|$)|\bpress any key\b|<enter>|-- ?more ?--|\[press enter\])/iu;
const REPL =
  /^(?:>>>|&|[a-z]\w{1,12} #|In \[\d+\]:|\(?(?:gdb|lldb|Pdb|ipdb|byebug|rdbg|rdb:\d+|dbx|dlv|jdb|mdb|cuda-gdb|rr|trepan\w*)\)|(?:mysql|sqlite|MariaDB \[[^\]]*\]|ftp|lftp(?: \S+)?|sftp|telnet|redis|mongo|mongosh|test|julia|scala|ghci|Prelude|iex(?:\(\d+\))?|erl|clisp|swipl|octave|maxima|hive|cqlsh|influx|kafka|gnuplot|fennel|lua|js|ts|deno|psql|nslookup|dig|bluetoothctl|parted|iwd|virsh|nft|cryptsetup)(?:[:\d\w@.\-()]{0,40})?>|\[[^\]]{1,40}\](?:#|>)|\(parted\)|\w[\w.]{0,40}(?:=|-|\(|!|\^)[#>]|irb\([^)]{1,40}\):\d+:\d+[>*]|pry\([^)]{1,40}\)>|\d+:\d+:\d+>|jshell>|php >|user=>|[\w.:-]{0,30}(?:\d+)?[?]-|[A-Za-z][\w.:-]{0,30}(?:\([\w-]{1,12}\))?>|127\.0\.0\.1:\d+>|[\w.-]+:\d+(?:\[\d+\])?>)\s*$/u;
const REPL_BANNER =
  /\b(?:Welcome to Node\.js|Type "\.help"|Type '\/help'|Welcome to the (?:Mongo|MariaDB|MySQL)|Deno \d|Lua \d|Bun v)/u;
const SHELL =
  /^(?:\([\w.-]{1,40}\) )?(?:\[?[\w.-]{1,40}@[\w.-]{1,60}[^$#%>]{0,120}[$#%>]|[~/][\w./~-]{0,120} ?[$#%>❯]|(?:bash|sh|zsh|dash)-[\d.]+[$#]|[$#%]|[➜❯λ]\s+(?!\d+[.)])\S.{0,80}[)✗$>%❯]?|PS [A-Z]:[^>]*>|[A-Z]:\\[^>]*>|[\w~./-]{1,60} (?:on|git:|via|\().{0,80}[$#%❯>])\s*$/u;
const PAGER =
  /(?:^\s*:\s*$|\(END\)\s*$|^lines \d+-\d+(?:\/\d+)?(?: \(END\)| \d+%)?|--More--|^\s*Manual page \S+ line \d+|^\s*--\s?(?:more|More)\s?--|press h for help or q to quit|^--\s?type <ret>|^\S.{0,80} lines? \d+-\d+(?:\/\d+)? (?:\d+%|\(END\)|byte)|^HELP -- Press RETURN|press RETURN\))/iu;
const VIM_STATUS =
  /^(?:-- (?:INSERT|REPLACE|VISUAL|NORMAL|TERMINAL|VISUAL LINE|VISUAL BLOCK|SELECT)\b.*--.*|"[^"]{1,200}"(?: \[[^\]]+\])?(?: \d+L, \d+[BC](?: written)?| \[New\].*|.*\d+ lines?.*)|.{0,120}\s\d+,\d+(?:-\d+)?\s+(?:All|Top|Bot|\d+%)|:\S*|E\d{2,4}: .*|NORMAL .*|\s*NOR\s.*)$/u;
const NANO = /\^G\s+(?:Help|Get Help).*\^[OXW]|\^X\s+Exit|\^G Help.*\^X Exit/u;
const RM_LIKE = /^(?:rm|cp|mv|ln|install|unlink|shred|xargs|chmod|< ?\S{1,60})(?::|\s).{0,200}\?(?:\.\.\.)?\s*$/u;
const ELLIPSIS = /^\S.{0,150}\?\.\.\.\s*$/u;
const DIALOGUE = /^\s*(?:[?◆❔]|\[\?\])\s+(?!for (?:shortcuts|help)\b)\S.{0,200}$/u;
const QUESTION = /\?\s*(?:\([^)]{0,60}\)|\[[^\]]{0,60}\])?\s*[:›>»]?\s*$/u;
const FIELD =
  /(?:\b(?:enter|type|input|provide|specify|paste|choose|select|pick|give|set)\b.{0,100}|(?:user ?name|login|log in|e-?mail(?: address)?|(?:package|project|app|full|first|last|real|common|organization\w*|host|country|state|city|file|folder|branch|table|database|key|component) ?(?:or [\w ]+)?names?|your name|version|description|entry point|test command|git repository|keywords|author|license|choice|your choice|selection|your selection|option|answer|value|code|address|room number|(?:work|home) phone|other|api key|token|url|port|reply|filename|name|command|search|find|goto)\b.{0,60})[:：]\s*(?:\[[^\]]{0,60}\]|\([^)]{0,80}\))?\s*:?\s*$/iu;
const DEFAULTED =
  /^[^:]{1,80}(?:\((?:[^)]{1,60})\)|\[[^\]]{1,60}\])\s*[:?]\s*$|^[A-Z][^:]{1,80}[[(]default\b[^\])]{1,60}[\])]\s*$/u;
/** Without a cursor that tells that the row is open, a row of a program's text is no prompt. */
const CODE =
  /["`}]\s*:\s*$|^\s*(?:case|default|if|else|elif|for|while|def|class|return|const|let|var|function|func|fn|public|private|export|import|type|interface|switch|it|test|describe)\b|=>|[{};]|<\/|^\? (?:idx|null|undefined|true|false|\w+[.[(])/u;
const PASTE = /\b(?:paste|enter|type)\b.{1,80}(?:\s>|\bbelow:?)\s*$/iu;
/** An order to the person that ends in what may be given: `Enter selection (default: Application) [1..4]`. */
const ORDERED = /^(?:please )?(?:enter|choose|select|type|pick)\b.{3,160}[\])]\s*(?::\s*[\w.]{1,20}\s*:)?\s*$/iu;
/** A short name of what is wanted, not the heading of a list: those say what follows, often in plural. */
const NAMED =
  /^(?!(?:usage|options?|output|error|summary|result|note|warning|example|total|info|debug|hint|tip|see|input|todo|fixme|default|step|stage|phase|test|run\w*|build\w*|\w+ing|[\w ]*\w{2}[^s]s)\s*:)[A-Z][a-z]+(?: [a-z]{2,14}){0,2}:\s*$/u;
/** A whole question as a program's last word, or a name with a prompt's end: `What now>`. */
const OPEN_QUESTION =
  /^(?!(?:[QA]|[\w.-]{1,16}): )[A-Z][^.!?:]{3,120}\?\s*$|^[A-Z][a-z]{1,12}(?: [a-z]{1,12}){0,3}>\s*$/u;
const SELECT_PROMPT = /^(?:#\?|.{0,60}(?:\[?\(?\d+ ?(?:-|\.\.|to) ?\d+\)?\]?|\[\d+(?:\/\d+)+\]).{0,20}[:?>])\s*$/u;
const PROSE_END = /[.;,]\s*$/u;

/** Reads the last row as a prompt; null when it is none. */
export function findAsk(look: Look): Ask | null {
  const line = lastPromptLine(look);
  if (line === undefined) return null;
  const text = line.text.trim();
  const at = look.lines.indexOf(line);
  const make = (kind: Ask['kind'], strength: Ask['strength'] = 'strong', more: Partial<Ask> = {}): Ask => ({
    kind,
    question: questionAt(look, at),
    choices: [],
    selected: null,
    strength,
    at,
    ...more,
  });
  const screenKind = wholeScreen(look, text);
  if (screenKind !== null) return make(screenKind);
  const keys = keysBelow(look);
  if (keys !== null) return make('yes-no', 'strong', keys);
  if (text === '>' && look.text.some((other) => REPL_BANNER.test(other.text))) return make('repl');
  if (/^(?:\[[^\]]{1,80}\]\s*)?>>>\s*$/u.test(text)) {
    const before = look.lines[at - 1]?.text.trim() ?? '';
    return YES_NO.test(before) ? make('yes-no', 'strong', yesNo(before)) : make('repl');
  }
  if (answersBelow(look, line)) return make('input');
  if (line.quote || isInputLine(look, line) || /^\s*\? for /u.test(text)) return null;
  if (/^\s*(?:\/\/|#\s|\*\s|- |`)/u.test(line.text)) return null;
  const where = cursorPlace(look, line.row, line.text.length);
  if (where === 'elsewhere') return null;
  if (
    UNLOCK.test(text) ||
    PASSWORD.test(text) ||
    isRepeated(look, at, text) ||
    PASSWORD_WORDS.test(text) ||
    ONE_TIME.test(text)
  )
    return make('password');
  if (REPL.test(text)) return make('repl');
  if (YES_NO.test(text)) return make('yes-no', 'strong', yesNo(text));
  if (RM_LIKE.test(text) || (ELLIPSIS.test(text) && where !== 'terminated'))
    return make('yes-no', 'strong', {
      choices: [
        { label: 'yes', key: 'y' },
        { label: 'no', key: 'n' },
      ],
    });
  if (LETTERS.test(text)) return make('yes-no', 'strong', letters(text));
  const words = WORDS.exec(text)?.[1];
  if (words !== undefined) {
    return make('yes-no', 'strong', {
      choices: words.split(/\s?[,/|]\s?/u).map((word) => ({ label: word, key: word })),
    });
  }
  const together = TOGETHER.exec(text)?.[1];
  if (together !== undefined) {
    const choices = Array.from(together, (key) => ({ label: key, key: key.toLowerCase() }));
    return make('yes-no', 'strong', { choices });
  }
  if (SPELLED.test(text)) return make('yes-no', 'strong', spelled(text));
  if (PRESS_KEY.test(text) && text.length < 160) return make('key', where === 'behind' ? 'strong' : 'weak');
  if (SHELL.test(text)) return make('shell');
  return field(text, where, make);
}

function field(text: string, where: Place, make: (kind: Ask['kind'], strength?: Ask['strength']) => Ask): Ask | null {
  if (text.length > 200 || PROSE_END.test(text)) return null;
  if (where !== 'behind' && CODE.test(text)) return null;
  if (DIALOGUE.test(text)) return make('input');
  if (SELECT_PROMPT.test(text) || PASTE.test(text)) return make('input');
  if (where === 'behind') {
    if (QUESTION.test(text) || FIELD.test(text) || DEFAULTED.test(text)) return make('input');
    return /[:?>]\s*$/u.test(text) ? make('input', 'weak') : null;
  }
  if (where === 'terminated') return null;
  if (FIELD.test(text) || DEFAULTED.test(text) || OPEN_QUESTION.test(text)) return make('input', 'weak');
  if (ORDERED.test(text) || NAMED.test(text)) return make('input', 'weak');
  return /\?\s*(?:\([^)]{1,40}\)|\[[^\]]{1,40}\])\s*:?\s*$/u.test(text) ? make('input', 'weak') : null;
}

const UNLOCK = /^(?:please )?unlock\b.{1,60}[:：]\s*$/iu;

/** A bare `>` right below a question or the last of a numbered list: where a plain program reads the answer. */
function answersBelow(look: Look, line: Look['text'][number]): boolean {
  if (!/^\s*[>›]\s*$/u.test(line.text) || (look.agent !== undefined && isCodingAgent(look.agent))) return false;
  const before = look.lines[look.lines.indexOf(line) - 1];
  if (before === undefined || before.blank || before.rule) return false;
  return /[:?\]]\s*$/u.test(before.text) || /^\s*(?:\[\w{1,3}\]|\(?\d{1,2}[.):])\s+\S/u.test(before.text);
}

/** `Password:` and below it `Repeat for confirmation:`. */
function isRepeated(look: Look, at: number, text: string): boolean {
  return (
    /\b(?:repeat|retype|re-enter|again|verify|confirm\w*)\b.{0,40}[:：]\s*$/iu.test(text) &&
    PASSWORD.test(look.lines[at - 1]?.text.trim() ?? '')
  );
}

type Place = 'behind' | 'unknown' | 'terminated' | 'elsewhere';

/** Where the cursor stands to a row: a prompt leaves it behind its text, a line of a log below it. */
function cursorPlace(look: Look, row: number, length: number): Place {
  const cursor = look.input.cursor;
  if (cursor === undefined) return 'unknown';
  if (cursor.row === row) return cursor.col >= Math.min(length, 3) ? 'behind' : 'unknown';
  if (cursor.row === row + 1 && cursor.col === 0) return 'terminated';
  return cursor.row > row ? 'terminated' : 'elsewhere';
}

/** The last row with text; a bare `>` under a question belongs to it. */
function lastPromptLine(look: Look): Look['text'][number] | undefined {
  const last = look.text.at(-1);
  const before = look.text.at(-2);
  if (
    last !== undefined &&
    before !== undefined &&
    /^\s*[>›❯]\s*$/u.test(last.text) &&
    (YES_NO.test(before.text) || LETTERS.test(before.text)) &&
    before.row >= last.row - 2
  ) {
    return before;
  }
  return last;
}

function wholeScreen(look: Look, last: string): 'pager' | 'editor' | null {
  if (PAGER.test(last)) return 'pager';
  const bottom = look.text.slice(-3).map((line) => line.text);
  if (bottom.some((text) => NANO.test(text))) return 'editor';
  const tildes = look.lines.filter((line) => /^~\s*$/u.test(line.text)).length;
  if (
    VIM_STATUS.test(last) &&
    (tildes >= 2 || /\d+,\d+(?:-\d+)?\s+(?:All|Top|Bot|\d+%)$/u.test(last) || last.startsWith('-- '))
  )
    return 'editor';
  if (tildes >= 4 && /^~\s*$/u.test(look.text.at(-1)?.text ?? '')) return 'editor';
  return null;
}

const KEY_ROW = /^([A-Z^]{1,2}) ?(yes|no|all|cancel|none|always|never)\b(?: {2,}(\S{1,2}) (\w+))?$/iu;

/** A question of an editor: each key on a row of its own, before its word. */
function keysBelow(look: Look): Pick<Ask, 'choices' | 'selected'> | null {
  const rows = look.text.slice(-3).map((line) => KEY_ROW.exec(line.text.trim()));
  const found = rows.flatMap((row) =>
    row === null ? [] : [{ key: row[1] ?? '', label: (row[2] ?? '').toLowerCase() }],
  );
  const asks = look.text.slice(-4).some((line) => QUESTION.test(line.text));
  if (!asks || rows.at(-1) === null || found.length < 2) return null;
  return { choices: found.map(({ key, label }) => ({ key: key.toLowerCase(), label })), selected: null };
}

/** The prompt's row and, when it goes on from the row above, that one too. */
function questionAt(look: Look, at: number): string {
  const parts: string[] = [];
  for (let index = at; index >= 0 && parts.length < 4; index -= 1) {
    const line = look.lines[index];
    if (line === undefined || line.blank || line.rule || line.quote) break;
    if (index < at && (/[.:;!?)\]]$/u.test(line.text) || line.text.length < (look.input.cols ?? 80) * 0.75)) break;
    parts.unshift(line.text.trim());
  }
  return parts
    .join(' ')
    .replace(/^[?◆]\s+/u, '')
    .slice(0, 500);
}

function yesNo(text: string): Pick<Ask, 'choices' | 'selected'> {
  const inside = /[[(<]([^\])>]{1,80})[\])>][^\])>]{0,40}$/u.exec(text)?.[1] ?? '';
  const words = (/[/|,]/u.test(inside) ? inside : (/[[(<]([^\])>]{1,80})[\])>]/u.exec(text)?.[1] ?? ''))
    .split(/[/|,]/u)
    .map((word) => word.trim());
  const choices = words.map((word) => ({
    label: /^y$/iu.test(word) ? 'yes' : /^n$/iu.test(word) ? 'no' : word,
    key: word.toLowerCase(),
  }));
  const capital = words.flatMap((word, index) => (/^[A-Z]/u.test(word) ? [index] : []));
  return { choices, selected: capital.length === 1 && words.length > 1 ? (capital[0] ?? null) : null };
}

function letters(text: string): Pick<Ask, 'choices' | 'selected'> {
  const inside = /[[(]([a-zA-Z?@!]{1,3}(?:[,/|][a-zA-Z?@!]{1,3})+)[\])]/u.exec(text)?.[1] ?? '';
  return { choices: inside.split(/[,/|]/u).map((key) => ({ label: key, key })), selected: null };
}

function spelled(text: string): Pick<Ask, 'choices' | 'selected'> {
  const choices = [...text.matchAll(/[([]([a-zA-Z])[)\]]([a-zA-Z' ]{0,24})/gu)].map((match) => ({
    label: `${match[1] ?? ''}${match[2] ?? ''}`.trim(),
    key: (match[1] ?? '').toLowerCase(),
  }));
  const preset = /\[([a-zA-Z' ]{2,16})\]\s*[:?]?\s*$/u.exec(text)?.[1]?.toLowerCase();
  const selected = choices.findIndex((choice) => choice.label.toLowerCase() === preset);
  return { choices, selected: selected < 0 ? null : selected };
}

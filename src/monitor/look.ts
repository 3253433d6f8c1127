/** What the monitor is shown of a terminal. Rows and columns count from 0. */
export interface ScreenInput {
  readonly lines: readonly string[];
  readonly cursor?: { readonly row: number; readonly col: number; readonly visible: boolean };
  /** Rows with text in inverse video or on a colour of its own, as menus mark their selected row. */
  readonly highlights?: readonly Highlight[];
  /** Rows whose text is dim or grey: descriptions, not choices. */
  readonly muted?: readonly number[];
  readonly title?: string;
  /** The program in the foreground, when it is known: picks its rules. */
  readonly agent?: string;
  readonly version?: string;
  readonly cols?: number;
  readonly rows?: number;
}

export interface Highlight {
  readonly row: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Names the background, so that rows that stand out can be told from a panel. */
  readonly style: string;
}

/** One row as the rules see it. */
export interface Line {
  readonly row: number;
  /** Without the frame around it; columns are kept. */
  readonly text: string;
  readonly indent: number;
  readonly blank: boolean;
  /** A horizontal rule or the border of a box. */
  readonly rule: boolean;
  /** Something that is told, not asked: output of a tool, a quoted message, a line of a diff. */
  readonly quote: boolean;
  readonly boxed: boolean;
}

/** A screen prepared for judging: the last rows, frames taken off. */
export interface Look {
  readonly input: ScreenInput;
  readonly lines: readonly Line[];
  /** Those with text, from top to bottom. */
  readonly text: readonly Line[];
  readonly last: Line | undefined;
  readonly title: string;
  readonly agent: string | undefined;
}

/** Rows and columns beyond these are never read: a verdict costs the same on any screen. */
const maxRows = 80;
const maxCols = 400;

/** Joiners and selectors of how a character is drawn; they take no column. */
const INVISIBLE = /[\u200b\u200c\u200e\u200f\u2060]|\u200d|\ufe0e|\ufe0f/gu;
const SCROLLBAR = /(?<=\s)[█▄▀▐░]$/u;
const FRAME_LEFT = /^(\s*)([│┃║▌▎┆┊])/u;
const FRAME_RIGHT = /[│┃║▐┆┊]\s*[█▄▀▐░▒]?\s*$/u;
const RULE = /^[\s─━═╌┄┈╍┅╭╮╰╯┌┐└┘├┤┏┓┗┛┣┫╔╗╚╝╠╣┬┴┼▁▔▄▀▂▃╴╶╸╺│┃║█]{3,}$/u;
/** The edge of a clack prompt, with nothing or just a cursor behind it. */
const CLACK_EDGE = /^\s*[│└]\s*[█▄_▪]*\s*$/u;
/** An empty row inside of a box. */
const SIDES = /^[\s│┃║█]*$/u;
const RULE_START = /^\s*[╭╰┌└├┏┗┣╔╚╠╞─━═╌]/u;
const RULE_END = /[─━═╌┄]{2} ?[╮╯┐┘┤┓┛┫╗╝╣]?[█▄▀]?$/u;
const ASCII_RULE = /^\s*(?:-{8,}|={8,}|_{8,}|\*{8,}|\+[-=+]{6,}\+)\s*$/u;
const TOLD = /^\s*(?:[⎿│↳]|└ |[-+]{1,3}\s*(?:\d+\s|[a-z<{(/*#]{1,3}\S* )|@@ |\d+\s+[-+] |`{3})/u;
const STAMPED =
  /^\s*(?!.{0,300}\?\s*[[(]\s*y(?:es)?\s*[/|]\s*no?\s*[\])]\s*:?\s*$)(?:\[?\d{4}-\d\d-\d\d|\[?\d{1,2}:\d\d:\d\d|\d{9,13}\b|(?:DEBUG|INFO|WARN(?:ING)?|ERROR|TRACE)\b(?!.{0,300}[?\])>]\s*:?\s*$))/u;
/** What a tool put out, below the call: it goes on in the rows that are indented as deep. */
const OUTPUT = /^(\s*)(?:⎿|└ )\s*\S/u;

/** Prepares a screen for judging. */
export function lookAt(input: ScreenInput): Look {
  const all = input.lines;
  let end = all.length;
  while (end > 0 && (all[end - 1] ?? '').trim() === '') end -= 1;
  const start = Math.max(0, end - maxRows);
  const raw = all.slice(start, end).map((line) => tidy(line));
  const live = raw.some((line) => /^\s*[◆▲■◇●]\s/u.test(line)) && raw.some((line) => /^\s*└\s*$/u.test(line));
  const lines = withOutput(raw.map((line, index) => toLine(line, start + index, live)));
  const text = lines.filter((line) => !line.blank && !line.rule);
  return { input, lines, text, last: text.at(-1), title: (input.title ?? '').slice(0, 200), agent: input.agent };
}

function withOutput(lines: readonly Line[]): readonly Line[] {
  let depth: number | null = null;
  return lines.map((line) => {
    const begins = line.boxed ? null : OUTPUT.exec(line.text);
    if (begins !== null) depth = (begins[1] ?? '').length + 2;
    else if (line.blank || line.rule || depth === null || line.indent < depth) depth = null;
    return depth === null || line.quote ? line : { ...line, quote: true };
  });
}

function tidy(line: string): string {
  return line
    .slice(0, maxCols)
    .replaceAll(/[\u00a0\u2000-\u200a\t]/gu, ' ')
    .replaceAll(/[\u2018\u2019]/gu, "'")
    .replaceAll(INVISIBLE, '')
    .trimEnd()
    .replace(SCROLLBAR, '')
    .trimEnd();
}

/** `live`: the screen holds a prompt whose left edge is a lone bar, as the clack library draws it. */
function toLine(raw: string, row: number, live: boolean): Line {
  if (live && CLACK_EDGE.test(raw))
    return { row, text: '', indent: 0, blank: true, rule: false, quote: false, boxed: false };
  const rule =
    (RULE.test(raw) && !SIDES.test(raw)) || (RULE_START.test(raw) && RULE_END.test(raw)) || ASCII_RULE.test(raw);
  const inside = rule ? { text: raw, boxed: false } : unframe(raw, live);
  const text = inside.text.trimEnd();
  const trimmed = text.trimStart();
  return {
    row,
    text,
    indent: text.length - trimmed.length,
    blank: trimmed === '',
    rule,
    quote: !inside.boxed && (TOLD.test(text) || STAMPED.test(text)),
    boxed: inside.boxed,
  };
}

function unframe(line: string, lone: boolean): { text: string; boxed: boolean } {
  let text = line;
  let boxed = false;
  for (let depth = 0; depth < 3 && FRAME_LEFT.test(text) && FRAME_RIGHT.test(text); depth += 1) {
    const inner = text.replace(FRAME_RIGHT, '').replace(FRAME_LEFT, '$1 ');
    if (inner.length >= text.length) break;
    text = inner.trimEnd();
    boxed = true;
  }
  const bar = FRAME_LEFT.exec(text);
  if (bar !== null && (bar[2] !== '│' || lone)) text = text.replace(FRAME_LEFT, '$1 ');
  return { text, boxed };
}

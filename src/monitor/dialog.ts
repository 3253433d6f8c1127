import type { Choice } from '../domain/block.ts';
import { parseChoice, type ChoiceLine } from './choice.ts';
import { findAsk, type Ask } from './ask.ts';
import { findButtons } from './buttons.ts';
import { isFooter } from './hints.ts';
import { findMenu, type Menu } from './menu.ts';
import type { Line, Look } from './look.ts';

/** What a screen asks, whatever program asks it. */
export interface Dialog {
  readonly shape: 'menu' | 'buttons' | Ask['kind'];
  readonly question: string;
  readonly choices: readonly Choice[];
  readonly selected: number | null;
  readonly strength: 'strong' | 'weak';
  /** What stands around the question: the heading, what is to be run, the hints. */
  readonly context: string;
  readonly command?: string;
}

const contextRows = 14;

/** Finds what the bottom of the screen asks, if it asks. */
export function findDialog(look: Look): Dialog | null {
  const menu = findMenu(look);
  if (menu !== null) return fromMenu(look, menu);
  const buttons = findButtons(look);
  if (buttons !== null) {
    const question = questionAbove(look, buttons.at);
    return {
      shape: 'buttons',
      ...question,
      choices: buttons.choices,
      selected: buttons.selected,
      strength: 'strong',
      ...aboutOf(look, buttons.at),
    };
  }
  const ask = findAsk(look);
  if (ask === null) return null;
  const { at, kind, ...rest } = ask;
  return { shape: kind, ...rest, ...aboutOf(look, at) };
}

function fromMenu(look: Look, menu: Menu): Dialog {
  const choices = menu.rows.map(({ at, choice }) => {
    const label = wholeLabel(look, at, choice);
    return choice.key === null ? { label } : { label, key: choice.key };
  });
  const strength = menu.marked === 'strong' || menu.hinted || menu.numbered ? 'strong' : 'weak';
  return {
    shape: 'menu',
    ...questionAbove(look, menu.first),
    choices,
    selected: menu.selected,
    strength,
    ...aboutOf(look, menu.first),
  };
}

/** A label that was too long for its row goes on below it, at its own column; a description starts there without need. */
function wholeLabel(look: Look, at: number, choice: ChoiceLine): string {
  const width = look.input.cols ?? Math.max(...look.lines.map((line) => line.text.length));
  let label = choice.label;
  for (let next = at + 1; next < at + 4; next += 1) {
    const line = look.lines[next];
    const before = look.lines[next - 1];
    if (line === undefined || before === undefined || line.blank || line.rule || line.indent <= choice.col) break;
    const word = line.text.trim().split(' ')[0] ?? '';
    const other = parseChoice(line.text);
    if (before.text.length + 1 + word.length < width - 6 || other?.mark !== null || other.keyKind !== null) break;
    label += ` ${line.text.trim()}`;
  }
  return label;
}

/** The paragraph above the choices; the one with a question mark, when there are several near. */
function questionAbove(look: Look, first: number): { question: string } {
  const paragraphs = paragraphsAbove(look, first, 14);
  const asking = paragraphs.find((lines) =>
    lines.some((line) => /[?？]\s*(?:\(.{0,80}\)|\[.{0,80}\])?\s*$|\?\s/u.test(line.text)),
  );
  const chosen = asking ?? paragraphs.find((lines) => !lines.every((line) => line.quote)) ?? [];
  const from = asking === undefined ? 0 : Math.max(0, chosen.findIndex((line) => /\?/u.test(line.text)) - 2);
  const text = chosen
    .slice(asking === undefined ? -3 : from)
    .filter((line) => !line.quote && (line.text.includes('?') || !isFooter(line.text)))
    .map((line) => line.text.trim())
    .join(' ');
  return { question: text.replace(/^[?◆]\s+/u, '').slice(0, 500) };
}

/** Nearest first. */
function paragraphsAbove(look: Look, first: number, rows: number): Line[][] {
  const paragraphs: Line[][] = [];
  let open: Line[] = [];
  for (let at = first - 1; at >= 0 && at >= first - rows; at -= 1) {
    const line = look.lines[at];
    if (line === undefined) break;
    if (line.blank || line.rule) {
      if (open.length > 0) paragraphs.push(open);
      open = [];
      continue;
    }
    open.unshift(line);
  }
  if (open.length > 0) paragraphs.push(open);
  return paragraphs;
}

/** The rows around the question, up to the rule or the box's border above it: what stands higher is the conversation. */
function aboutOf(look: Look, at: number): { context: string; command?: string } {
  const top = Math.max(0, at - contextRows);
  const border = look.lines.slice(top, at).findLastIndex((line) => line.rule && !/[╌┄┈]/u.test(line.text));
  const around = look.lines.slice(border < 0 ? top : top + border).filter((line) => !line.blank && !line.rule);
  const context = around
    .map((line) => line.text.trim())
    .join('\n')
    .slice(0, 6_000);
  const command = commandAbove(look, at);
  return command === undefined ? { context } : { context, command };
}

const PROMPTED = /^\s*(?:[❯›⏺●•]\s*)?\$ (\S.*)$/u;
const CALLED =
  /\b(?:Bash|Shell|bash|shell|run_shell_command|execute|Execute|Run)\s?\(\s*(?:command[:=]\s*)?(\S.{0,300}?)\)?\s*(?:←)?$/u;
const HEADED =
  /^\s*[?⏺●○◆✦•#]?\s*(?:Bash|Shell|Run|Execute|Terminal|Command|Ran)(?: command| tool| Command)?(?: requires approval)?:?\s*$/iu;
const LABELLED =
  /^\s*[?⏺●]?\s*(?:Shell|Bash|Command|Run|Execute|run_shell_command):?\s{1,3}(\S.{1,300}?)(?: \[current working directory.{0,200})?(?:\s*←)?\s*$/u;

/** The command the program asks to run, when it shows one above its question. */
function commandAbove(look: Look, at: number): string | undefined {
  const start = Math.max(0, at - 18);
  const rows = look.lines.slice(start, at);
  const heading = rows.findLastIndex((line) => HEADED.test(line.text.trimStart()));
  if (heading >= 0) return belowHeading(rows.slice(heading + 1));
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const line = rows[index];
    if (line === undefined || line.blank) continue;
    const prompted = PROMPTED.exec(line.text.trimStart())?.[1] ?? CALLED.exec(line.text)?.[1];
    if (prompted !== undefined) return prompted.trim();
    const labelled = LABELLED.exec(line.text.trimStart())?.[1];
    if (labelled !== undefined && !labelled.endsWith('?')) return repeated(labelled.trim(), rows.slice(index + 1));
  }
  return undefined;
}

/** Between two dashed rules, where the program draws them; else the first row that is indented like code, else the first. */
function belowHeading(rows: readonly Line[]): string | undefined {
  const opens = rows.findIndex((line) => line.rule && /^\s*[╌┄┈-]/u.test(line.text));
  const closes = opens < 0 ? -1 : rows.findIndex((line, index) => index > opens && line.rule);
  const framed = closes < 0 ? [] : rows.slice(opens + 1, closes).filter((line) => !line.blank);
  if (framed.length > 0)
    return framed
      .map((line) => line.text.trim())
      .join('\n')
      .slice(0, 2_000);
  const text = rows.filter((line) => !line.blank && !line.rule);
  const shallow = Math.min(...text.map((line) => line.indent));
  const found = text.find((line) => PROMPTED.test(line.text)) ?? text.find((line) => line.indent > shallow) ?? text[0];
  return found === undefined ? undefined : (PROMPTED.exec(found.text)?.[1] ?? found.text).trim();
}

/** A heading may hold more than the command; where a row below repeats its beginning, that row is the command. */
function repeated(labelled: string, below: readonly Line[]): string {
  const row = below.find((line) => line.text.trim().length > 1 && labelled.startsWith(line.text.trim()));
  return row === undefined ? labelled : row.text.trim();
}

import type { Choice } from '../domain/block.ts';
import { findAsk, type Ask } from './ask.ts';
import { findButtons } from './buttons.ts';
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

const contextRows = 22;

/** Finds what the bottom of the screen asks, if it asks. */
export function findDialog(look: Look): Dialog | null {
  const menu = findMenu(look);
  if (menu !== null) return fromMenu(look, menu);
  const buttons = findButtons(look);
  if (buttons !== null) {
    const question = questionAbove(look, buttons.at);
    return { shape: 'buttons', ...question, choices: buttons.choices, selected: buttons.selected, strength: 'strong', ...aboutOf(look, buttons.at) };
  }
  const ask = findAsk(look);
  if (ask === null) return null;
  const { at, kind, ...rest } = ask;
  return { shape: kind, ...rest, ...aboutOf(look, at) };
}

function fromMenu(look: Look, menu: Menu): Dialog {
  const choices = menu.rows.map(({ choice }) => (choice.key === null ? { label: choice.label } : { label: choice.label, key: choice.key }));
  const strength = menu.marked === 'strong' || menu.hinted || menu.numbered ? 'strong' : 'weak';
  return { shape: 'menu', ...questionAbove(look, menu.first), choices, selected: menu.selected, strength, ...aboutOf(look, menu.first) };
}

/** The paragraph above the choices; the one with a question mark, when there are several near. */
function questionAbove(look: Look, first: number): { question: string } {
  const paragraphs = paragraphsAbove(look, first, 14);
  const asking = paragraphs.find((lines) => lines.some((line) => /[?？]\s*(?:\(.{0,80}\)|\[.{0,80}\])?\s*$|\?\s/u.test(line.text)));
  const chosen = asking ?? paragraphs.find((lines) => !lines.every((line) => line.quote)) ?? [];
  const from = asking === undefined ? 0 : Math.max(0, chosen.findIndex((line) => /\?/u.test(line.text)) - 2);
  const text = chosen.slice(asking === undefined ? -3 : from).filter((line) => !line.quote).map((line) => line.text.trim()).join(' ');
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

function aboutOf(look: Look, at: number): { context: string; command?: string } {
  const around = look.lines.slice(Math.max(0, at - contextRows)).filter((line) => !line.blank && !line.rule);
  const context = around.map((line) => line.text.trim()).join('\n').slice(0, 6_000);
  const command = commandAbove(look, at);
  return command === undefined ? { context } : { context, command };
}

const PROMPTED = /^\s*(?:[❯›⏺●•]\s*)?\$ (\S.*)$/u;
const CALLED = /\b(?:Bash|Shell|bash|shell|run_shell_command|execute|Execute|Run)\s?\(\s*(?:command[:=]\s*)?(\S.{0,300}?)\)?\s*(?:←)?$/u;
const HEADED = /^\s*[?⏺●○◆✦•#]?\s*(?:Bash|Shell|Run|Execute|Terminal|Command|Ran)(?: command| tool| Command)?(?: requires approval)?:?\s*$/iu;
const LABELLED = /^\s*[?⏺●]?\s*(?:Shell|Bash|Command|Run|Execute|run_shell_command):?\s{1,3}(\S.{1,300}?)(?: \[current working directory.{0,200})?(?:\s*←)?\s*$/u;

/** The command the program asks to run, when it shows one above its question. */
function commandAbove(look: Look, at: number): string | undefined {
  const rows = look.lines.slice(Math.max(0, at - 18), at);
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const line = rows[index];
    if (line === undefined || line.blank) continue;
    const prompted = PROMPTED.exec(line.text)?.[1] ?? CALLED.exec(line.text)?.[1];
    if (prompted !== undefined) return prompted.trim();
    if (HEADED.test(line.text)) {
      const next = rows.slice(index + 1).find((other) => !other.blank && !other.rule);
      if (next !== undefined) return next.text.trim();
    }
    const labelled = LABELLED.exec(line.text)?.[1];
    if (labelled !== undefined && !/[?]$/u.test(labelled)) return labelled.trim();
  }
  return undefined;
}

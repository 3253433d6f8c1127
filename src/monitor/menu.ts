import { parseChoice, type ChoiceLine } from './choice.ts';
import { cancelHint, chooseHint, confirmHint, isFooter, showsWork } from './hints.ts';
import type { Line, Look } from './look.ts';
import { oddOne, styleAt } from './highlight.ts';
import { isCodingAgent } from './coding-agents.ts';
import { isInputLine } from './input-line.ts';

export interface MenuRow {
  readonly at: number;
  readonly choice: ChoiceLine;
}

/** A menu at the bottom of the screen, not answered yet. Positions are indexes into `look.lines`. */
export interface Menu {
  readonly rows: readonly MenuRow[];
  readonly selected: number | null;
  readonly first: number;
  readonly last: number;
  /** A row under it says how to choose. */
  readonly hinted: boolean;
  readonly marked: 'strong' | 'weak' | null;
  readonly numbered: boolean;
}

const maxRowsBelow = 24;
/** A new message, a tool call or its result: what stands above was answered. */
const TRANSCRIPT = /^\s*(?:[⏺✓✔✗✘■⚠⎿↳]|[●•✦]\s+(?!\d+[.)]))/u;
const YES_NO =
  /^(?:yes|no|allow|deny|reject|approve|accept|decline|cancel|skip|continue|proceed|trust|don't|do not|exit|quit|abort|always|run|ok)\b/iu;

/** A spinner: what stands beside it tells how to stop the work, not how to choose. */
const TURNS = /^\s*[\u2801-\u28FF◐◓◑◒◴◷◶◵◜◠◝◞◡◟]/u;
const QUESTION = /[?？]\s*[…›]?\s*(?:\(.{0,60}\)|\[.{0,80}\])?\s*$/u;
const HEADING = /[?？:]\s*(?:\(.{0,60}\)|\[.{0,80}\])?\s*$/u;

/** Finds the menu that waits for a person, if the screen ends in one. */
export function findMenu(look: Look): Menu | null {
  const { lines } = look;
  let below = 0;
  for (let at = lines.length - 1; at >= 0 && below <= maxRowsBelow; at -= 1) {
    const line = lines[at];
    if (line === undefined || line.blank || line.rule) continue;
    below += 1;
    const inline = line.quote ? null : inlineMenu(look, at, line);
    if (inline !== null && isOpen(look, inline)) return inline;
    const anchor = line.quote ? null : parseChoice(line.text);
    if (anchor === null || !isAnchor(anchor, look, line)) continue;
    const menu = grow(look, at, anchor);
    if (menu !== null && isOpen(look, menu)) return menu;
  }
  return null;
}

/** Numbered choices beside each other: `❯ 1. Yes  2. No`. */
function inlineMenu(look: Look, at: number, line: Line): Menu | null {
  const parts = line.text
    .trim()
    .split(/\s{2,}(?=(?:[❯›>▶●]\s*)?\d[.)] )/u)
    .map((part) => parseChoice(part));
  const rows = parts.flatMap((choice) => (choice?.keyKind === 'number' ? [{ at, choice }] : []));
  if (rows.length < 2 || rows.length !== parts.length || rows[0]?.choice.key !== '1') return null;
  const marked = rows.findIndex((row) => row.choice.mark !== null);
  const mark = rows[marked]?.choice.mark ?? null;
  return {
    rows,
    selected: marked < 0 ? null : marked,
    first: at,
    last: at,
    hinted: hintNear(look, at, at),
    marked: mark,
    numbered: true,
  };
}

function isAnchor(choice: ChoiceLine, look: Look, line: Line): boolean {
  if (choice.mark === 'strong') return true;
  if (choice.mark === 'weak') return true;
  if (choice.keyKind === 'number' || choice.radio !== null) return true;
  if (choice.keyKind === 'letter' || YES_NO.test(choice.label)) return true;
  return isHighlighted(look, line);
}

function isHighlighted(look: Look, line: Line): boolean {
  return styleAt(look.input, line.row, line.indent + 1) !== '';
}

function grow(look: Look, at: number, anchor: ChoiceLine): Menu | null {
  const all = [...climb(look, at, anchor, -1).toReversed(), { at, choice: anchor }, ...climb(look, at, anchor, 1)];
  const rows = withoutDescriptions(look, all);
  if (rows.length < 2 || rows.length > 40) return null;
  const markedRows = rows.filter((row) => row.choice.mark !== null);
  if (markedRows.length > 1 && !rows.every((row) => row.choice.radio !== null)) return null;
  const first = rows[0]?.at ?? at;
  const last = rows.at(-1)?.at ?? at;
  const selected = selectedOf(look, rows);
  const hinted = hintNear(look, first, last);
  const numbered = rows.every((row) => row.choice.keyKind !== null);
  const byRadio = rows.every((row) => row.choice.radio !== null);
  const marked = markedRows[0]?.choice.mark ?? (selected === null ? null : byRadio ? 'weak' : 'strong');
  return { rows, selected, first, last, hinted, marked, numbered };
}

/** Choices without a key may have a grey row, or the rest of their paragraph, to explain them: who picks by arrows must not count those. */
function withoutDescriptions(look: Look, rows: readonly MenuRow[]): readonly MenuRow[] {
  if (rows.some((row) => row.choice.keyKind !== null || row.choice.radio !== null)) return rows;
  const grey = new Set(look.input.muted);
  const bright = rows.filter((row) => row.choice.mark !== null || !grey.has(look.lines[row.at]?.row ?? -1));
  if (bright.length >= 2 && bright.length < rows.length) return bright;
  const heads = rows.filter((row, index) => index === 0 || look.lines[row.at - 1]?.blank === true);
  if (rows.some((row) => row.choice.mark !== null && !heads.includes(row))) return rows;
  const explained = heads.every((row) => rows.some((other) => other.at === row.at + 1));
  return heads.length >= 2 && explained ? heads : rows;
}

function selectedOf(look: Look, rows: readonly MenuRow[]): number | null {
  const marked = rows.findIndex((row) => row.choice.mark !== null);
  if (marked >= 0) return marked;
  const lit = oddOne(
    look.input,
    rows.map((row) => ({ row: look.lines[row.at]?.row ?? 0, col: row.choice.col })),
  );
  if (lit !== null) return lit;
  const on = rows.flatMap((row, index) => (row.choice.radio === 'on' ? [index] : []));
  return on.length === 1 && rows.some((row) => row.choice.radio === 'off') ? (on[0] ?? null) : null;
}

/** Rows of the same menu above (-1) or below (1) the anchor: same kind of key or same column, with room for descriptions. */
function climb(look: Look, from: number, anchor: ChoiceLine, step: 1 | -1): MenuRow[] {
  const found: MenuRow[] = [];
  let previous = anchor;
  let gap = 0;
  for (let at = from + step; at >= 0 && at < look.lines.length; at += step) {
    const line = look.lines[at];
    if (line === undefined) break;
    if (line.blank || line.rule) {
      gap += 1;
      if (gap > (anchor.keyKind === 'number' ? 4 : 1) || (line.rule && anchor.keyKind !== 'number')) break;
      continue;
    }
    const choice = parseChoice(line.text);
    if (choice !== null && !line.quote && isSibling(anchor, previous, choice, step)) {
      found.push({ at, choice });
      previous = choice;
      gap = 0;
      continue;
    }
    if (line.indent <= Math.min(anchor.markCol, anchor.col) || gap > 3 || line.indent < anchor.col) break;
    gap += 1;
  }
  return found;
}

function isSibling(anchor: ChoiceLine, previous: ChoiceLine, choice: ChoiceLine, step: 1 | -1): boolean {
  if (anchor.keyKind === 'number') {
    return (
      choice.keyKind === 'number' &&
      Number(choice.key) === Number(previous.key) + step &&
      Math.abs(choice.col - anchor.col) <= 3
    );
  }
  if (anchor.radio !== null) return choice.radio !== null && Math.abs(choice.col - anchor.col) <= 2;
  if (anchor.keyKind === 'letter') return choice.keyKind === 'letter' && choice.col === anchor.col;
  return choice.keyKind !== 'number' && choice.col === anchor.col;
}

function hintNear(look: Look, first: number, last: number): boolean {
  const near = [...look.lines.slice(last + 1, last + 8), ...look.lines.slice(Math.max(0, first - 4), first)];
  return near.some(
    (line) =>
      !line.quote &&
      !TURNS.test(line.text) &&
      (confirmHint.test(line.text) || chooseHint.test(line.text) || cancelHint.test(line.text)),
  );
}

/** Whether nothing newer stands below: only hints, a status, a spinner that keeps turning. */
function isOpen(look: Look, menu: Menu): boolean {
  const below = look.lines.slice(menu.last + 1).filter((line) => !line.blank && !line.rule);
  if (below.some((line) => TRANSCRIPT.test(line.text) && !showsWork(line.text) && !isFooter(line.text))) return false;
  // A person's own words stand there: it was answered.
  if (below.some((line) => /^[❯›]\s+\S/u.test(line.text) && !isInputLine(look, line))) return false;
  const plain = below.filter((line) => !isFooter(line.text) && !showsWork(line.text));
  // An agent's empty input line is marked like a choice, and its list of things to do is ticked like one.
  const isAgents = look.agent !== undefined && isCodingAgent(look.agent);
  const isFramed = menu.rows.every((row) => look.lines[row.at]?.boxed === true);
  const isAsked = /^\s*[◆?]\s/u.test(above(look, menu));
  if (isAgents && !menu.numbered && !menu.hinted && !isAsked && !looksLikeChoices(menu) && !isFramed) return false;
  const input = below.some((line) => isInputLine(look, line));
  if (menu.marked === 'strong' && menu.numbered && menu.selected !== null)
    return plain.length <= 4 && (!input || plain.length <= 1);
  if (input) return false;
  if (menu.marked !== null)
    return (
      plain.length <= 3 &&
      (menu.hinted ||
        menu.numbered ||
        looksLikeChoices(menu) ||
        menu.rows.every((row) => row.choice.label.startsWith('[ ')) ||
        asksAbove(look, menu) ||
        (menu.marked === 'strong' && isFramed))
    );
  if (
    plain.length === 0 &&
    menu.rows.every(({ choice }) => YES_NO.test(choice.label) && !/\S\s{2,}\S/u.test(choice.label))
  )
    return asksAbove(look, menu);
  // Check boxes right below a question that is left open: none is ticked yet.
  if (
    plain.length === 0 &&
    menu.rows.every((row) => row.choice.radio !== null) &&
    /[?？]\s*[…›:]/u.test(above(look, menu))
  )
    return true;
  return menu.hinted && plain.length <= 1 && (asksAbove(look, menu) || looksLikeChoices(menu));
}

function above(look: Look, { first }: Menu): string {
  return look.lines[first - 1]?.text ?? '';
}

function looksLikeChoices(menu: Menu): boolean {
  return menu.rows.filter((row) => YES_NO.test(row.choice.label)).length >= 2;
}

/** A weak mark, as quotes have it too, needs a question; a strong one is content with a heading. */
function asksAbove(look: Look, menu: Menu): boolean {
  const asks = menu.marked === 'weak' ? QUESTION : HEADING;
  const above = look.lines.slice(Math.max(0, menu.first - 8), menu.first).filter((line) => !line.blank);
  return above.some((line) => !line.quote && (asks.test(line.text) || /^\s*[◆?]\s/u.test(line.text)));
}

import type { Choice } from '../domain/block.ts';
import { oddOne } from './highlight.ts';
import type { Look } from './look.ts';

/** A row of buttons, chosen with ⇆ or the arrow keys. */
export interface Buttons {
  readonly choices: readonly Choice[];
  readonly selected: number | null;
  readonly at: number;
}

const WORD =
  /^(?:\[[a-z]\] ?)?(?:yes|no|ok|okay|allow(?: (?:once|always|for .{1,20}|all.{0,20}))?|always(?: allow)?|approve(?: once| always| all)?|accept(?: all| edits?)?|reject(?: all)?|deny|decline|cancel|confirm|skip|continue|proceed|trust|don't trust|exit|quit|abort|retry|once|submit|back|next|save|discard|overwrite|run|apply|dismiss|ignore|help|finish|yes,? .{1,30}|no,? .{1,30})(?: \([^)]{1,12}\))?$/iu;
const ANGLE = /<\s*([A-Za-z][\w' -]{0,24}?)\s*>/gu;
/** Two or more of them on one row are buttons, whatever they say. */
const CAPITAL = /^[A-Z][a-z]{1,11}$/u;
const BRACKET = /\[<?\s+([A-Za-z][\w' -]{0,24}?)\s+>?\]/gu;

/** Finds a row of buttons among the last rows. */
export function findButtons(look: Look): Buttons | null {
  for (const line of look.text.slice(-5).toReversed()) {
    if (line.quote) continue;
    const at = look.lines.indexOf(line);
    const square = [...line.text.matchAll(BRACKET)].map((match) => match[1] ?? '');
    const drawn = [...line.text.matchAll(ANGLE)].map((match) => match[1] ?? '');
    const framed = square.length > 0 ? square : drawn;
    const onlyFramed = line.text.replaceAll(BRACKET, '').replaceAll(ANGLE, '').trim() === '';
    const areButtons =
      framed.every((word) => WORD.test(word)) || (framed.length > 1 && framed.every((word) => CAPITAL.test(word)));
    if (framed.length > 0 && onlyFramed && areButtons) return found(look, line.row, at, framed);
    const words = line.text
      .trim()
      .split(/ {2,}|[│|]| \/ (?=[○●◯◉])/u)
      .map((word) => word.trim())
      .filter((word) => word !== '');
    const labels = [];
    for (const word of words) {
      const label = word.replace(/^\/ /u, '').replace(/^[❯›▶▸►→●◉○◯>▌]\s*/u, '');
      if (!WORD.test(label)) break;
      labels.push(label);
    }
    if (labels.length >= 2 && (labels.length === words.length || words.length > 3))
      return found(look, line.row, at, labels);
  }
  return null;
}

function found(look: Look, row: number, at: number, labels: readonly string[]): Buttons {
  const text = look.input.lines[row] ?? '';
  let from = 0;
  let marked: number | null = null;
  const places = labels.map((label, index) => {
    const col = text.indexOf(label, from);
    from = col + label.length;
    if (/[❯›▶▸►→●◉>]\s*$/u.test(text.slice(Math.max(0, col - 3), col))) marked ??= index;
    return { row, col };
  });
  return { choices: labels.map((label) => ({ label })), selected: marked ?? oddOne(look.input, places), at };
}

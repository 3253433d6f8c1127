import type { Dialog } from './dialog.ts';
import { showsWork } from './hints.ts';
import { isInputLine } from './input-line.ts';
import type { Line, Look } from './look.ts';
import type { Pattern, Region, Rule, Shape } from './rule.ts';

/** What the rules are read against: a screen and what it asks, computed once. */
export interface Facts {
  readonly look: Look;
  readonly dialog: Dialog | null;
  readonly working: boolean;
  readonly inputLine: boolean;
}

export function factsOf(look: Look, dialog: Dialog | null): Facts {
  const bottom = look.text.slice(-14);
  return {
    look,
    dialog,
    working: isWorking(bottom),
    inputLine: bottom.slice(-9).some((line) => isInputLine(look, line)),
  };
}

/** A sign of work counts unless a newer message stands between it and the end. */
function isWorking(bottom: readonly Line[]): boolean {
  const at = bottom.findLastIndex((line) => showsWork(line.text) && !/^\s*⎿/u.test(line.text));
  if (at < 0) return false;
  return !bottom.slice(at + 1).some((line) => /^\s*(?:⏺|■|✦ \S)/u.test(line.text) && !showsWork(line.text));
}

/** The row that fits, when the rule does; null when it does not. */
export function matchRule(rule: Rule, facts: Facts): { readonly evidence: string } | null {
  if (rule.shape !== undefined && !rule.shape.some((shape) => hasShape(shape, facts))) return null;
  if (rule.without?.some((shape) => hasShape(shape, facts)) === true) return null;
  if (rule.all === undefined && rule.any === undefined && rule.not === undefined)
    return { evidence: facts.dialog?.question ?? '' };
  const region = regionRows(rule.region ?? 'live', facts);
  const rows =
    rule.except === undefined
      ? region
      : region.filter((row) => rule.except?.some((pattern) => findRow(pattern, [row]) !== undefined) !== true);
  // With `below` the newest row that fits is the one that counts.
  const order = rule.below === undefined ? rows : rows.toReversed();
  if (rule.not?.some((pattern) => findRow(pattern, rows) !== undefined) === true) return null;
  const found: string[] = [];
  for (const pattern of rule.all ?? []) {
    const row = findRow(pattern, order);
    if (row === undefined) return null;
    found.push(row);
  }
  if (rule.any === undefined) return isNewest(rule, rows, found[0]) ? { evidence: found[0] ?? '' } : null;
  for (const pattern of rule.any) {
    const row = findRow(pattern, order);
    if (row !== undefined && isNewest(rule, rows, row)) return { evidence: row };
  }
  return null;
}

function isNewest({ below }: Rule, rows: readonly string[], found: string | undefined): boolean {
  if (below === undefined || found === undefined) return true;
  const newer = rows.slice(rows.lastIndexOf(found) + 1);
  return below.every((pattern) => findRow(pattern, newer) === undefined);
}

function findRow(pattern: Pattern, rows: readonly string[]): string | undefined {
  if (typeof pattern !== 'string') return rows.find((row) => pattern.test(row));
  const wanted = pattern.toLowerCase();
  return rows.find((row) => row.toLowerCase().includes(wanted));
}

export function regionRows(region: Region, facts: Facts): readonly string[] {
  const { look, dialog } = facts;
  switch (region) {
    case 'screen':
      return look.text.map((line) => line.text.trimStart());
    case 'live':
      return liveLines(look).map((line) => line.text.trimStart());
    case 'recent':
      return look.text.slice(-16).map((line) => line.text.trimStart());
    case 'last-line':
      return look.text.slice(-1).map((line) => line.text.trimStart());
    case 'foot':
      return [
        look.text
          .slice(-4)
          .map((line) => line.text.trim())
          .join(' '),
      ];
    case 'title':
      return [look.title];
    case 'dialog':
      return dialog === null
        ? []
        : [dialog.question, ...dialog.choices.map((choice) => choice.label), ...dialog.context.split('\n')];
    case 'asked':
      return dialog === null ? [] : [dialog.question, ...dialog.choices.map((choice) => choice.label)];
    default:
      return look.text.slice(-Number(region.slice(5))).map((line) => line.text.trimStart());
  }
}

/** Below the last rule or input line, but at least the last 12 rows with text; what is quoted is left out. */
function liveLines(look: Look): readonly Line[] {
  return look.text.slice(-12).filter((line) => !line.quote);
}

function hasShape(shape: Shape, facts: Facts): boolean {
  const { dialog } = facts;
  switch (shape) {
    case 'dialog':
      return dialog !== null && dialog.shape !== 'shell';
    case 'no-dialog':
      return dialog === null;
    case 'working':
      return facts.working;
    case 'input-line':
      return facts.inputLine;
    case 'weak':
    case 'strong':
      return dialog?.strength === shape;
    default:
      return dialog?.shape === shape;
  }
}

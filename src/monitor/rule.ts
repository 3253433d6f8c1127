import type { BlockKind } from '../domain/block.ts';
import type { Dialog } from './dialog.ts';

export type JudgedState = 'blocked' | 'working' | 'idle' | 'done' | 'unknown';

/**
 * What a screen means when it looks like this. All of `all`, one of `any` and none of `not` must be found in the region, and the
 * screen must have one of the shapes; what is not given is not asked. The first rule that fits decides, highest priority first.
 */
export interface Rule {
  readonly id: string;
  /** Programs it is for; absent: any. */
  readonly agents?: readonly string[];
  /** Such as `>=2.0 <3`; absent, or when the version is not known: any. */
  readonly versions?: string;
  readonly state: JudgedState;
  readonly kind?: BlockKind;
  readonly priority: number;
  /** Weak: needs two seconds of quiet, because ordinary text may say the same. */
  readonly strength?: 'strong' | 'weak';
  readonly region?: Region;
  readonly shape?: readonly Shape[];
  /** Rows that are not counted: such as a warning that only speaks of a limit. */
  readonly except?: readonly Pattern[];
  /** The screen must have none of these. */
  readonly without?: readonly Shape[];
  readonly all?: readonly Pattern[];
  readonly any?: readonly Pattern[];
  readonly not?: readonly Pattern[];
  /** None of these may stand below the row that fits: what is newer than it. */
  readonly below?: readonly Pattern[];
  /** Of an idle screen: it is what the program shows between two turns, so a turn that was seen to begin is over. */
  readonly endsTurn?: boolean;
  /** Group 1 is what is asked, found in the region. */
  readonly question?: RegExp;
  readonly command?: RegExp;
}

/** A text that a row must hold, in any case, or a pattern that a row must match. */
export type Pattern = string | RegExp;

/**
 * `screen`: every row kept; `live`: below the last rule or input line, at least 12 rows; `recent`: the last 16 rows with text;
 * `last-N`: the last N rows with text; `last-line`; `title`; `foot`: the last 4 rows with text as one, for hints that are wrapped; `dialog`: what is asked and the rows around it; `asked`: question and choices alone.
 */
export type Region =
  | 'screen'
  | 'live'
  | 'recent'
  | 'last-line'
  | 'title'
  | 'dialog'
  | 'asked'
  | 'foot'
  | `last-${number}`;

/** A dialog of some kind, or a property of the screen. */
export type Shape = Dialog['shape'] | 'dialog' | 'working' | 'input-line' | 'no-dialog' | 'weak' | 'strong';

/** Whether `version` lies in a range such as `>=2.0 <3`; an unknown version lies in every range. */
export function isInRange(version: string | undefined, range: string | undefined): boolean {
  if (version === undefined || range === undefined) return true;
  return range
    .trim()
    .split(/\s+/u)
    .every((clause) => holds(version, clause));
}

const CLAUSE = /^(>=|<=|>|<|=)?v?(\d+(?:\.\d+){0,3})$/u;

export function isRange(range: string): boolean {
  return (
    range.trim() !== '' &&
    range
      .trim()
      .split(/\s+/u)
      .every((clause) => CLAUSE.test(clause))
  );
}

function holds(version: string, clause: string): boolean {
  const match = CLAUSE.exec(clause);
  if (match === null) return false;
  const order = compare(version, match[2] ?? '0');
  switch (match[1]) {
    case '>=':
      return order >= 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    default:
      return order === 0;
  }
}

function compare(a: string, b: string): number {
  const left = (a.match(/\d+/gu) ?? []).map(Number);
  const right = (b.match(/\d+/gu) ?? []).map(Number);
  for (let index = 0; index < right.length; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

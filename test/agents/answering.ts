import { planKeys } from '../../src/agents/plan-keys.ts';
import type { Block, Choice } from '../../src/domain/block.ts';
import type { BlockId } from '../../src/domain/ids.ts';
import type { AgentSession } from './session.ts';

export interface Menu {
  readonly choices: readonly Choice[];
  readonly selected: number | null;
}

const MARKED = /^[\s│┃]*([❯›●])\s+(?:(\d)\. )?(.*?)[\s│]*$/;
const PLAIN = /^[\s│┃]*(?:(\d)\. )?(\S.*?)[\s│]*$/;

/** Reads the menu that holds the marked row: rows of the same indent around it, numbered or not. */
export function readMenu(lines: readonly string[]): Menu | null {
  const marked = lines.findLastIndex((line) => MARKED.test(line));
  const row = MARKED.exec(lines[marked] ?? '');
  if (row === null) return null;
  const column = textColumn(lines[marked] ?? '', row);
  const first = reach(lines, marked, -1, column, row[2] !== undefined);
  const last = reach(lines, marked, 1, column, row[2] !== undefined);
  const choices = lines.slice(first, last + 1).map((line) => choiceOf(line));
  return { choices, selected: marked - first };
}

function textColumn(line: string, row: RegExpExecArray): number {
  const mark = line.indexOf(row[1] ?? '');
  return mark + 1 + (/^\s*/.exec(line.slice(mark + 1))?.[0].length ?? 0);
}

function reach(lines: readonly string[], from: number, step: 1 | -1, column: number, numbered: boolean): number {
  let at = from;
  while (isRow(lines[at + step], column, numbered)) at += step;
  return at;
}

function isRow(line: string | undefined, column: number, numbered: boolean): boolean {
  if (line === undefined || !/^[\s│┃]*$/.test(line.slice(0, column))) return false;
  const rest = line.slice(column);
  return numbered ? /^\d\. \S/.test(rest) : /^\S/.test(rest) && !/^[│╰─]/.test(rest);
}

function choiceOf(line: string): Choice {
  const row = MARKED.exec(line);
  const [key, label] = row === null ? [PLAIN.exec(line)?.[1], PLAIN.exec(line)?.[2]] : [row[2], row[3]];
  return { label: label ?? '', ...(key === undefined ? {} : { key }) };
}

const buttons: Menu = { choices: ['Allow once', 'Allow always', 'Reject'].map((label) => ({ label })), selected: 0 };

/** Two equal looks this far apart, before a question is believed and before each key that rests on what it shows. */
const lookAgainMs = 200;

/**
 * Answers the question on the screen with the choice whose label fits, by the keys that are planned for the program. Claude Code may
 * paint its trust question twice, with the first row selected again: so nothing is confirmed that was not seen twice.
 */
export async function answer(session: AgentSession, label: RegExp): Promise<void> {
  const { terminal, profile } = session;
  const read = (): Menu | null => (profile.name === 'opencode' ? buttons : readMenu(terminal.lines()));
  const menu = await settled(read);
  const index = menu?.choices.findIndex((choice) => label.test(choice.label)) ?? -1;
  if (menu === null || index < 0)
    throw new Error(`no choice ${String(label)} in ${JSON.stringify(menu)}\n${terminal.text()}`);
  const block: Block = { ...blank, choices: menu.choices, selected: menu.selected };
  const planned = planKeys(profile.answering, block, { kind: 'choose', index });
  if (!planned.ok) throw new Error(planned.error);
  for (const { keys, then } of planned.value) {
    const before = terminal.text();
    terminal.write(keys);
    if (then.kind === 'selected') {
      await terminal.until(() => read()?.selected === then.index, 10_000, `choice ${then.index}`);
      const seen = await settled(read);
      if (seen?.selected !== then.index) return answer(session, label);
    } else if (then.kind === 'changed') {
      await pass(400); // the colours of opencode's buttons are not read here
    } else {
      await terminal.until((screen) => screen !== before, 10_000, 'the screen to move');
    }
  }
}

async function settled(read: () => Menu | null): Promise<Menu | null> {
  let last = read();
  for (let looks = 0; looks < 50; looks += 1) {
    await pass(lookAgainMs);
    const next = read();
    if (next !== null && JSON.stringify(next) === JSON.stringify(last)) return next;
    last = next;
  }
  return last;
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const blank: Block = {
  id: 'run:task!1' as BlockId,
  kind: 'approval',
  question: '',
  choices: [],
  selected: null,
  since: 0,
  fingerprint: '',
  rule: 'rig',
};

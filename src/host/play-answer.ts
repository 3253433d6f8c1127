import { planKeys, type KeyStep } from '../agents/plan-keys.ts';
import type { Answer, Block } from '../domain/block.ts';
import { err, ok, type Result } from '../domain/result.ts';

/** What a look at the session finds, at the moment of the look. */
export interface Seen {
  /** The question on the screen; null when there is none. */
  readonly asked: Pick<Block, 'kind' | 'question' | 'choices' | 'selected' | 'fingerprint' | 'input'> | null;
  readonly lines: readonly string[];
  readonly cursor: { readonly row: number; readonly col: number };
}

export interface AnswerPorts {
  /** Looks at the session as it is now, with all it has written. */
  readonly look: () => Seen;
  readonly write: (text: string) => void;
  /** Called before the key that gives the answer: whatever happens from here on is its doing. */
  readonly confirms: () => void;
  /** Resolves after `ms`. */
  readonly pause: (ms: number) => Promise<void>;
  readonly now: () => number;
  /** What the kernel knows of who would read what is typed; null: nothing. */
  readonly reader: () => Promise<Reader | null>;
  /** An agent's input line is typed into only when its screen has been at rest for so long: one that is still at work may lose keys. */
  readonly restMs: number;
  /** Whether somebody else's keys got in between. */
  readonly isDisturbed: () => boolean;
}

interface Reader {
  /** It waits for keys, as far as is known. */
  readonly waits: boolean;
  /** It sleeps until keys come, so it has taken all that came before. */
  readonly isDrained: boolean;
  readonly echo: boolean | null;
}

export type PlayError =
  /** The question is not the one that was answered, or not there any more: nothing was confirmed. */
  { readonly kind: 'gone' } | { readonly kind: 'not-taken'; readonly detail: string } | { readonly kind: 'disturbed' };

type Played = Result<void, PlayError>;
type Answering = { readonly axis: 'vertical' | 'horizontal'; readonly digits: boolean };

/** A program may paint its question twice and lose the keys of the moment: nothing is pressed that was not seen so twice. */
const lookAgainMs = 100;
const settleMs = 2_000;
/** What a key does is seen within this time, or it is given up. */
const stepMs = 2_000;
const goneMs = 5_000;
const enter = '\r';

/**
 * Gives an answer to the question with this fingerprint: a choice is walked to, seen, and then confirmed; text is typed, seen, and
 * then sent. Stops at the first thing that is not as expected, and tries nothing twice.
 */
export async function playAnswer(
  ports: AnswerPorts,
  fingerprint: string,
  answer: Answer,
  answering: Answering,
): Promise<Played> {
  const start = await settled(ports, fingerprint);
  if (start === null) return err({ kind: 'gone' });
  const steps = planSteps(start, answer, answering);
  if (!steps.ok) return err({ kind: 'not-taken', detail: steps.error });
  return steps.value.kind === 'typed'
    ? playTyped(ports, start, steps.value.text, steps.value.send)
    : playSteps(ports, start, steps.value.steps);
}

type Asking = Seen & { readonly asked: NonNullable<Seen['asked']> };

/** The question as two equal looks saw it; null when it is another one, or keeps moving. */
async function settled(ports: AnswerPorts, fingerprint: string): Promise<Asking | null> {
  const until = ports.now() + settleMs;
  let before = ports.look();
  while (ports.now() < until) {
    await ports.pause(lookAgainMs);
    const seen = ports.look();
    if (isAsking(seen, fingerprint) && isAsking(before, fingerprint) && seen.asked.selected === before.asked.selected)
      return seen;
    if (!isAsking(seen, fingerprint) && !isAsking(before, fingerprint)) return null;
    before = seen;
  }
  return null;
}

function isAsking(seen: Seen, fingerprint: string): seen is Asking {
  return seen.asked?.fingerprint === fingerprint;
}

type Plan =
  | { readonly kind: 'steps'; readonly steps: readonly KeyStep[] }
  | { readonly kind: 'typed'; readonly text: string; readonly send: boolean };

function planSteps({ asked }: Asking, answer: Answer, answering: Answering): Result<Plan, string> {
  const walks = asked.input === 'menu' || asked.input === 'buttons';
  if (answer.kind === 'choose' && !walks) {
    const choice = asked.choices[answer.index];
    if (choice === undefined)
      return err(`there is no choice ${answer.index + 1}: the question has ${asked.choices.length}`);
    return ok({ kind: 'typed', text: choice.key ?? choice.label, send: asked.input !== 'key' });
  }
  if (answer.kind === 'text' && answer.text !== '' && asked.input === 'key') {
    return ok({ kind: 'typed', text: answer.text, send: false });
  }
  const axis = asked.input === 'buttons' ? 'horizontal' : asked.input === 'menu' ? 'vertical' : answering.axis;
  const planned = planKeys({ ...answering, axis, showsSelection: true }, blockOf(asked), answer);
  if (!planned.ok) return planned;
  if (answer.kind === 'text' && answer.text !== '' && asked.kind !== 'password')
    return ok({ kind: 'typed', text: answer.text, send: true });
  return ok({ kind: 'steps', steps: planned.value });
}

function blockOf(asked: Asking['asked']): Block {
  return { ...asked, id: '' as Block['id'], since: 0, rule: '' };
}

async function playSteps(ports: AnswerPorts, start: Asking, steps: readonly KeyStep[]): Promise<Played> {
  const { fingerprint } = start.asked;
  let { selected } = start.asked;
  for (const { keys, then } of steps) {
    const before = ports.look();
    if (ports.isDisturbed()) return err({ kind: 'disturbed' });
    if (!isAsking(before, fingerprint)) return err({ kind: 'gone' });
    if (before.asked.selected !== selected) return err(wandered);
    if (then.kind !== 'selected') ports.confirms();
    ports.write(keys); // nothing happens between that look and this
    switch (then.kind) {
      case 'selected': {
        const reached = await selects(ports, fingerprint, then.index);
        if (reached !== null) return err(reached);
        selected = then.index;
        break;
      }
      case 'changed':
      case 'shows':
        if (!(await until(ports, stepMs, (seen) => hasMoved(before, seen))))
          return err({ kind: 'not-taken', detail: 'the screen did not move' });
        break;
      case 'gone': {
        const confirmed = await goes(ports, before, fingerprint);
        if (!confirmed.ok) return confirmed;
        break;
      }
    }
  }
  return ok(undefined);
}

const wandered: PlayError = {
  kind: 'not-taken',
  detail: 'the selection moves by itself; nothing was confirmed: attach and answer there',
};

/** Waits until the choice is the selected one, twice; what went wrong when it is not. */
async function selects(ports: AnswerPorts, fingerprint: string, index: number): Promise<PlayError | null> {
  let times = 0;
  const found = await until(ports, stepMs, (seen) => {
    times = isAsking(seen, fingerprint) && seen.asked.selected === index ? times + 1 : 0;
    return times === 3;
  });
  if (found) return null;
  if (!isAsking(ports.look(), fingerprint)) return { kind: 'gone' };
  return {
    kind: 'not-taken',
    detail: `choice ${index + 1} could not be selected; nothing was confirmed: attach and answer there`,
  };
}

/** The question is gone, or asked again on a screen that has moved. */
async function goes(ports: AnswerPorts, before: Seen, fingerprint: string): Promise<Played> {
  let times = 0; // a screen that is being painted shows no question for a moment
  const gone = await until(ports, goneMs, (seen) => {
    times = !isAsking(seen, fingerprint) || textMoved(before, seen) ? times + 1 : 0;
    return times === 3;
  });
  if (gone) return ok(undefined);
  return err({ kind: 'not-taken', detail: 'it was confirmed, but the question is still there: attach and look' });
}

async function playTyped(ports: AnswerPorts, start: Asking, text: string, send: boolean): Promise<Played> {
  const { fingerprint, choices, input } = start.asked;
  if (send && input === 'line') await rests(ports);
  const before = ports.look();
  if (ports.isDisturbed()) return err({ kind: 'disturbed' });
  if (!isAsking(before, fingerprint)) return err({ kind: 'gone' });
  if (!send) ports.confirms();
  ports.write(/[\n\t]/.test(text) ? `\u001b[200~${text}\u001b[201~` : text);
  if (!send) {
    const moved = await until(ports, stepMs, (seen) => hasMoved(before, seen));
    return moved ? ok(undefined) : err({ kind: 'not-taken', detail: 'the screen did not move' });
  }
  const shown = (text.split('\n').at(-1) ?? '').slice(-20);
  const isShown = (seen: Seen): boolean => showsTyped(before, seen, shown);
  let times = 0;
  const echoed = await until(ports, stepMs, (seen) => {
    times = isShown(seen) ? times + 1 : 0;
    return times === 3;
  });
  const reader = await ports.reader();
  if (!echoed && reader?.echo !== false) {
    const isGone = !isAsking(ports.look(), fingerprint);
    if (isGone && choices.length > 0 && input === 'line' && reader?.waits !== true) return ok(undefined); // a single key was all it took
    return err({ kind: 'not-taken', detail: 'what was typed is not on the screen; it was not sent: attach and look' });
  }
  // It took the key at once: an Enter would answer what comes next. Words are not taken so: it is merely at work, painting them.
  if (reader?.waits === false && choices.length > 0) return ok(undefined);
  if (echoed && input === 'line') await rests(ports);
  const now = ports.look();
  if (echoed && !isShown(now)) return err({ kind: 'gone' });
  if (ports.isDisturbed()) return err({ kind: 'disturbed' });
  ports.confirms();
  ports.write(enter);
  if (await isSent(ports, now, shown)) return ok(undefined);
  // What was typed stands there as before, the program has taken all keys and waits: it lost this one.
  const isLost = (): boolean => stands(now, ports.look(), shown) && isAsking(ports.look(), fingerprint);
  if (!isLost() || ports.isDisturbed() || (await ports.reader())?.isDrained !== true) return notSent;
  if (!isLost()) return notSent;
  ports.write(enter);
  return (await isSent(ports, now, shown)) ? ok(undefined) : notSent;
}

const notSent: Played = err({
  kind: 'not-taken',
  detail: 'it was sent, but the program did not take it: attach and look',
});

/** The screen moved, and not just around what was typed. */
function isSent(ports: AnswerPorts, before: Seen, text: string): Promise<boolean> {
  return until(ports, goneMs, (seen) => hasMoved(before, seen) && !stands(before, seen, text));
}

/**
 * Whether what was typed still waits to be sent: it ends at the cursor as before; or, where a program draws a cursor of its own, its
 * row still stands between the same rows. Once sent it may be shown in the conversation, but not in the frame of the input line.
 */
function stands(before: Seen, seen: Seen, text: string): boolean {
  if (standsAtCursor(before, text)) return standsAtCursor(seen, text);
  const typedAt = before.lines.findLastIndex((line) => text !== '' && line.includes(text));
  if (typedAt < 0) return false;
  const frame = frameOf(before.lines, typedAt);
  return seen.lines.some((line, row) => line.includes(text) && frameOf(seen.lines, row) === frame);
}

/** A row with the one above it, the one below it, and the beginning of the next. */
function frameOf(lines: readonly string[], row: number): string {
  const [above = '', own = '', below = '', next = ''] = lines.slice(Math.max(0, row - 1), row + 3);
  return [above, own, below, next.slice(0, 4)].map((line) => calm(line)).join('\n');
}

/** Resolves once the screen has been at rest for a while, or after some seconds of movement. */
async function rests(ports: AnswerPorts): Promise<void> {
  let last = ports.look();
  let since = ports.now();
  await until(ports, stepMs, (seen) => {
    if (textMoved(last, seen)) since = ports.now();
    last = seen;
    return ports.now() - since >= ports.restMs;
  });
}

function standsAtCursor({ cursor: { row, col }, lines }: Seen, text: string): boolean {
  return text !== '' && (lines[row] ?? '').slice(0, col).trimEnd().endsWith(text.trimEnd());
}

/** The typed text ends where the cursor stands, or is somewhere on a screen where it was not. */
function showsTyped(before: Seen, seen: Seen, text: string): boolean {
  if (standsAtCursor(seen, text)) return hasMoved(before, seen);
  const count = (lines: readonly string[]): number => lines.filter((line) => line.includes(text)).length;
  return count(seen.lines) > count(before.lines);
}

/** Clocks, counters and spinners turn by themselves. */
function hasMoved(before: Seen, after: Seen): boolean {
  const { row, col } = before.cursor;
  return row !== after.cursor.row || col !== after.cursor.col || textMoved(before, after);
}

function textMoved(before: Seen, after: Seen): boolean {
  if (before.lines.length !== after.lines.length) return true;
  return before.lines.some((line, row) => calm(line) !== calm(after.lines[row] ?? ''));
}

function calm(line: string): string {
  return line.replaceAll(/[\d\u2800-\u28ff◐◓◑◒◴◷◶◵✢✳✶✻✽·|/\\-]/gu, '').trimEnd();
}

/** Looks again and again until `test` holds; false after `ms`. */
async function until(ports: AnswerPorts, ms: number, test: (seen: Seen) => boolean): Promise<boolean> {
  const end = ports.now() + ms;
  for (;;) {
    if (test(ports.look())) return true;
    if (ports.now() >= end) return false;
    await ports.pause(30);
  }
}

import type { Block } from '../../domain/block.ts';
import type { RunId } from '../../domain/ids.ts';
import { parseAnswer } from '../../domain/parse-answer.ts';
import type { RunRequest } from '../../domain/request.ts';
import { unreachable } from '../../domain/unreachable.ts';
import { splitCharacters } from '../width.ts';
import { currentItem, currentSession, currentWaiting } from './items.ts';
import { moveCursor, moveToNextPart, open, scroll, stay, type Step } from './moves.ts';
import type { Dashboard, DashboardCommand, DashboardEvent, Entry, Notice, Waiting } from './state.ts';

type Pressed = Extract<DashboardEvent, { kind: 'key' }>;

/** A question that came under the cursor by itself takes no answer for so long: the key was meant for the one before. */
const settleMs = 700;
const pageLines = 10;

/** A key while nothing is typed or asked. */
export function pressKey(state: Dashboard, { key, text, now }: Pressed): Step {
  if (state.isHelp) return stay({ ...state, isHelp: false });
  if (/^[1-9yn]$/.test(text)) return answer(state, text, now);
  switch (key) {
    case 'q':
    case 'C-c':
      return { state, commands: [{ kind: 'quit' }] };
    case 'C-z':
      return { state, commands: [{ kind: 'suspend' }] };
    case '?':
      return stay({ ...state, isHelp: true });
    case 'a':
      return withSession(state, 'attach');
    case 'k':
      return askToKill(state);
    case 'p':
      return pauseOrResume(state);
    case 't':
      return startText(state, now);
    default:
      return state.page.kind === 'output' ? pressInOutput(state, key) : pressInList(state, key);
  }
}

function pressInList(state: Dashboard, key: string): Step {
  const item = currentItem(state);
  switch (key) {
    case 'up':
      return stay(moveCursor(state, -1));
    case 'down':
      return stay(moveCursor(state, 1));
    case 'pageup':
      return stay(moveCursor(state, -pageLines));
    case 'pagedown':
      return stay(moveCursor(state, pageLines));
    case 'home':
      return stay(moveCursor(state, -Infinity));
    case 'end':
      return stay(moveCursor(state, Infinity));
    case 'tab':
      return stay(moveToNextPart(state));
    case 'enter':
      return item === null ? stay(state) : open({ ...state, cursor: item.key }, item);
    default:
      return stay(state);
  }
}

function pressInOutput(state: Dashboard, key: string): Step {
  switch (key) {
    case 'escape':
    case 'left':
    case 'backspace':
    case 'enter':
      return { state: { ...state, page: { kind: 'list' } }, commands: [{ kind: 'close-output' }] };
    case 'up':
      return scroll(state, 1);
    case 'down':
      return scroll(state, -1);
    case 'pageup':
      return scroll(state, pageLines);
    case 'pagedown':
      return scroll(state, -pageLines);
    case 'home':
      return scroll(state, Infinity);
    case 'end':
      return scroll(state, -Infinity);
    default:
      return stay(state);
  }
}

function answer(state: Dashboard, said: string, now: number): Step {
  const waiting = currentWaiting(state);
  if (waiting === null) return note(state, 'nothing is asked here: move to what waits for you', 'dim');
  if (now - state.landedAt < settleMs) return note(state, 'this question has just come: press again', 'dim');
  const { ask, run, task } = waiting;
  const wish = (request: RunRequest): Step => ({ state, commands: [{ kind: 'wish', run, request }] });
  switch (ask.kind) {
    case 'block':
      if (ask.block.kind === 'merge-conflict') return said === 'y' ? wish({ kind: 'unblock', task }) : stay(state);
      return answerBlock(state, ask.block, said);
    case 'gate':
      if (said !== 'y' && said !== 'n') return stay(state);
      if (ask.gate.kind === 'arbitrated') return wish({ kind: 'vote', task, vote: said === 'y' ? 'yes' : 'no' });
      return wish({ kind: said === 'y' ? 'confirm' : 'reject', task });
    case 'undecided':
      if (said === 'y') return wish({ kind: 'retry', task, withDependents: false });
      return said === 'n' ? wish({ kind: 'skip', task }) : stay(state);
    default:
      return unreachable(ask);
  }
}

/** A question without choices takes a text: only one that asks for yes or no takes a single key. */
function answerBlock(state: Dashboard, block: Block, said: string): Step {
  const isYesOrNo = block.kind === 'approval' && !/\d/.test(said);
  if (block.choices.length === 0 && !isYesOrNo) return note(state, 'it wants a text: press t', 'dim');
  const parsed = parseAnswer(block, said);
  if (!parsed.ok) return note(state, parsed.error, 'bad');
  const { id, fingerprint } = block;
  return { state, commands: [{ kind: 'answer', block: id, fingerprint, answer: parsed.value }] };
}

function startText(state: Dashboard, now: number): Step {
  const waiting = currentWaiting(state);
  if (waiting === null || waiting.ask.kind !== 'block' || waiting.session === null)
    return note(state, 'nothing here takes a text', 'dim');
  const { block } = waiting.ask;
  if (now - state.landedAt < settleMs) return note(state, 'this question has just come: press again', 'dim');
  return stay({ ...state, entry: { kind: 'text', of: waiting.key, block, text: '' } });
}

function withSession(state: Dashboard, kind: 'attach' | 'kill'): Step {
  const session = currentSession(state);
  if (session === null) return note(state, 'there is no session here', 'dim');
  return { state, commands: [{ kind, session }] };
}

function askToKill(state: Dashboard): Step {
  const session = currentSession(state);
  if (session === null) return note(state, 'there is no session here', 'dim');
  const entry = { kind: 'sure', question: `kill ${session}?`, command: { kind: 'kill', session } } as const;
  return stay({ ...state, entry });
}

function pauseOrResume(state: Dashboard): Step {
  const run = currentRun(state);
  const summary = state.snapshot.runs.find((one) => one.run === run);
  if (summary === undefined) return note(state, 'there is no run here', 'dim');
  const kind = summary.state === 'paused' ? 'resume' : 'pause';
  const command: DashboardCommand = { kind: 'wish', run: summary.run, request: { kind } };
  return { state, commands: [command] };
}

function currentRun(state: Dashboard): RunId | null {
  const item = currentItem(state);
  switch (item?.kind) {
    case 'waiting':
      return item.waiting.run;
    case 'run':
      return item.run.run;
    case 'task':
      return state.snapshot.picture?.run ?? null;
    case undefined:
      return null;
  }
}

/** A key while a text is typed, or something is asked before it is done. */
export function pressEntry(state: Dashboard, entry: Entry, key: string, text: string): Step {
  const closed: Dashboard = { ...state, entry: null };
  if (key === 'escape' || key === 'C-c') return stay(closed);
  if (entry.kind === 'sure') return text === 'y' ? { state: closed, commands: [entry.command] } : stay(closed);
  if (key === 'enter') return sendText(closed, entry);
  return stay({ ...state, entry: { ...entry, text: edit(entry.text, key, text) } });
}

function sendText(state: Dashboard, { block, text }: Extract<Entry, { kind: 'text' }>): Step {
  const parsed = parseAnswer(block, text);
  if (!parsed.ok) return note(state, parsed.error, 'bad');
  const { id, fingerprint } = block;
  return { state, commands: [{ kind: 'answer', block: id, fingerprint, answer: parsed.value }] };
}

function edit(before: string, key: string, text: string): string {
  if (key === 'backspace') return splitCharacters(before).slice(0, -1).join('');
  if (key === 'C-u') return '';
  return /^\P{Cc}+$/u.test(text) ? before + text : before;
}

function note(state: Dashboard, text: string, tone: Notice['tone']): Step {
  return stay({ ...state, notice: { text, tone } });
}

/** What a person can press to answer, in a few words. */
export function answerKeys({ ask }: Waiting): string[] {
  if (ask.kind === 'undecided') return ['y run it again', 'n skip it'];
  if (ask.kind === 'gate') return ask.gate.kind === 'arbitrated' ? ['y vote yes', 'n vote no'] : ['y yes', 'n no'];
  const { choices, kind } = ask.block;
  if (kind === 'merge-conflict') return ['y it is resolved'];
  if (choices.length === 0) return kind === 'approval' ? ['y yes', 'n no', 't text'] : ['t type an answer'];
  return [choices.length === 1 ? '1 answer' : `1-${Math.min(9, choices.length)} answer`, 't text'];
}

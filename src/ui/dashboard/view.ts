import { formatDuration, formatElapsed } from '../../domain/duration.ts';
import type { Block } from '../../domain/block.ts';
import type { SessionId } from '../../domain/ids.ts';
import type { RunState } from '../../domain/run.ts';
import type { TaskStateKind } from '../../domain/task.ts';
import { describeFailure, describeGate } from '../../domain/words.ts';
import { toneOf, type Look, type Tone } from '../style.ts';
import { measureColumns, renderTask, type Columns, type Sight } from '../task-line.ts';
import { cut, fit, oneLine, splitCharacters, widthOf } from '../width.ts';
import { helpLines } from './help.ts';
import { currentItem, currentWaiting, listItems } from './items.ts';
import { answerKeys } from './keys.ts';
import type { Dashboard, Item, OutputPage, RunSummary, Waiting } from './state.ts';

export interface DashboardSight extends Sight {
  readonly rows: number;
  /** Whose runs these are. */
  readonly from: string;
}

/** Lines as tall as the terminal at most, and for each the key of the item it belongs to. */
export interface DashboardPicture {
  readonly lines: readonly string[];
  readonly items: readonly (string | null)[];
}

interface Row {
  readonly line: string;
  readonly item: string | null;
}

/** Draws the whole dashboard; nothing but its arguments goes in. */
export function renderDashboard(state: Dashboard, sight: DashboardSight): DashboardPicture {
  const foot = renderFoot(state, sight);
  const spacious = sight.rows >= 12;
  const head = sight.rows >= 5 ? [renderHead(state, sight), ...(spacious ? [''] : [])] : [];
  const room = Math.max(0, sight.rows - head.length - foot.length - (spacious ? 1 : 0));
  const body = renderBody(state, sight, room).slice(0, room);
  const gap = Math.max(0, sight.rows - head.length - body.length - foot.length);
  const rows: Row[] = [
    ...head.map(plainRow),
    ...body,
    ...Array.from({ length: gap }, () => plainRow('')),
    ...foot.map(plainRow),
  ];
  return { lines: rows.map(({ line }) => line), items: rows.map(({ item }) => item) };
}

function plainRow(line: string): Row {
  return { line, item: null };
}

function renderHead(state: Dashboard, sight: DashboardSight): string {
  const { look, columns } = sight;
  const { page, snapshot } = state;
  const title = page.kind === 'output' ? page.session : 'cis';
  const name = cut(title, columns - 2, look.ellipsis);
  const running = snapshot.runs.reduce((sum, run) => sum + run.running, 0);
  const waits = snapshot.waiting.length;
  const parts: [string, Tone][] = page.kind === 'output' ? outputNotes(page) : [];
  if (waits > 0) parts.push([waits === 1 ? '1 waits for you' : `${waits} wait for you`, 'ask']);
  if (running > 0 && page.kind === 'list') parts.push([`${running} running`, 'busy']);
  if (page.kind === 'list') parts.push([sight.from, 'dim']);
  return ` ${look.paint(name, 'bold')}${joinParts(parts, columns - 1 - widthOf(name), look)}`;
}

function outputNotes({ end, back }: OutputPage): [string, Tone][] {
  const notes: [string, Tone][] = [[end ?? 'live', end === null ? 'busy' : 'dim']];
  return back === 0 ? notes : [...notes, [`${back} lines back`, 'dim']];
}

/** As many as there is room for. */
function joinParts(parts: readonly (readonly [string, Tone])[], room: number, look: Look): string {
  let line = '';
  let used = 0;
  for (const [index, [text, tone]] of parts.entries()) {
    const lead = index === 0 ? '   ' : look.dot;
    used += widthOf(lead) + widthOf(text);
    if (used > room) break;
    line += look.paint(lead, 'dim') + look.paint(text, tone);
  }
  return line;
}

function renderBody(state: Dashboard, sight: DashboardSight, room: number): Row[] {
  if (state.isHelp) return helpLines.map((line) => plainRow(cut(` ${line}`, sight.columns, sight.look.ellipsis)));
  if (state.page.kind === 'output') return renderOutput(state, state.page, sight, room);
  const items = listItems(state.snapshot);
  return items.length === 0 ? renderNothing(sight) : renderList(state, items, sight, room);
}

function renderNothing({ look, columns }: Sight): Row[] {
  return ['Nothing has run yet.', '', 'Start something in another terminal:', '', '  cis dag run dag.toml'].map(
    (text) => plainRow(` ${look.paint(cut(text, columns - 1, look.ellipsis), 'dim')}`),
  );
}

/** Only what is seen is drawn: of thousands of tasks, a screen full. */
function renderList(state: Dashboard, items: readonly Item[], sight: DashboardSight, room: number): Row[] {
  const cursor = currentItem(state)?.key ?? null;
  const at = Math.max(
    0,
    items.findIndex(({ key }) => key === cursor),
  );
  const from = Math.max(0, at - room);
  const drawing = openDrawing(state, sight, cursor);
  const rows: Row[] = [];
  const seen = items.slice(from, at + room + 1);
  for (const [index, item] of seen.entries()) {
    if (item.kind === 'run' && seen[index - 1]?.kind === 'waiting' && sight.rows >= 12) rows.push(plainRow(''));
    rows.push(...drawing(item).map((line) => ({ line, item: item.key })));
  }
  const first = rows.findIndex(({ item }) => item === cursor);
  const last = rows.findLastIndex(({ item }) => item === cursor);
  return rows.slice(topOf(first, last, rows.length, room));
}

/** The item under the cursor is seen as a whole where it fits, in the middle of a list that is longer than the screen. */
function topOf(first: number, last: number, rows: number, room: number): number {
  if (rows <= room) return 0;
  const middle = Math.floor((first + last - room) / 2) + 1;
  return Math.max(0, Math.min(first, middle, rows - room));
}

function openDrawing(state: Dashboard, sight: DashboardSight, cursor: string | null): (item: Item) => string[] {
  const { picture } = state.snapshot;
  const { look } = sight;
  const inner = { ...sight, columns: sight.columns - 4 };
  const widths: Columns = picture === null ? { name: 0, agent: 0 } : measureColumns(picture, inner.columns);
  const runWidths = measureRuns(state.snapshot.runs, sight.columns);
  return (item) => {
    const mark = item.key === cursor ? look.paint(look.pointer, 'bold') : ' ';
    switch (item.kind) {
      case 'waiting':
        return renderWaiting(item.waiting, sight, mark, item.key === cursor);
      case 'run':
        return [mark + renderRun(item.run, sight, runWidths)];
      case 'task':
        return picture === null ? [] : [`${mark}  ${renderTask(item.task, picture, widths, inner)[0] ?? ''}`];
    }
  };
}

function renderWaiting(waiting: Waiting, sight: DashboardSight, mark: string, isCurrent: boolean): string[] {
  const { look, columns, now } = sight;
  const sign = waiting.ask.kind === 'block' ? 'blocked' : 'gated';
  const name = cut(`${waiting.run}:${waiting.task}`, Math.max(1, columns - 5), look.ellipsis);
  const age = waiting.since === null ? '' : `  ${formatElapsed(now - waiting.since)}`;
  const agent = waiting.agent === null || columns < 60 ? '' : `  ${waiting.agent}`;
  const used = 5 + widthOf(name) + widthOf(age) + widthOf(agent);
  const question = oneLine(sight.mask(questionOf(waiting, now))).trim();
  const lead = `${mark}${look.paint(fit(look.signs[sign], 2), 'ask')}  ${look.paint(name, 'bold')}`;
  const notes = used > columns ? '' : look.paint(agent + age, 'dim');
  const room = columns - used - 2;
  if (!isCurrent)
    return [lead + notes + (room < 8 ? '' : `  ${look.paint(cut(question, room, look.ellipsis), 'ask')}`)];
  const more = waiting.ask.kind === 'block' ? renderChoices(waiting.ask.block, sight) : [];
  return [lead + notes, ...wrap(question, columns - 6).map((line) => `     ${look.paint(line, 'ask')}`), ...more];
}

function questionOf({ ask }: Waiting, now: number): string {
  switch (ask.kind) {
    case 'block':
      return ask.block.question === '' ? ask.block.kind : ask.block.question;
    case 'gate':
      return describeGate(ask.gate, now);
    case 'undecided':
      return `${ask.failure === null ? 'its session was lost' : describeFailure(ask.failure)}: run it again?`;
  }
}

/** What it wants to run, and its choices with the keys that pick them; the preselected one is marked. */
function renderChoices(block: Block, { look, columns, mask }: Sight): string[] {
  const command = (block.command ?? '').split('\n').filter((line) => line.trim() !== '');
  const choices = block.choices.slice(0, 9).map((choice, index) => {
    const note = index === block.selected && columns >= 50 ? '  (preselected)' : '';
    const label = cut(oneLine(mask(choice.label)), columns - 8 - note.length, look.ellipsis);
    const number = look.paint(String(index + 1), index === block.selected ? 'ask' : 'bold');
    return `     ${number}  ${label}${look.paint(note, 'dim')}`;
  });
  const wants = command.map((line) => `       ${cut(oneLine(mask(line)), columns - 7, look.ellipsis)}`);
  return [...wants, ...choices];
}

/** Lines of words; at most four. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (widthOf(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = cut(word, columns);
  }
  return [...lines, line].slice(0, 4);
}

interface RunColumns {
  readonly dag: number;
  readonly run: number;
  readonly count: number;
}

function measureRuns(runs: readonly RunSummary[], columns: number): RunColumns {
  const longest = (texts: readonly string[]): number => Math.max(0, ...texts.map(widthOf));
  const run = Math.min(longest(runs.map((one) => one.run)), Math.max(8, Math.floor(columns * 0.35)));
  const dag = columns < 60 ? 0 : Math.min(longest(runs.map((one) => one.dag)), Math.floor(columns * 0.25));
  return { dag, run, count: longest(runs.map((one) => `${one.settled}/${one.total}`)) };
}

function renderRun(run: RunSummary, sight: DashboardSight, widths: RunColumns): string {
  const { look, columns } = sight;
  const [kind, words] = runStates[run.state];
  const count = `${run.settled}/${run.total}`.padStart(widths.count);
  const cells: [string, Tone][] = [
    [fit(look.signs[kind], 2), toneOf[kind]],
    [fit(oneLine(run.run), widths.run, look.ellipsis), 'bold'],
    ...(widths.dag === 0 ? [] : [[fit(oneLine(run.dag), widths.dag, look.ellipsis), 'dim'] as [string, Tone]]),
    [count, 'plain'],
    [fit(words, 12), toneOf[kind]],
    [timeOf(run, sight.now), 'dim'],
  ];
  let line = '';
  let used = 1;
  for (const [text, tone] of cells) {
    used += widthOf(text) + 2;
    if (used - 2 > columns) break;
    line += `${look.paint(text, tone)}  `;
  }
  return line.trimEnd();
}

function timeOf({ startedAt, endedAt }: RunSummary, now: number): string {
  if (startedAt === null) return '';
  return endedAt === null ? formatElapsed(now - startedAt) : formatDuration(endedAt - startedAt);
}

const runStates = {
  created: ['pending', 'created'],
  running: ['running', 'running'],
  paused: ['gated', 'paused'],
  'rolling-back': ['waiting-retry', 'rolling back'],
  completed: ['completed', 'done'],
  failed: ['failed', 'failed'],
  aborted: ['cancelled', 'aborted'],
} as const satisfies Record<RunState['kind'], readonly [TaskStateKind, string]>;

/** The end of what a session shows; below it what it asks. */
function renderOutput(state: Dashboard, page: OutputPage, sight: DashboardSight, room: number): Row[] {
  const waiting = currentWaiting(state);
  const asked = waiting === null || page.back > 0 ? [] : ['', ...renderWaiting(waiting, sight, ' ', true)];
  const question = asked.slice(0, Math.max(0, room - 3));
  const whole = page.back === 0 ? page.lines : (page.history ?? page.lines);
  const end = whole.findLastIndex((line) => line.trim() !== '') + 1;
  const last = Math.max(0, end - page.back);
  const shown = whole.slice(Math.max(0, last - (room - question.length)), last);
  const lines = sight.mask(shown.join('\n')).split('\n');
  return [...lines.map((line) => cut(oneLine(line), sight.columns, sight.look.ellipsis)), ...question].map(plainRow);
}

function renderFoot(state: Dashboard, sight: DashboardSight): string[] {
  const { look, columns } = sight;
  const { entry, notice } = state;
  if (entry?.kind === 'sure')
    return [` ${look.paint(cut(`${entry.question}  y yes, any other key no`, columns - 1, look.ellipsis), 'ask')}`];
  if (entry?.kind === 'text') return [renderTyped(entry.block, entry.text, sight)];
  if (notice !== null) {
    const text = cut(oneLine(sight.mask(notice.text)), columns - 1, look.ellipsis);
    return [` ${look.paint(text, notice.tone)}`];
  }
  return [renderHints(hintsOf(state), sight)];
}

/** The end of what is typed, with a place for the cursor; secrets as dots. */
function renderTyped(block: Block, text: string, { look, columns }: Sight): string {
  const isSecret = block.kind === 'password' || block.kind === 'login';
  const lead = ' answer: ';
  const room = Math.max(4, columns - widthOf(lead) - 2);
  let shown = isSecret ? '*'.repeat(splitCharacters(text).length) : text;
  while (widthOf(shown) > room) shown = splitCharacters(shown).slice(1).join('');
  return `${look.paint(lead, 'ask')}${shown}_`;
}

function hintsOf(state: Dashboard): string[] {
  if (state.isHelp) return ['any key goes back'];
  const waiting = currentWaiting(state);
  const answers = waiting === null ? [] : answerKeys(waiting);
  if (state.page.kind === 'output') return [...answers, 'Esc back', 'a attach', 'k kill', '? help'];
  const item = currentItem(state);
  if (item === null) return ['? help', 'q quit'];
  if (item.kind === 'run') {
    const pause = item.run.state === 'paused' ? ['p resume'] : item.run.endedAt === null ? ['p pause'] : [];
    return ['Enter tasks', ...pause, '? help', 'q quit'];
  }
  const session: SessionId | null = item.kind === 'waiting' ? item.waiting.session : item.task.session;
  const lives = session !== null && (item.kind === 'waiting' || item.task.endedAt === null);
  return [
    ...answers,
    ...(session === null ? [] : ['Enter output']),
    ...(lives ? ['a attach', 'k kill'] : []),
    '? help',
    'q quit',
  ];
}

/** The last two are always there; of the others as many as fit. */
function renderHints(hints: readonly string[], { look, columns }: Sight): string {
  const widest = columns - 1;
  let shown = [...hints];
  while (shown.length > 2 && widthOf(shown.join('  ')) > widest) shown = [...shown.slice(0, -3), ...shown.slice(-2)];
  return ` ${look.paint(cut(shown.join('  '), widest, look.ellipsis), 'dim')}`;
}

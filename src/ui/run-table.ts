import { formatDuration, formatElapsed } from '../domain/duration.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import { settled, type TaskStateKind } from '../domain/task.ts';
import type { Tone } from './style.ts';
import { measureColumns, renderTask, type Columns, type Sight } from './task-line.ts';
import { cut, widthOf } from './width.ts';

export interface TableSight extends Sight {
  /** Lines there are; the table is never taller. Infinity where it is printed once. */
  readonly rows: number;
  /** Widths measured before, as names do not change. */
  readonly widths?: Columns;
}

/** A whole run: head, a line per task (those that matter first when not all fit), and the sum at the foot. */
export function renderRunTable(picture: RunPicture, sight: TableSight): string[] {
  const widths = sight.widths ?? measureColumns(picture, sight.columns);
  const foot = renderFoot(picture, sight);
  const spacious = sight.rows >= 8;
  const head = sight.rows >= 4 ? [renderHead(picture, sight), ...(spacious ? [''] : [])] : [];
  const room = sight.rows - head.length - 1 - (spacious ? 1 : 0);
  const body = renderBody(picture, widths, sight, room);
  return [...head, ...body, ...(spacious ? [''] : []), foot];
}

function renderHead(picture: RunPicture, { look, columns }: Sight): string {
  const where =
    picture.mode === 'local' ? '' : `${look.dot}${picture.mode}${picture.room === null ? '' : ` ${picture.room}`}`;
  const note = stateNotes[picture.state];
  const right =
    note === undefined ? '' : `${look.dot}${note[0]}${picture.reason === null ? '' : `: ${picture.reason}`}`;
  const name = cut(picture.dag, Math.min(columns - 1, Math.max(8, columns - 3 - picture.run.length)), look.ellipsis);
  const room = columns - 1 - widthOf(name);
  const rest = cut(`  ${picture.run}${where}`, room, look.ellipsis);
  const after = cut(right, room - widthOf(rest), look.ellipsis);
  return ` ${look.paint(name, 'bold')}${look.paint(rest, 'dim')}${look.paint(after, note?.[1] ?? 'dim')}`;
}

const stateNotes: Partial<Record<RunPicture['state'], readonly [string, Tone]>> = {
  paused: ['paused', 'ask'],
  'rolling-back': ['rolling back', 'ask'],
  completed: ['completed', 'good'],
  failed: ['failed', 'bad'],
  aborted: ['aborted', 'bad'],
};

/** What matters most first; within a state in the order in which it was reached. */
export const matterOrder: readonly TaskStateKind[] = [
  'blocked',
  'gated',
  'undecided',
  'running',
  'starting',
  'failed',
  'lost',
  'waiting-retry',
  'ready',
  'pending',
  'cancelled',
  'skipped',
  'completed',
];

function renderBody(picture: RunPicture, widths: Columns, sight: TableSight, room: number): string[] {
  if (picture.tasks.size <= room) {
    const all = [...picture.tasks.values()].flatMap((task) => renderTask(task, picture, widths, sight));
    if (all.length <= room) return all;
  }
  const lines: string[] = [];
  const hidden = new Map<TaskStateKind, number>();
  for (const kind of matterOrder) {
    const tasks = picture.byKind.get(kind) ?? new Set();
    let shown = 0;
    for (const id of tasks) {
      const task = picture.tasks.get(id);
      const next = task === undefined ? [] : renderTask(task, picture, widths, sight);
      if (lines.length + next.length > room - 1) break;
      lines.push(...next);
      shown += 1;
    }
    if (shown < tasks.size) hidden.set(kind, tasks.size - shown);
  }
  return room < 1 ? [] : [...lines, renderFolded(hidden, sight)];
}

function renderFolded(hidden: ReadonlyMap<TaskStateKind, number>, { look, columns }: Sight): string {
  const counts = [...hidden].map(([kind, count]) => `${count} ${foldWords[kind]}`);
  return `    ${look.paint(cut(`and ${counts.join(', ')}`, columns - 4, look.ellipsis), 'dim')}`;
}

const foldWords: Readonly<Record<TaskStateKind, string>> = {
  pending: 'to come',
  gated: 'asking',
  ready: 'ready',
  starting: 'starting',
  running: 'running',
  blocked: 'waiting for you',
  'waiting-retry': 'to be tried again',
  lost: 'lost',
  undecided: 'undecided',
  completed: 'done',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
};

function renderFoot(picture: RunPicture, sight: Sight): string {
  const { look, columns, now } = sight;
  const total = picture.tasks.size;
  const over = countOf(picture, (kind) => settled[kind]);
  const { startedAt, endedAt } = picture;
  const elapsed =
    startedAt === null ? '' : endedAt === null ? formatElapsed(now - startedAt) : formatDuration(endedAt - startedAt);
  const parts = totals(picture);
  const width = Math.max(0, Math.min(30, columns - 40));
  const full = total === 0 ? width : Math.floor((over / total) * width);
  const bar =
    look.paint(look.bar.full.repeat(full), barTone(picture)) + look.paint(look.bar.empty.repeat(width - full), 'dim');
  const lead = `${over}/${total}${elapsed === '' ? '' : look.dot}${elapsed}`;
  let used = 1 + width + (width > 0 ? 2 : 0) + widthOf(lead);
  let line = ` ${bar}${width > 0 ? '  ' : ''}${cut(lead, columns - 1, look.ellipsis)}`;
  for (const [text, tone] of parts) {
    used += widthOf(look.dot) + widthOf(text);
    if (used > columns) break;
    line += look.paint(look.dot, 'dim') + look.paint(text, tone);
  }
  return line;
}

function totals(picture: RunPicture): (readonly [string, Tone])[] {
  const running = count(picture, 'running') + count(picture, 'starting');
  const waits = count(picture, 'blocked') + count(picture, 'gated') + count(picture, 'undecided');
  const debts = debtsOf(picture);
  const parts: (readonly [number, string, Tone])[] = [
    [waits, waits === 1 ? 'waits for you' : 'wait for you', 'ask'],
    [running, 'running', 'busy'],
    [count(picture, 'failed') - debts, 'failed', 'bad'],
    [debts, 'failed, accepted', 'dim'],
    [count(picture, 'waiting-retry'), 'to be tried again', 'ask'],
    [count(picture, 'skipped'), 'skipped', 'dim'],
    [count(picture, 'cancelled'), 'cancelled', 'dim'],
  ];
  return parts.filter(([number]) => number > 0).map(([number, word, tone]) => [`${number} ${word}`, tone]);
}

function debtsOf(picture: RunPicture): number {
  let debts = 0;
  for (const id of picture.byKind.get('failed') ?? []) if (isDebt(picture.tasks.get(id))) debts += 1;
  return debts;
}

function isDebt(task: TaskPicture | undefined): boolean {
  return task?.detail.kind === 'failure' && task.detail.debt;
}

function barTone(picture: RunPicture): Tone {
  if (count(picture, 'failed') > debtsOf(picture)) return 'bad';
  return picture.state === 'completed' ? 'good' : 'busy';
}

function count(picture: RunPicture, kind: TaskStateKind): number {
  return picture.byKind.get(kind)?.size ?? 0;
}

function countOf(picture: RunPicture, fits: (kind: TaskStateKind) => boolean): number {
  let sum = 0;
  for (const [kind, set] of picture.byKind) if (fits(kind)) sum += set.size;
  return sum;
}

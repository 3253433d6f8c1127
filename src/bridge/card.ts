import { formatDuration } from '../domain/duration.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import type { TaskId } from '../domain/ids.ts';
import { settled, type TaskStateKind } from '../domain/task.ts';
import { describeFailure, describeSkip, stateWords } from '../domain/words.ts';
import { firstFitting, type Message } from './message.ts';
import { escapeHtml, oneLine } from './text.ts';

/** More tasks than these are not listed one by one. */
const mostListed = 25;
/** Of a long run, so many of each group are named. */
const mostNamed = 8;

const runIcons = {
  created: '▶',
  running: '▶',
  paused: '⏸',
  'rolling-back': '↩',
  completed: '✅',
  failed: '❌',
  aborted: '⛔',
} as const satisfies Record<RunPicture['state'], string>;

const taskIcons = {
  pending: '▫️',
  gated: '✋',
  ready: '▫️',
  starting: '⏳',
  running: '⏳',
  blocked: '✋',
  'waiting-retry': '🔁',
  lost: '❔',
  undecided: '✋',
  completed: '✅',
  failed: '❌',
  skipped: '⏭',
  cancelled: '🚫',
} as const satisfies Record<TaskStateKind, string>;

const waitsForPerson: readonly TaskStateKind[] = ['blocked', 'gated', 'undecided'];

type Mask = (text: string) => string;

/** The card of a run: a first line that stands alone, then a line a task, or by groups when there are many. */
export function renderCard(picture: RunPicture, mask: Mask): Message {
  return firstFitting([
    ...(picture.tasks.size <= mostListed ? [() => cardOf(picture, listAll(picture, mask), mask)] : []),
    ...[mostNamed, 2, 0].map((named) => () => cardOf(picture, listGroups(picture, named, mask), mask)),
  ]);
}

function cardOf(picture: RunPicture, lines: readonly Message[], mask: Mask): Message {
  const title = titleOf(picture);
  const run = `run ${picture.run}`;
  const reason = picture.reason === null ? [] : [oneLine(mask(reasonOf(picture, picture.reason)))];
  return {
    body: [title, ...reason, ...lines.map(({ body }) => body), run].join('\n'),
    html: [
      `<b>${escapeHtml(title)}</b>`,
      ...reason.map(escapeHtml),
      ...lines.map(({ html }) => html),
      `run <code>${escapeHtml(picture.run)}</code>`,
    ].join('<br>'),
  };
}

/** `▶ refactor-api · 3/6 · 1 waiting for you`. */
export function titleOf(picture: RunPicture): string {
  const done = countOf(picture, ['completed', 'skipped']);
  const waiting = countOf(picture, waitsForPerson);
  const failed = countOf(picture, ['failed']);
  const parts = [
    `${runIcons[picture.state]} ${oneLine(picture.dag, 80)}`,
    `${done}/${picture.tasks.size}`,
    ...(waiting > 0 ? [`${waiting} waiting for you`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...stateWord(picture),
  ];
  return parts.join(' · ');
}

function stateWord({ state, startedAt, endedAt }: RunPicture): string[] {
  if (state === 'created' || state === 'running') return [];
  const word = state === 'rolling-back' ? 'rolling back' : state;
  return startedAt === null || endedAt === null ? [word] : [`${word} in ${formatDuration(endedAt - startedAt)}`];
}

function reasonOf(picture: RunPicture, reason: string): string {
  return picture.state === 'paused' ? `paused by ${reason}` : reason;
}

function listAll(picture: RunPicture, mask: Mask): Message[] {
  return [...picture.tasks.values()].toSorted((a, b) => a.position - b.position).map((task) => lineOf(task, mask));
}

function lineOf(task: TaskPicture, mask: Mask): Message {
  const icon = task.detail.kind === 'failure' && task.detail.debt ? '⚠️' : taskIcons[task.kind];
  const said = describe(task, mask);
  const rest = said === '' ? '' : ` · ${said}`;
  return {
    body: `${icon} ${task.task}${rest}`,
    html: `${icon} <code>${escapeHtml(task.task)}</code>${escapeHtml(rest)}`,
  };
}

function describe({ kind, agent, node, startedAt, endedAt, detail, attempt }: TaskPicture, mask: Mask): string {
  const again = attempt > 1 ? [`attempt ${attempt}`] : [];
  const took = startedAt !== null && endedAt !== null ? [formatDuration(endedAt - startedAt)] : [];
  const where = node === null ? '' : ` on ${oneLine(node, 40)}`;
  const who = agent === null && node === null ? [] : [`${oneLine(agent ?? '', 40)}${where}`.trimStart()];
  switch (kind) {
    case 'pending':
    case 'ready':
      return '';
    case 'completed':
      return [...took, ...again].join(' · ');
    case 'starting':
    case 'running':
      return [...who, ...again].join(' · ');
    case 'failed':
    case 'waiting-retry':
      return [...(detail.kind === 'failure' ? [oneLine(mask(describeFailure(detail.failure)))] : []), ...again].join(
        ' · ',
      );
    case 'skipped':
      return detail.kind === 'skip' ? oneLine(mask(describeSkip(detail.reason))) : stateWords[kind];
    case 'cancelled':
      return detail.kind === 'reason' ? oneLine(mask(detail.text)) : stateWords[kind];
    case 'gated':
    case 'blocked':
    case 'undecided':
    case 'lost':
      return [stateWords[kind], ...who].join(' · ');
  }
}

interface Group {
  readonly icon: string;
  readonly word: string;
  readonly kinds: readonly TaskStateKind[];
  /** Some of them are named: somebody may have to do with them. */
  readonly isNamed: boolean;
}

/** What a person must know first comes first. */
const groups: readonly Group[] = [
  { icon: '✋', word: 'waiting for you', kinds: waitsForPerson, isNamed: true },
  { icon: '❌', word: 'failed', kinds: ['failed'], isNamed: true },
  { icon: '⏳', word: 'running', kinds: ['running', 'starting'], isNamed: true },
  { icon: '🔁', word: 'to be tried again', kinds: ['waiting-retry', 'lost'], isNamed: true },
  { icon: '▫️', word: 'to come', kinds: ['pending', 'ready'], isNamed: false },
  { icon: '✅', word: 'done', kinds: ['completed'], isNamed: false },
  { icon: '⏭', word: 'skipped', kinds: ['skipped'], isNamed: false },
  { icon: '🚫', word: 'cancelled', kinds: ['cancelled'], isNamed: false },
];

/** Counts of all, names of those that somebody may have to do with. */
function listGroups(picture: RunPicture, most: number, mask: Mask): Message[] {
  const summary = groups
    .map(({ icon, word, kinds }) => ({
      count: countOf(picture, kinds),
      text: `${icon} ${countOf(picture, kinds)} ${word}`,
    }))
    .filter(({ count }) => count > 0)
    .map(({ text }) => text)
    .join(' · ');
  const named = groups.filter(({ isNamed }) => isNamed).flatMap((group) => nameSome(picture, group, most, mask));
  return [{ body: summary, html: escapeHtml(summary) }, ...named];
}

function nameSome(picture: RunPicture, { kinds, word }: Group, most: number, mask: Mask): Message[] {
  const ids = kinds.flatMap((kind) => [...(picture.byKind.get(kind) ?? [])]);
  const tasks = ids.flatMap((id: TaskId) => picture.tasks.get(id) ?? []).toSorted((a, b) => a.position - b.position);
  const more = tasks.length - most;
  const rest = more > 0 ? [{ body: `… and ${more} more ${word}`, html: `… and ${more} more ${word}` }] : [];
  return [...tasks.slice(0, most).map((task) => lineOf(task, mask)), ...rest];
}

function countOf(picture: RunPicture, kinds: readonly TaskStateKind[]): number {
  return kinds.reduce((sum, kind) => sum + (picture.byKind.get(kind)?.size ?? 0), 0);
}

/** How far a run is, as machines read it. */
export function progressOf(picture: RunPicture) {
  return {
    total: picture.tasks.size,
    completed: countOf(picture, ['completed']),
    failed: countOf(picture, ['failed']),
    running: countOf(picture, ['running', 'starting']),
    blocked: countOf(picture, waitsForPerson),
    skipped: countOf(
      picture,
      (Object.keys(settled) as TaskStateKind[]).filter((kind) => kind === 'skipped' || kind === 'cancelled'),
    ),
  };
}

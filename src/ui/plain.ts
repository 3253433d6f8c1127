import { formatDuration } from '../domain/duration.ts';
import type { CisEvent, LoggedEvent } from '../domain/event.ts';
import type { RunId } from '../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import type { TaskStateKind } from '../domain/task.ts';
import {
  blockCommand,
  describeChoices,
  describeEvent,
  gateCommand,
  leftRecording,
  stateWords,
  subjectOf,
  describeWait,
} from '../domain/words.ts';
import { toneOf, type Look, type Tone } from './style.ts';
import { oneLine } from './width.ts';

/** The lines for events as they come in, for a pipe or a log: what a person would want to know, one line each. */
export function renderPlain(
  events: readonly LoggedEvent[],
  picture: RunPicture,
  look: Look,
  mask: (text: string) => string,
): string[] {
  return events.flatMap((logged) => {
    if (quiet.has(logged.event.kind)) return [];
    const words = describeEvent(logged.event) + spent(logged, picture);
    const line = renderLine(logged, words, look, mask);
    const todo = todoOf(logged.event, picture.run);
    return todo === null ? [line] : [line, `${' '.repeat(9)}  ${oneLine(mask(todo))}`];
  });
}

/** How a run that is carried on stands: the sum, and what waits for a person with the command that answers it. */
export function renderPresent(picture: RunPicture, mask: (text: string) => string): string[] {
  const counts = Object.entries(stateWords).flatMap(([kind, words]) => {
    const size = picture.byKind.get(kind as TaskStateKind)?.size ?? 0;
    return size === 0 ? [] : [`${size} ${words}`];
  });
  const waiting = [...picture.tasks.values()].flatMap((task) => {
    const todo = todoOfTask(task, picture.run);
    return todo === null ? [] : [`  ${task.task}: ${oneLine(mask(todo))}`];
  });
  return [`${picture.run} (${picture.dag}) goes on from here: ${counts.join(', ')}`, ...waiting];
}

function todoOfTask({ task, kind, detail }: TaskPicture, run: RunId): string | null {
  if (detail.kind === 'block') return describeWait(detail.block) ?? blockCommand(detail.block, run, task);
  if (detail.kind === 'gate' && kind === 'gated') return gateCommand(detail.gate, run, task);
  return kind === 'undecided' ? `cis dag retry|skip ${run}:${task}` : null;
}

/** An event as `cis dag events` shows it: nothing left out; `ofAll` names the run as well, where several are mixed. */
export function renderEvent(logged: LoggedEvent, look: Look, mask: (text: string) => string, ofAll: boolean): string {
  return renderLine(logged, describeEvent(logged.event), look, mask, ofAll);
}

function renderLine(
  { at, event, run }: LoggedEvent,
  words: string,
  look: Look,
  mask: (text: string) => string,
  ofAll = false,
): string {
  const [sign, tone] = signOf(event, look);
  const about = subjectOf(event);
  const subject = about === '' ? run : ofAll && !about.startsWith(`${run}:`) ? `${run}:${about}` : about;
  return `${look.paint(clock(at), 'dim')} ${look.paint(sign, tone)} ${subject}: ${look.paint(oneLine(mask(words)), tone === 'busy' ? 'plain' : tone)}`;
}

/** What the other events of the same turn say better. */
const quiet: ReadonlySet<CisEvent['kind']> = new Set([
  'run-driver-changed',
  'task-ready',
  'task-running',
  'task-voted',
  'session-started',
  'session-ended',
  'session-blocked',
  'node-seen',
]);

function todoOf(event: CisEvent, run: RunId): string | null {
  switch (event.kind) {
    case 'task-blocked': {
      if (event.block.waits === true) return null;
      const choices = event.block.choices.length === 0 ? '' : `   ${describeChoices(event.block)}`;
      return blockCommand(event.block, run, event.task) + choices;
    }
    case 'task-gated':
      return gateCommand(event.gate, run, event.task);
    case 'task-undecided':
      return `cis dag retry|skip ${run}:${event.task}`;
    case 'task-failed':
      return event.attempt > 0 && leftRecording(event.failure) ? `cis dag logs ${run}:${event.task}` : null;
    default:
      return null;
  }
}

function spent({ at, event }: LoggedEvent, picture: RunPicture): string {
  if (event.kind !== 'task-completed' && event.kind !== 'task-failed') return '';
  return since(picture.tasks.get(event.task)?.startedAt ?? null, at);
}

function since(from: number | null, to: number): string {
  return from === null ? '' : ` (${formatDuration(to - from)})`;
}

function signOf(event: CisEvent, look: Look): readonly [string, Tone] {
  switch (event.kind) {
    case 'task-completed':
    case 'run-completed':
      return [look.signs.completed, toneOf.completed];
    case 'task-failed':
    case 'run-failed':
    case 'run-aborted':
      return [look.signs.failed, toneOf.failed];
    case 'task-blocked':
    case 'session-blocked':
      return [look.signs.blocked, toneOf.blocked];
    case 'task-gated':
    case 'task-undecided':
    case 'task-lost':
      return [look.signs.gated, toneOf.gated];
    case 'task-waiting-retry':
      return [look.signs['waiting-retry'], toneOf['waiting-retry']];
    case 'task-skipped':
    case 'task-cancelled':
      return [look.signs.skipped, toneOf.skipped];
    default:
      return [look.signs.running, toneOf.running];
  }
}

/** `12:03:04`, local time. */
function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

import type { CisEvent, LoggedEvent } from '../domain/event.ts';
import { describeEvent } from '../domain/words.ts';
import { asManyAsFit, type Message } from './message.ts';
import { escapeHtml, oneLine, plainText } from './text.ts';

/** Of a long backlog, so many lines are told; the rest is counted. */
const mostLines = 40;

export type OutputEvent = Extract<CisEvent, { kind: 'task-completed' | 'task-failed' }>;

/** The first lines of an output. */
export interface Preview {
  readonly text: string;
  /** There is more. */
  readonly isCut: boolean;
  /** The whole follows as a file. */
  readonly isFile: boolean;
}

export interface DetailView {
  readonly mask: (text: string) => string;
  /** Of a task's output, when it may be sent. It is asked once for each event that is told, what failed first. */
  readonly preview: (event: OutputEvent) => Preview | null;
}

/** So much of an output stands in the message itself. */
export function previewOf(clean: string): Preview | null {
  if (clean === '') return null;
  const text = plainText(clean, { chars: 600, lines: 8 });
  return { text, isCut: text !== clean, isFile: false };
}

/** One message for the card's thread about what happened; null when there is nothing a person would want to know. */
export function renderDetails(events: readonly LoggedEvent[], view: DetailView): Message | null {
  const told = events.filter(({ event }) => isTold(event));
  if (told.length === 0) return null;
  const some = sample(told);
  const previews = previewsOf(some, view);
  const lines = asManyAsFit(
    some.map((logged) => [lineOf(logged, view.mask, previews.get(logged) ?? null), lineOf(logged, view.mask, null)]),
  );
  const left = told.length - lines.length;
  const rest =
    left > 0
      ? [{ body: `… and ${left} more: cis dag events`, html: `… and ${left} more: <code>cis dag events</code>` }]
      : [];
  const all = [...lines, ...rest];
  return { body: all.map(({ body }) => body).join('\n'), html: all.map(({ html }) => html).join('<br>') };
}

function previewsOf(events: readonly LoggedEvent[], { preview }: DetailView): ReadonlyMap<LoggedEvent, Preview> {
  const previews = new Map<LoggedEvent, Preview>();
  for (const kind of ['task-failed', 'task-completed'] as const) {
    for (const logged of events) {
      const shown = logged.event.kind === kind ? preview(logged.event) : null;
      if (shown !== null) previews.set(logged, shown);
    }
  }
  return previews;
}

function isTold(event: CisEvent): boolean {
  switch (event.kind) {
    case 'task-starting':
      return event.attempt > 1;
    case 'task-completed':
    case 'task-failed':
    case 'task-waiting-retry':
    case 'task-lost':
    case 'task-undecided':
    case 'task-skipped':
    case 'task-voted':
    case 'task-reopened':
    case 'task-amended':
    case 'session-unblocked':
    case 'session-recording-failed':
    case 'run-paused':
    case 'run-resumed':
    case 'run-reopened':
    case 'run-rolling-back':
    case 'run-rollback-ended':
    case 'run-mode-changed':
      return true;
    default:
      return false;
  }
}

/** What went wrong is never left out for what went well. */
function sample(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
  if (events.length <= mostLines) return events;
  const dull = events.filter(({ event }) => event.kind === 'task-completed' || event.kind === 'task-skipped');
  const left = new Set(dull.slice(0, events.length - mostLines));
  return events.filter((logged) => !left.has(logged)).slice(-mostLines);
}

function lineOf({ event, run }: LoggedEvent, mask: DetailView['mask'], shown: Preview | null): Message {
  const subject = subjectIn(event);
  const said = oneLine(mask(describeEvent(event)));
  const head = subject === null ? '' : `${subject}: `;
  const more =
    shown?.isCut !== true
      ? ''
      : shown.isFile
        ? 'the whole follows as a file'
        : `the whole: cis dag output ${run} ${subject}`;
  return {
    body: `${head}${said}${shown === null ? '' : `\n${shown.text}`}${more === '' ? '' : `\n${more}`}`,
    html: `${subject === null ? '' : `<code>${escapeHtml(subject)}</code>: `}${escapeHtml(said)}${
      shown === null ? '' : `<pre><code>${escapeHtml(shown.text)}</code></pre>`
    }${escapeHtml(more)}`,
  };
}

function subjectIn(event: CisEvent): string | null {
  if ('task' in event) return event.task;
  return 'session' in event ? event.session.slice(event.session.indexOf(':') + 1) : null;
}

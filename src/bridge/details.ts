import type { CisEvent, LoggedEvent } from '../domain/event.ts';
import { describeEvent } from '../domain/words.ts';
import { asManyAsFit, type Message } from './message.ts';
import { escapeHtml, oneLine } from './text.ts';

/** Of a long backlog, so many lines are told; the rest is counted. */
const mostLines = 40;

export interface DetailView {
  readonly mask: (text: string) => string;
  /** The first lines of a task's output, when those may be sent. */
  readonly preview: (event: Extract<CisEvent, { kind: 'task-completed' | 'task-failed' }>) => string | null;
}

/** One message for the card's thread about what happened; null when there is nothing a person would want to know. */
export function renderDetails(events: readonly LoggedEvent[], view: DetailView): Message | null {
  const told = events.filter(({ event }) => isTold(event));
  if (told.length === 0) return null;
  const some = sample(told);
  const brief = { ...view, preview: () => null };
  const lines = asManyAsFit(some.map((logged) => [lineOf(logged, view), lineOf(logged, brief)]));
  const left = told.length - lines.length;
  const rest =
    left > 0
      ? [{ body: `… and ${left} more: cis dag events`, html: `… and ${left} more: <code>cis dag events</code>` }]
      : [];
  const all = [...lines, ...rest];
  return { body: all.map(({ body }) => body).join('\n'), html: all.map(({ html }) => html).join('<br>') };
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

function lineOf({ event }: LoggedEvent, { mask, preview }: DetailView): Message {
  const subject = subjectIn(event);
  const said = oneLine(mask(describeEvent(event)));
  const shown = event.kind === 'task-completed' || event.kind === 'task-failed' ? preview(event) : null;
  const head = subject === null ? '' : `${subject}: `;
  return {
    body: `${head}${said}${shown === null ? '' : `\n${shown}`}`,
    html: `${subject === null ? '' : `<code>${escapeHtml(subject)}</code>: `}${escapeHtml(said)}${
      shown === null ? '' : `<pre><code>${escapeHtml(shown)}</code></pre>`
    }`,
  };
}

function subjectIn(event: CisEvent): string | null {
  if ('task' in event) return event.task;
  return 'session' in event ? event.session.slice(event.session.indexOf(':') + 1) : null;
}

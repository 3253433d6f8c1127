import type { MachineEvent } from '../../matrix/events/index.ts';

/** One line of `cis matrix subscribe`. */
export interface RoomLine {
  readonly at: number;
  readonly run: string;
  readonly task: string;
  readonly status: string;
  readonly progress: string;
}

/** What a machine event says to a person who follows a room; several lines for a batch, none for what concerns nodes only. */
export function roomLines(event: MachineEvent): RoomLine[] {
  switch (event.type) {
    case 'cis.dag.run.created':
      return [
        { ...ofRun(event.content), status: `created: ${event.content.dag_name}`, progress: `0/${event.content.tasks}` },
      ];
    case 'cis.dag.run.started':
    case 'cis.dag.run.completed':
      return [{ ...ofRun(event.content), status: lastWord(event.type) }];
    case 'cis.dag.run.paused':
    case 'cis.dag.run.resumed':
      return [{ ...ofRun(event.content), status: `${lastWord(event.type)} by ${event.content.by}` }];
    case 'cis.dag.run.mode':
      return [{ ...ofRun(event.content), status: `now in ${event.content.mode} mode` }];
    case 'cis.dag.run.failed':
    case 'cis.dag.run.aborted':
      return [{ ...ofRun(event.content), status: `${lastWord(event.type)}: ${event.content.reason}` }];
    case 'cis.dag.task.status': {
      const { tasks, progress, at } = event.content;
      const shown =
        progress === undefined ? '' : `${progress.completed + progress.failed + progress.skipped}/${progress.total}`;
      return tasks.map((task) => ({
        ...ofRun(event.content),
        at: task.at ?? at,
        task: task.task_id,
        status: task.reason === undefined ? task.status : `${task.status}: ${task.reason}`,
        progress: shown,
      }));
    }
    case 'cis.dag.session.blocked':
      return [{ ...ofRun(event.content), task: event.content.task_id, status: `waits: ${event.content.question}` }];
    case 'cis.dag.session.recovered':
      return [
        {
          ...ofRun({ run_id: event.content.run_id ?? '', at: event.content.at }),
          status: `answered by ${event.content.by}`,
        },
      ];
    case 'cis.dag.task.assigned':
      return event.content.assignments.map(({ task_id, to }) => ({
        ...ofRun(event.content),
        task: task_id,
        status: to === '*' ? 'offered to all nodes' : `given to ${to}`,
      }));
    case 'cis.dag.task.granted':
      return event.content.grants.map(({ task_id, to }) => ({
        ...ofRun(event.content),
        task: task_id,
        status: `granted to ${to}`,
      }));
    case 'cis.dag.task.claimed':
      return linesOf(event.content.claims, event.content, () => `claimed by ${event.content.node}`);
    case 'cis.dag.task.released': {
      const by = event.content.node ?? event.content.by;
      return linesOf(event.content.releases, event.content, ({ reason }) => `released by ${by}: ${reason}`);
    }
    case 'cis.dag.task.result':
      return linesOf(event.content.results, event.content, () => `result (${event.content.node})`);
    case 'cis.node.heartbeat':
    case 'cis.node.dag.active':
      return [];
  }
}

function linesOf<Item extends { readonly run_id: string; readonly task_id: string }>(
  items: readonly Item[],
  { at }: { readonly at: number },
  status: (item: Item) => string,
): RoomLine[] {
  return items.map((item) => ({ ...ofRun({ run_id: item.run_id, at }), task: item.task_id, status: status(item) }));
}

/** Whether an event is about a run whose id begins like this; `` is every event. */
export function isAbout({ content }: MachineEvent, run: string): boolean {
  const ids = [
    ...('run_id' in content ? [content.run_id ?? ''] : []),
    ...('claims' in content ? content.claims.map((one) => one.run_id) : []),
    ...('releases' in content ? content.releases.map((one) => one.run_id) : []),
    ...('results' in content ? content.results.map((one) => one.run_id) : []),
  ];
  return run === '' || ids.some((id) => id.startsWith(run));
}

/** `table` aligns columns and cuts what is too long; `plain` has one tab between them. Control characters are shown as blanks. */
export function renderRoomLine(line: RoomLine, format: 'table' | 'plain'): string {
  const time = new Date(line.at).toISOString();
  const words = [line.run, line.task, line.status, line.progress].map(harmless);
  if (format === 'plain') return [time, ...words].join('\t');
  const [run = '', task = '', status = '', progress = ''] = words;
  return `${time.slice(11, 19)}  ${fit(run, 22)}  ${fit(task, 22)}  ${fit(status, 40)}  ${progress}`.trimEnd();
}

export const roomHeading = `TIME      ${'RUN'.padEnd(22)}  ${'TASK'.padEnd(22)}  ${'STATUS'.padEnd(40)}  PROGRESS`;

function ofRun(content: { readonly run_id: string; readonly at: number }): RoomLine {
  return { at: content.at, run: content.run_id, task: '', status: '', progress: '' };
}

function lastWord(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

/** Whoever is in the room wrote this: no escape sequences, no new lines, no marks that turn the reading direction. */
function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, ' ');
}

import type { Block } from '../../../src/domain/block.ts';
import type { RunId, SessionId, TaskId } from '../../../src/domain/ids.ts';
import { openPicture } from '../../../src/domain/picture.ts';
import { nextDashboard } from '../../../src/ui/dashboard/next.ts';
import {
  firstDashboard,
  type Ask,
  type Dashboard,
  type DashboardCommand,
  type RunSummary,
  type Snapshot,
  type Waiting,
} from '../../../src/ui/dashboard/state.ts';
import { renderDashboard } from '../../../src/ui/dashboard/view.ts';
import { openLook } from '../../../src/ui/style.ts';
import {
  approval,
  blocked,
  completed,
  logOf,
  running,
  settingsOf,
  starting,
  startOfTime,
  taskOf,
} from '../../support/runs.ts';

export const later = startOfTime + 65_000;

export function waitingOf(task: string, ask: Ask): Waiting {
  const key = ask.kind === 'block' ? `ask ${ask.block.id}` : `ask ${task} ${ask.kind}`;
  const session = ask.kind === 'block' ? (`brave-otter:${task}` as SessionId) : null;
  const since = ask.kind === 'block' ? ask.block.since : null;
  return { key, run: 'brave-otter' as RunId, task: task as TaskId, session, agent: 'claude', since, ask };
}

export const question: Block = { ...approval('May I run this?', 'rm -rf build'), selected: 1 };

function summary(run: string, more: Partial<RunSummary> = {}): RunSummary {
  const counts = { total: 3, settled: 1, running: 1 };
  const times = { startedAt: startOfTime, endedAt: null };
  return { run: run as RunId, dag: 'demo', state: 'running', ...counts, ...times, ...more };
}

/** One run with a question and a gate, and one that has ended. */
export function snapshotOf(
  waiting: readonly Waiting[] = [waitingOf('implement', { kind: 'block', block: question })],
): Snapshot {
  const fold = openPicture(
    settingsOf([taskOf('plan'), taskOf('implement', ['plan'], 'claude'), taskOf('test', ['implement'])]),
  );
  const events = logOf('brave-otter', [
    [0, { kind: 'run-started' }],
    [0, starting('plan')],
    [10, running('plan')],
    [2_000, completed('plan')],
    [2_000, starting('implement')],
    [2_010, running('implement')],
    [3_000, blocked('implement', question)],
  ]);
  for (const event of events) fold.apply(event);
  const ended = summary('calm-fox', { state: 'completed', settled: 3, running: 0, endedAt: startOfTime + 4_200 });
  return { runs: [summary('brave-otter'), ended], waiting, picture: fold.picture };
}

/** A dashboard that has read this snapshot long ago. */
export function dashboardOf(snapshot: Snapshot = snapshotOf()): Dashboard {
  return nextDashboard(firstDashboard, { kind: 'snapshot', snapshot, now: startOfTime }).state;
}

/** Presses keys one after the other: a letter types itself. */
export function press(
  state: Dashboard,
  ...keys: readonly string[]
): { readonly state: Dashboard; readonly commands: readonly DashboardCommand[] } {
  const commands: DashboardCommand[] = [];
  for (const key of keys) {
    const step = nextDashboard(state, { kind: 'key', key, text: key.length === 1 ? key : '', now: later });
    state = step.state;
    commands.push(...step.commands);
  }
  return { state, commands };
}

export function draw(state: Dashboard, columns = 80, rows = 16): string {
  return pictureOf(state, columns, rows)
    .lines.map((line) => line.trimEnd())
    .join('\n');
}

export function pictureOf(state: Dashboard, columns: number, rows: number) {
  return renderDashboard(state, {
    now: later,
    columns,
    rows,
    look: openLook({ colour: false, unicode: true }),
    lastLine: () => 'compiling…',
    mask: (text) => text.replaceAll('hunter2-hunter2', '[X redacted]'),
    from: 'this machine',
  });
}

import type { Home } from '../../config/home.ts';
import type { RunId, SessionId } from '../../domain/ids.ts';
import { agentOf, type RunSettings } from '../../domain/run.ts';
import { settled, type TaskStateKind } from '../../domain/task.ts';
import { readLastLine } from '../../executor/last-line.ts';
import { readPicture } from '../../storage/read-picture.ts';
import type { Db } from '../../storage/open.ts';
import {
  countTasks,
  listRuns,
  listUnfinishedRuns,
  readRunSettings,
  readWaitingTasks,
  type RunRow,
  type TaskRow,
} from '../../storage/read.ts';
import { watchCommits } from '../../storage/tail.ts';
import type { RunSource } from '../../ui/dashboard/source.ts';
import type { Ask, RunSummary, Snapshot, Unfolded, Waiting } from '../../ui/dashboard/state.ts';
import { openLivingSessions, type LivingSessions } from './living-sessions.ts';

/** Runs that have ended are shown so far back. */
const recentRuns = 20;

/** Runs of this home, from its event log; what sessions ask at this moment, from the host. */
export function openLocalSource(home: Home, db: Db, changed: () => void): RunSource {
  const settings = new Map<RunId, RunSettings>();
  const summaries = new Map<RunId, RunSummary>();
  const living = openLivingSessions(home, changed);
  const commits = watchCommits(db, home.database, changed);
  const settingsOf = (run: RunId): RunSettings | null => {
    const known = settings.get(run) ?? readRunSettings(db, run);
    if (known !== null) settings.set(run, known);
    return known;
  };
  const summaryOf = (row: RunRow): RunSummary => {
    const known = summaries.get(row.run);
    if (known !== undefined && row.endedAt !== null && known.endedAt === row.endedAt) return known;
    const summary = summarise(row, countTasks(db, row.run));
    summaries.set(row.run, summary);
    return summary;
  };
  const read = async (unfolded: Unfolded): Promise<Snapshot> => {
    const active = listUnfinishedRuns(db);
    const ended = listRuns(db, recentRuns).filter((row) => row.endedAt !== null);
    const rows = [...active, ...ended];
    const sessions = await living.read(active.map(({ run }) => run));
    const waiting = active.flatMap((row) => {
      const found = settingsOf(row.run);
      return found === null ? [] : listWaiting(found, readWaitingTasks(db, row.run), sessions);
    });
    const run = chooseRun(unfolded, rows);
    return { runs: rows.map(summaryOf), waiting, picture: run === null ? null : readPicture(db, run) };
  };
  return {
    from: 'this machine',
    read,
    lastLine: (session) => readLastLine(home, session),
    [Symbol.dispose]() {
      commits[Symbol.dispose]();
      living[Symbol.dispose]();
    },
  };
}

function chooseRun(unfolded: Unfolded, rows: readonly RunRow[]): RunId | null {
  if (unfolded.kind === 'none') return null;
  return unfolded.kind === 'run' ? unfolded.run : (rows[0]?.run ?? null);
}

function summarise(row: RunRow, counts: Partial<Record<TaskStateKind, number>>): RunSummary {
  const kinds = Object.entries(counts) as [TaskStateKind, number][];
  const sum = (fits: (kind: TaskStateKind) => boolean): number =>
    kinds.reduce((total, [kind, count]) => total + (fits(kind) ? count : 0), 0);
  const { run, dagName: dag, startedAt, endedAt, state, tasks: total } = row;
  const running = sum((kind) => kind === 'running' || kind === 'starting');
  return { run, dag, state: state.kind, total, settled: sum((kind) => settled[kind]), running, startedAt, endedAt };
}

/** What a host says of its sessions is newer than what the log has of them. */
function listWaiting(settings: RunSettings, rows: readonly TaskRow[], living: LivingSessions): Waiting[] {
  const { run } = settings;
  const logged = rows.flatMap(({ task, state }): Waiting[] => {
    const ask = askOf(state);
    if (ask === null) return [];
    const session = 'session' in state ? state.session : null;
    const since = ask.kind === 'block' ? ask.block.since : null;
    return [{ key: keyOf(ask, run, task), run, task, session, agent: agentIn(settings, task), since, ask }];
  });
  const fresh = logged.filter(({ ask, session }) => ask.kind !== 'block' || isStillAsked(ask, session, living));
  const known = new Set(fresh.map(({ session }) => session));
  const early = living.blocked(run).flatMap(({ session, task, block }): Waiting[] => {
    if (known.has(session)) return [];
    const ask = { kind: 'block', block } as const;
    const agent = agentIn(settings, task);
    return [{ key: keyOf(ask, run, task), run, task, session, agent, since: block.since, ask }];
  });
  return [...fresh, ...early];
}

function isStillAsked(
  { block }: Extract<Ask, { kind: 'block' }>,
  session: SessionId | null,
  living: LivingSessions,
): boolean {
  const state = session === null ? undefined : living.stateOf(session);
  return state === undefined || (state.kind === 'blocked' && state.block.id === block.id);
}

function askOf(state: TaskRow['state']): Ask | null {
  switch (state.kind) {
    case 'blocked':
      return { kind: 'block', block: state.block };
    case 'gated':
      return { kind: 'gate', gate: state.gate };
    case 'undecided':
      return { kind: 'undecided', failure: state.failure ?? null };
    default:
      return null;
  }
}

function keyOf(ask: Ask, run: RunId, task: string): string {
  return ask.kind === 'block' ? `ask ${ask.block.id}` : `ask ${run}:${task} ${ask.kind}`;
}

function agentIn(settings: RunSettings, id: string): string | null {
  const task = settings.dag.tasks.find((one) => one.id === id);
  return task === undefined ? null : agentOf(settings, task);
}

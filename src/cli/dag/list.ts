import type { Command } from 'commander';
import { formatDuration, formatElapsed } from '../../domain/duration.ts';
import type { RunState } from '../../domain/run.ts';
import { countTasks, listRuns, readActiveRun, type RunRow } from '../../storage/read.ts';
import { lookFor, type Tone } from '../../ui/style.ts';
import { renderColumns, type Cell } from '../../ui/columns.ts';
import { openDatabase, print, printJson } from '../context.ts';
import { wholeNumber } from '../numbers.ts';

export function command(into: Command): Command {
  return into
    .option('-n, --limit <count>', 'how many', wholeNumber, 20)
    .option('--all', 'every run there is')
    .option('--json', 'print JSON')
    .action(async (options: { limit: number; all?: true; json?: true }) => {
      const db = await openDatabase();
      const limit = options.all ? Number.MAX_SAFE_INTEGER : options.limit;
      const rows = db === null ? [] : listRuns(db, limit).map((run) => ({ ...run, counts: countTasks(db, run.run) }));
      const active = db === null ? null : readActiveRun(db);
      if (options.json) printJson({ runs: rows.map((row) => ({ ...row, active: row.run === active })) });
      else
        print(
          rows.length === 0
            ? ['nothing has run yet: cis init makes a first DAG file']
            : renderRuns(rows, active, Date.now()),
        );
    });
}

type Row = RunRow & { readonly counts: ReturnType<typeof countTasks> };

function renderRuns(rows: readonly Row[], active: string | null, now: number): string[] {
  const look = lookFor(process.stdout, process.env);
  const head = ['RUN', 'DAG', 'STATE', 'TASKS', 'TIME', 'STARTED', ''].map((text): Cell => ({ text, tone: 'dim' }));
  return renderColumns([head, ...rows.map((row) => cells(row, active, now))], look, process.stdout.columns ?? Infinity);
}

function cells(row: Row, active: string | null, now: number): Cell[] {
  const { counts, state } = row;
  const over = (counts.completed ?? 0) + (counts.failed ?? 0) + (counts.skipped ?? 0) + (counts.cancelled ?? 0);
  const waits = (counts.blocked ?? 0) + (counts.gated ?? 0) + (counts.undecided ?? 0);
  const time =
    row.startedAt === null
      ? ''
      : row.endedAt === null
        ? formatElapsed(now - row.startedAt)
        : formatDuration(row.endedAt - row.startedAt);
  return [
    { text: row.run === active ? `${row.run}*` : row.run, tone: 'bold' },
    { text: row.dagName, tone: 'plain' },
    { text: state.kind, tone: tones[state.kind] },
    { text: `${over}/${row.tasks}`, tone: 'plain' },
    { text: time, tone: 'plain' },
    { text: `${formatElapsed(now - row.createdAt)} ago`, tone: 'dim' },
    {
      text: waits > 0 ? `${waits} waiting for you` : row.mode === 'local' ? '' : row.mode,
      tone: waits > 0 ? 'ask' : 'dim',
    },
  ];
}

const tones: Readonly<Record<RunState['kind'], Tone>> = {
  created: 'dim',
  running: 'busy',
  paused: 'ask',
  'rolling-back': 'ask',
  completed: 'good',
  failed: 'bad',
  aborted: 'bad',
};

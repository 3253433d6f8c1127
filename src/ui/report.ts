import { formatDuration } from '../domain/duration.ts';
import type { TaskId } from '../domain/ids.ts';
import { failedTasks, type Report, type TaskReport } from '../domain/report.ts';
import { stateWords } from '../domain/words.ts';
import { toneOf, type Look } from './style.ts';
import { cut, fit, oneLine } from './width.ts';

export interface ReportSight {
  readonly look: Look;
  readonly columns: number;
  /** The last lines of the screens of tasks that failed. */
  readonly tails: ReadonlyMap<TaskId, readonly string[]>;
  readonly mask: (text: string) => string;
  /** A line per task as well; a live table has shown them already. */
  readonly withTasks: boolean;
}

/** How many failures are told in full; more than this is a list. */
const toldInFull = 10;

/** The words at the end of a run: what failed with the last lines of its screen, where to look further, and the sum. */
export function renderReport(report: Report, sight: ReportSight): string[] {
  const failed = failedTasks(report);
  const list = sight.withTasks ? ['', ...report.tasks.map((task) => renderTaskReport(task, report, sight))] : [];
  const more =
    failed.length > toldInFull ? [`  and ${failed.length - toldInFull} more: cis dag status ${report.run} -v`] : [];
  const failures = failed.slice(0, toldInFull).flatMap((task) => ['', ...renderFailure(task, report, sight)]);
  return [...list, ...failures, ...more, '', renderSum(report, sight)];
}

/** The last lines of a text that say something, at most `count`. */
export function tailOf(text: string, count: number): string[] {
  const lines = text.split('\n').map(oneLine);
  while (lines.length > 0 && (lines.at(-1) ?? '').trim() === '') lines.pop();
  return lines.slice(-count);
}

function renderTaskReport(task: TaskReport, report: Report, { look, columns, mask }: ReportSight): string {
  const width = Math.min(40, Math.max(...report.tasks.map((one) => one.task.length)));
  const attempts = task.attempts > 1 ? `${task.attempts} attempts` : '';
  const time = task.durationMs === null ? '' : formatDuration(task.durationMs);
  const facts = [stateWords[task.state], time, attempts, task.why ?? '', task.debt ? 'accepted' : ''].filter(
    (fact) => fact !== '',
  );
  const line = `${fit(task.task, width, look.ellipsis)}  ${facts.join(', ')}`;
  return `${look.paint(fit(look.signs[task.state], 2), toneOf[task.state])} ${cut(oneLine(mask(line)), columns - 3, look.ellipsis)}`;
}

function renderFailure(task: TaskReport, { run }: Report, { look, tails, columns, mask }: ReportSight): string[] {
  const tries = task.attempts > 1 ? ` after ${task.attempts} attempts` : '';
  const head = `${look.paint(look.signs.failed, 'bad')} ${look.paint(task.task, 'bold')} failed${tries}: ${oneLine(mask(task.why ?? ''))}`;
  const rail = look.paint(look.signs.failed === 'x' ? '|' : '│', 'bad');
  const tail = (tails.get(task.task) ?? []).map(
    (line) => `  ${rail} ${cut(oneLine(mask(line)), columns - 5, look.ellipsis)}`,
  );
  const further = task.hasRecording
    ? [`  ${look.paint(`cis dag logs ${task.session ?? `${run}:${task.task}`}`, 'bold')}`]
    : [];
  return [head, ...tail, ...further];
}

function renderSum(report: Report, { look }: ReportSight): string {
  const { counts, run, state, reason } = report;
  const good = state === 'completed';
  const said = [
    `${counts.completed ?? 0} done`,
    ...count(counts.failed, 'failed'),
    ...(report.debts > 0 ? [`${report.debts} of them accepted`] : []),
    ...count(counts.skipped, 'skipped'),
    ...count(counts.cancelled, 'cancelled'),
    ...(report.durationMs === null ? [] : [formatDuration(report.durationMs)]),
  ];
  const why = reason === null ? '' : `: ${oneLine(reason)}`;
  const tone = good ? 'good' : state === 'failed' || state === 'aborted' ? 'bad' : 'ask';
  return `${look.paint(`${run} ${state}${why}`, tone)}${look.dot}${said.join(look.dot)}`;
}

function count(number: number | undefined, word: string): string[] {
  return number === undefined || number === 0 ? [] : [`${number} ${word}`];
}

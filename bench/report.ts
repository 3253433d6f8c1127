import { cpus, release, totalmem } from 'node:os';
import { median, quantile } from './statistics.ts';

/** What one contender showed in one bench. */
export interface Measurement {
  readonly bench: string;
  readonly who: string;
  readonly what: string;
  readonly unit: Unit;
  /** One per round; rounds of one bench are interleaved. */
  readonly values: readonly number[];
}

type Unit = 'ms' | 'µs' | 'MiB' | 'KiB' | 'MB/s' | '/s' | '%' | '';

export interface Target {
  readonly bench: string;
  readonly text: string;
  readonly measured: number;
  readonly limit: number;
  readonly sense: 'at most' | 'at least';
  readonly unit: Unit | '×';
}

export interface Section {
  readonly measurements: readonly Measurement[];
  readonly targets: readonly Target[];
  /** What could not be measured here, and why. */
  readonly notes: readonly string[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

export interface Report extends Section {
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

export function joinSections(sections: readonly Section[]): Section {
  return {
    measurements: sections.flatMap((section) => section.measurements),
    targets: sections.flatMap((section) => section.targets.filter((target) => !Number.isNaN(target.measured))),
    notes: sections.flatMap((section) => section.notes),
  };
}

function isMet(target: Target): boolean {
  return target.sense === 'at most' ? target.measured <= target.limit : target.measured >= target.limit;
}

/** Returns the whole report as Markdown: the targets first, then everything that was measured. */
export function renderReport(report: Report): string {
  const { machine } = report;
  const head = `Measured on ${report.date.slice(0, 10)}${report.quick ? ' (quick)' : ''}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}.\nRounds are interleaved; ratios are medians of the ratios of each round, other figures are medians.\n`;
  const notes = report.notes.map((note) => `- ${note}\n`).join('');
  return [head, renderTargets(report.targets), renderMeasurements(report.measurements), notes]
    .filter((part) => part !== '')
    .join('\n');
}

function renderTargets(targets: readonly Target[]): string {
  if (targets.length === 0) return '';
  const rows = targets.map((target) => [
    target.bench,
    target.text,
    `${figure(target.measured)}${suffix(target.unit)}`,
    `${target.sense === 'at most' ? '≤' : '≥'} ${figure(target.limit)}${suffix(target.unit)}`,
    isMet(target) ? '✓' : '✗',
  ]);
  return renderTable(['bench', 'target', 'measured', 'limit', ''], rows);
}

function renderMeasurements(measurements: readonly Measurement[]): string {
  const rows = measurements.map(({ bench, who, what, unit, values }) => [
    bench,
    who,
    what,
    `${figure(median(values))}${suffix(unit)}`,
    values.length > 1 ? `${figure(quantile(values, 0))}–${figure(quantile(values, 1))}` : '',
  ]);
  return renderTable(['bench', 'who', 'what', 'median', 'spread'], rows);
}

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0), 3));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return line(head) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}

function suffix(unit: Target['unit']): string {
  return unit === '' ? '' : ` ${unit}`;
}

/** Three significant digits, no exponent. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

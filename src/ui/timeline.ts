import { criticalPath } from '../domain/critical-path.ts';
import { formatDuration } from '../domain/duration.ts';
import type { TaskId } from '../domain/ids.ts';
import type { RunPicture } from '../domain/picture.ts';
import { toneOf, type Look } from './style.ts';
import { cut, fit } from './width.ts';

/** One attempt on the chart; null where it has not ended. */
export interface Span {
  readonly task: TaskId;
  readonly startedAt: number;
  readonly endedAt: number | null;
}

export interface TimelineSight {
  readonly now: number;
  readonly columns: number;
  readonly look: Look;
}

/** A text Gantt chart: a row per task that started, all its attempts in it, those of the critical path in full bars. */
export function renderTimeline(picture: RunPicture, spans: readonly Span[], sight: TimelineSight): string[] {
  const from = Math.min(picture.startedAt ?? Infinity, ...spans.map((span) => span.startedAt));
  const to = spans.reduce((end, span) => Math.max(end, span.endedAt ?? sight.now), from);
  if (spans.length === 0) return ['nothing has started yet'];
  const names = [...new Set(spans.map((span) => span.task))];
  const width = { name: Math.min(28, Math.max(...names.map((name) => name.length))), time: 7 };
  const scale: Scale = {
    from,
    ms: Math.max(1, to - from),
    cells: Math.max(10, sight.columns - width.name - width.time - 7),
  };
  const path = criticalPath(picture);
  const rows = names.map((name) => {
    const own = spans.filter((span) => span.task === name);
    const took = own.reduce((sum, span) => sum + (span.endedAt ?? sight.now) - span.startedAt, 0);
    return renderRow(name, own, took, path.includes(name), { picture, sight, scale, width });
  });
  const pad = ' '.repeat(4 + width.name);
  return [...rows, sight.look.paint(`${pad} ${renderAxis(scale)}`, 'dim'), '', renderPath(path, sight)];
}

interface Scale {
  readonly from: number;
  readonly ms: number;
  readonly cells: number;
}

interface Chart {
  readonly picture: RunPicture;
  readonly sight: TimelineSight;
  readonly scale: Scale;
  readonly width: { readonly name: number; readonly time: number };
}

function renderRow(name: TaskId, spans: readonly Span[], took: number, isCritical: boolean, chart: Chart): string {
  const { picture, sight, scale, width } = chart;
  const { look } = sight;
  const kind = picture.tasks.get(name)?.kind ?? 'completed';
  const cells = Array.from({ length: scale.cells }, () => ' ');
  for (const span of spans) fill(cells, span, isCritical ? look.bar.full : look.bar.empty, sight.now, scale);
  const bar = look.paint(cells.join(''), toneOf[kind]);
  return `${look.paint(fit(look.signs[kind], 2), toneOf[kind])} ${fit(name, width.name, look.ellipsis)}  ${bar} ${formatDuration(took).padStart(width.time)}`;
}

/** At least one cell each, so that nothing is too short to be seen. */
function fill(cells: string[], span: Span, sign: string, now: number, { from, ms, cells: count }: Scale): void {
  const at = (time: number) => ((time - from) / ms) * count;
  const first = Math.min(count - 1, Math.floor(at(span.startedAt)));
  const last = Math.max(first + 1, Math.round(at(span.endedAt ?? now)));
  cells.fill(sign, first, Math.min(count, last));
}

function renderAxis({ ms, cells }: Scale): string {
  const end = formatDuration(ms);
  const middle = formatDuration(ms / 2);
  const half = Math.floor(cells / 2) - 1;
  const room = cells - 1 - half - middle.length - end.length;
  return room < 1 ? ` 0${end.padStart(cells - 1)}` : ` 0${' '.repeat(half)}${middle}${' '.repeat(room)}${end}`;
}

function renderPath(path: readonly TaskId[], { look, columns }: TimelineSight): string {
  const arrow = look.bar.full === '#' ? ' -> ' : ' → ';
  return cut(`critical path: ${path.join(arrow)}`, columns, look.ellipsis);
}

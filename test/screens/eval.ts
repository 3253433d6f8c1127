import { nameOf } from '../../src/monitor/coding-agents.ts';
import type { Judgement } from '../../src/monitor/judge.ts';
import type { Point } from '../agents/recorder.ts';
import { delaysOf, judgePoints, loadRecordings, type Half } from './corpus.ts';
import { judgeSketch, loadSketches } from './sketches.ts';

// Usage: npm run eval:monitor [-- --show written]
// Judges every point of the recordings and every written screen, and prints what was found, false alarms and delays per agent and kind, for the half that rules
// were written from and for the half kept aside. `--show` prints the screens of a half that were judged wrong.

interface Row {
  asked: number;
  found: number;
  kindRight: number;
  calm: number;
  falseAlarms: number;
  delays: number[];
}

const show = process.argv.includes('--show') ? process.argv.at(-1) : undefined;
const tables: Record<Half, Map<string, Row>> = { written: new Map(), kept: new Map() };

function rowOf(half: Half, name: string): Row {
  const table = tables[half];
  const row = table.get(name) ?? { asked: 0, found: 0, kindRight: 0, calm: 0, falseAlarms: 0, delays: [] };
  table.set(name, row);
  return row;
}

interface Seen {
  readonly name: string;
  readonly agent: string;
  readonly half: Half;
  readonly point: Pick<Point, 'state' | 'kind' | 'command' | 'selected'>;
  readonly judgement: Judgement;
  readonly lines: readonly string[];
}

function count({ name, agent, half, point, judgement, lines }: Seen): void {
  const blocked = judgement.state === 'blocked';
  const isAsking = point.state === 'blocked';
  for (const row of [rowOf(half, `${agent} ${point.kind ?? 'calm'}`), ...groupsOf(point).map((group) => rowOf(half, group))]) {
    row.asked += isAsking ? 1 : 0;
    row.found += isAsking && blocked ? 1 : 0;
    row.kindRight += isAsking && blocked && judgement.kind === point.kind ? 1 : 0;
    row.calm += isAsking ? 0 : 1;
    row.falseAlarms += !isAsking && blocked ? 1 : 0;
  }
  if (half !== show || (blocked === isAsking && !(blocked && isMisread(point, judgement)))) return;
  const expected = `expected ${point.state} ${point.kind ?? ''} ${point.command ?? ''} ${point.selected ?? ''}`;
  console.log(`\n== ${name}: ${expected}, judged`, JSON.stringify(judgement));
  if (blocked !== isAsking) console.log(lines.join('\n').trimEnd());
}

function isMisread(point: Seen['point'], judgement: Extract<Judgement, { state: 'blocked' }>): boolean {
  if (judgement.kind !== point.kind) return true;
  if (point.command !== undefined && point.command !== judgement.command) return true;
  return point.selected !== undefined && point.selected !== judgement.selected;
}

/** The lines at the end of a table: what has its own target, and everything. */
function groupsOf({ kind }: Seen['point']): string[] {
  return [...(kind === 'login' || kind === 'rate-limit' ? ['log-in and limits'] : []), 'all'];
}

for (const recording of loadRecordings()) {
  const { agent, half, name } = recording;
  for (const { point, judgement, input } of judgePoints(recording))
    count({ name: `${name} at ${point.fromMs} ms`, agent, half, point, judgement, lines: input.lines });
  for (const { point, delayMs } of delaysOf(recording)) {
    if (delayMs === null) continue;
    for (const name of [`${agent} ${point.kind ?? 'calm'}`, ...groupsOf(point)]) rowOf(half, name).delays.push(delayMs);
  }
}
for (const sketch of loadSketches()) {
  const { name, half, point, given } = sketch;
  const agent = nameOf(given.agent) ?? 'no name';
  count({ name, agent, half, point, judgement: judgeSketch(sketch), lines: given.screen.split('\n') });
}

const last = ['log-in and limits', 'all'];
for (const half of ['written', 'kept'] as const) {
  console.log(`\n${half === 'written' ? 'The half that rules were written from' : 'The half kept aside'}`);
  console.log(`${'program and kind'.padEnd(24)}  found      kind right  false alarms  delay p50 / max`);
  for (const [name, row] of [...tables[half]].toSorted(([a], [b]) => last.indexOf(a) - last.indexOf(b) || a.localeCompare(b))) console.log(line(name, row));
}

function line(name: string, row: Row): string {
  const share = (part: number, whole: number): string => (whole === 0 ? '' : `${part}/${whole} ${((100 * part) / whole).toFixed(1)}%`);
  const delays = row.delays.toSorted((a, b) => a - b);
  const delay = delays.length === 0 ? '' : `${delays[Math.floor(delays.length / 2)] ?? 0} / ${delays.at(-1) ?? 0} ms`;
  return `${name.padEnd(24)}  ${share(row.found, row.asked).padEnd(14)} ${share(row.kindRight, row.asked).padEnd(14)} ${share(row.falseAlarms, row.calm).padEnd(12)} ${delay}`.trimEnd();
}

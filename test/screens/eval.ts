import { delaysOf, judgePoints, loadRecordings, type Half } from './corpus.ts';

// Usage: npm run eval:monitor [-- --show written]
// Judges every point of the corpus and prints what was found, false alarms and delays per agent and kind, for the half that rules
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

for (const recording of loadRecordings()) {
  const { agent, half, name } = recording;
  for (const { point, judgement, input } of judgePoints(recording)) {
    const blocked = judgement.state === 'blocked';
    const wrong = blocked !== (point.state === 'blocked');
    for (const row of [rowOf(half, `${agent} ${point.kind ?? 'calm'}`), rowOf(half, 'all')]) {
      if (point.state === 'blocked') {
        row.asked += 1;
        row.found += blocked ? 1 : 0;
        row.kindRight += blocked && judgement.kind === point.kind ? 1 : 0;
      } else {
        row.calm += 1;
        row.falseAlarms += blocked ? 1 : 0;
      }
    }
    const misread = blocked && point.state === 'blocked' && (judgement.kind !== point.kind || (point.command !== undefined && point.command !== judgement.command) || (point.selected !== undefined && point.selected !== judgement.selected));
    if (half === show && (wrong || misread)) {
      console.log(`\n== ${name} at ${point.fromMs} ms: expected ${point.state} ${point.kind ?? ''} ${point.command ?? ''} ${point.selected ?? ''}, judged`, JSON.stringify(judgement));
      if (wrong) console.log(input.lines.join('\n').trimEnd());
    }
  }
  for (const { point, delayMs } of delaysOf(recording)) {
    if (delayMs === null) continue;
    rowOf(half, `${agent} ${point.kind ?? 'calm'}`).delays.push(delayMs);
    rowOf(half, 'all').delays.push(delayMs);
  }
}

for (const half of ['written', 'kept'] as const) {
  console.log(`\n${half === 'written' ? 'The half that rules were written from' : 'The half kept aside'}`);
  console.log(`${'program and kind'.padEnd(24)}  found      kind right  false alarms  delay p50 / max`);
  for (const [name, row] of [...tables[half]].toSorted(([a], [b]) => (a === 'all' ? 1 : b === 'all' ? -1 : a.localeCompare(b)))) console.log(line(name, row));
}

function line(name: string, row: Row): string {
  const share = (part: number, whole: number): string => (whole === 0 ? '' : `${part}/${whole} ${((100 * part) / whole).toFixed(1)}%`);
  const delays = row.delays.toSorted((a, b) => a - b);
  const delay = delays.length === 0 ? '' : `${delays[Math.floor(delays.length / 2)] ?? 0} / ${delays.at(-1) ?? 0} ms`;
  return `${name.padEnd(24)}  ${share(row.found, row.asked).padEnd(14)} ${share(row.kindRight, row.asked).padEnd(14)} ${share(row.falseAlarms, row.calm).padEnd(12)} ${delay}`.trimEnd();
}

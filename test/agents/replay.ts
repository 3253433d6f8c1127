import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeText, parseCastLine } from '../../src/host/cast.ts';
import { newTerminal, writeNow } from '../../src/host/screen.ts';
import type { PointsFile } from './recorder.ts';

const screens = join(import.meta.dirname, '..', 'screens', 'agents');

export interface Recorded extends PointsFile {
  readonly name: string;
  readonly cast: string;
}

/** Every recording of a real program, with what its screen is at which time. */
export function readRecordings(): Recorded[] {
  const names = readdirSync(screens).filter((file) => file.endsWith('.points.json'));
  return names.map((file) => {
    const name = file.replace('.points.json', '');
    const points = JSON.parse(readFileSync(join(screens, file), 'utf8')) as PointsFile;
    return { ...points, name, cast: readFileSync(join(screens, `${name}.cast`), 'utf8') };
  });
}

/** The lines that a recording's screen shows at a time. */
export function screenAt({ cast, cols, rows }: Recorded, atMs: number): string[] {
  const terminal = newTerminal(cols, rows, 0);
  for (const line of cast.split('\n').slice(1)) {
    const event = parseCastLine(line);
    if (event === null || event[0] * 1_000 > atMs) break;
    if (event[1] === 'o') writeNow(terminal, decodeText(event[2]));
  }
  const { active } = terminal.buffer;
  return Array.from({ length: rows }, (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '');
}

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newTerminal, writeNow } from '../../src/host/screen.ts';
import { judgeScreen, type Judgement } from '../../src/monitor/judge.ts';
import type { ScreenInput } from '../../src/monitor/look.ts';
import { openMonitor } from '../../src/monitor/open-monitor.ts';
import { readLook } from '../../src/monitor/render.ts';
import type { Point, PointsFile } from '../agents/recorder.ts';
import { openFakeClock } from '../support/fake-clock.ts';

/** Rules were written while looking at the screens of one half; the other half is only counted. */
export type Half = 'written' | 'kept';

export interface Recording extends PointsFile {
  readonly name: string;
  readonly half: Half;
  readonly events: readonly { readonly atMs: number; readonly text: string }[];
}

/** Recordings of the other half that were looked at while rules were written: they count as written from. */
const lookedAt = new Set(['claude-rate-limit', 'codex-usage-limit', 'codex-auth-error', 'codex-not-logged-in', 'qwen-auth-error', 'first-pi', 'first-aider', 'first-gemini', 'first-kimi']);

/** Decided before the first recording was made: by the name alone. */
function halfOf(name: string): Half {
  if (lookedAt.has(name)) return 'written';
  return (createHash('sha256').update(name).digest()[0] ?? 0) % 2 === 0 ? 'written' : 'kept';
}

export function loadRecordings(): Recording[] {
  const found: Recording[] = [];
  for (const dir of ['agents', 'commands']) {
    const at = join(import.meta.dirname, dir);
    for (const file of readdirSync(at).filter((name) => name.endsWith('.points.json'))) {
      const name = file.slice(0, -'.points.json'.length);
      const points = JSON.parse(readFileSync(join(at, file), 'utf8')) as PointsFile;
      found.push({ ...points, name: `${dir}/${name}`, half: halfOf(name), events: readCast(join(at, `${name}.cast`)) });
    }
  }
  return found;
}

function readCast(path: string): Recording['events'] {
  const rows = readFileSync(path, 'utf8').trimEnd().split('\n').slice(1);
  return rows
    .map((row) => JSON.parse(row) as [number, string, string])
    .filter(([, kind]) => kind === 'o')
    .map(([at, , text]) => ({ atMs: Math.round(at * 1_000), text }));
}

export interface Judged {
  readonly point: Point;
  readonly judgement: Judgement;
  readonly input: ScreenInput;
}

/** What the screen is judged to be at each point of a recording, by this screen alone. */
export function judgePoints(recording: Recording): Judged[] {
  return recording.points.map((point) => {
    const input = screenAt(recording, (point.fromMs + point.toMs) / 2);
    return { point, input, judgement: judgeScreen(input, 0) };
  });
}

function screenAt(recording: Recording, atMs: number): ScreenInput {
  const terminal = newTerminal(recording.cols, recording.rows, 0);
  let title = '';
  terminal.onTitleChange((next) => {
    title = next;
  });
  for (const event of recording.events) {
    if (event.atMs <= atMs) writeNow(terminal, event.text);
  }
  const look = readLook(terminal, title);
  terminal.dispose();
  return { ...look, agent: recording.agent, version: recording.version, cols: recording.cols, rows: recording.rows };
}

/** Plays a recording through the monitor as it went; ms from a question being painted to the verdict, for each point that asks. */
export function delaysOf(recording: Recording): { readonly point: Point; readonly delayMs: number | null }[] {
  const clock = openFakeClock();
  const terminal = newTerminal(recording.cols, recording.rows, 0);
  let title = '';
  terminal.onTitleChange((next) => {
    title = next;
  });
  const input = (): ScreenInput => ({ ...readLook(terminal, title), agent: recording.agent, version: recording.version });
  const verdicts: { readonly atMs: number; readonly blocked: boolean }[] = [];
  const painted: { readonly atMs: number; readonly blocked: boolean }[] = [];
  const monitor = openMonitor<string>({
    clock,
    readScreen: input,
    onVerdict: (_, verdict) => verdicts.push({ atMs: clock.now(), blocked: verdict.kind === 'blocked' }),
  });
  monitor.add('one');
  for (const event of recording.events) {
    clock.advanceTo(event.atMs);
    writeNow(terminal, event.text);
    painted.push({ atMs: event.atMs, blocked: judgeScreen(input(), 0).state === 'blocked' });
    monitor.changed('one');
  }
  clock.advanceTo((recording.points.at(-1)?.toMs ?? 0) + 3_000);
  monitor.close();
  terminal.dispose();
  return recording.points
    .filter((point) => point.state === 'blocked')
    .map((point) => {
      const since = lastRise(painted, point.toMs);
      const told = verdicts.find((verdict) => verdict.blocked && verdict.atMs >= (since ?? 0));
      return { point, delayMs: since === null || told === undefined ? null : told.atMs - since };
    });
}

/** When the screen began to ask what it asks at `atMs`. */
function lastRise(painted: readonly { readonly atMs: number; readonly blocked: boolean }[], atMs: number): number | null {
  let since: number | null = null;
  for (const look of painted) {
    if (look.atMs > atMs) break;
    if (!look.blocked) since = null;
    else since ??= look.atMs;
  }
  return since;
}

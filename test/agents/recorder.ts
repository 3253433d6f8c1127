import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Terminal } from '../support/terminal.ts';

/** What the screen of a recording is from `fromMs` to `toMs` after its start. */
export interface Point {
  readonly fromMs: number;
  readonly toMs: number;
  readonly state: 'blocked' | 'working' | 'done' | 'idle';
  readonly kind?: 'approval' | 'question' | 'trust' | 'login' | 'rate-limit' | 'error' | 'password' | 'menu';
  readonly choices?: readonly string[];
  readonly selected?: number;
  readonly command?: string;
  readonly note?: string;
}

export interface PointsFile {
  readonly agent: string;
  readonly version: string;
  readonly cols: number;
  readonly rows: number;
  readonly points: readonly Point[];
}

/** One step of a recording: look for something and say what it is, press keys, or let time pass. */
export type Step =
  | {
      readonly see: RegExp;
      readonly is: Omit<Point, 'fromMs' | 'toMs'>;
      /** How long the screen is looked at. */
      readonly holdMs?: number;
      readonly withinMs?: number;
    }
  | { readonly wait: RegExp; readonly withinMs?: number }
  | { readonly keys: string }
  | { readonly passMs: number }
  | { readonly end: true };

/** Plays the steps against a terminal; ends with the points that were seen. Throws with the screen when something is not seen. */
export async function playSteps(terminal: Terminal, steps: readonly Step[]): Promise<Point[]> {
  const points: Point[] = [];
  for (const step of steps) {
    if ('keys' in step) terminal.write(step.keys);
    else if ('passMs' in step) await pass(step.passMs);
    else if ('end' in step) await Promise.race([terminal.exited, pass(8_000)]);
    else if ('wait' in step) await seen(terminal, step.wait, step.withinMs);
    else points.push(await look(terminal, step));
  }
  return points;
}

async function look(terminal: Terminal, step: Extract<Step, { see: RegExp }>): Promise<Point> {
  await seen(terminal, step.see, step.withinMs);
  await pass(400);
  const fromMs = terminal.now();
  await pass(step.holdMs ?? 800);
  if (!step.see.test(terminal.text())) throw new Error(`${String(step.see)} went away:\n${terminal.text()}`);
  return { fromMs, toMs: terminal.now(), ...step.is };
}

function seen(terminal: Terminal, pattern: RegExp, ms = 30_000): Promise<void> {
  return terminal.until((screen) => pattern.test(screen), ms, String(pattern));
}

export function savePoints(dir: string, name: string, file: PointsFile): void {
  writeFileSync(join(dir, `${name}.points.json`), `${JSON.stringify(file, null, 2)}\n`);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

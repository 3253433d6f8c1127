import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeScreen, type Judgement } from '../../src/monitor/judge.ts';
import { readInput, type GivenScreen } from '../../src/monitor/read-input.ts';
import type { Point } from '../agents/recorder.ts';
import type { Half } from './corpus.ts';

/**
 * A screen written down by hand, as a program shows it: plain text without cursor or colours, as `cis agents test` is given screens
 * from elsewhere. Each begins with `=== NAME | agent=NAME | STATE [KIND]`. Those of `kept-*` were written before anybody knew what the
 * rules say of them and are only counted.
 */
export interface Sketch {
  readonly name: string;
  readonly half: Half;
  readonly given: GivenScreen;
  readonly point: Pick<Point, 'state' | 'kind'>;
}

const HEAD = /^=== (\S+)(?: \| agent=([^|]+?))?(?: \| title=([^|]+?))?(?: \| cols=(\d+))? \| (\w+)(?: (\S+))?$/u;

export function loadSketches(): Sketch[] {
  const dir = join(import.meta.dirname, 'sketches');
  return readdirSync(dir).flatMap((file) =>
    readFileSync(join(dir, file), 'utf8')
      .split(/^(?==== \S+ \| )/mu)
      .filter((text) => text.trim() !== '')
      .map((text) => parse(text, file)),
  );
}

function parse(text: string, file: string): Sketch {
  const end = text.indexOf('\n');
  const head = HEAD.exec(text.slice(0, end));
  if (head === null) throw new Error(`${file}: no head of a screen: ${text.slice(0, end)}`);
  const [, name = '', agent, title, cols, state, kind] = head;
  return {
    name,
    half: file.startsWith('kept-') ? 'kept' : 'written',
    given: {
      screen: text.slice(end + 1).trimEnd(),
      ...(agent === undefined ? {} : { agent }),
      ...(title === undefined ? {} : { title }),
      ...(cols === undefined ? {} : { cols: Number(cols) }),
    },
    point: { state, ...(kind === undefined ? {} : { kind }) } as Sketch['point'],
  };
}

export function judgeSketch({ given }: Sketch): Judgement {
  return judgeScreen(readInput(given), 0);
}

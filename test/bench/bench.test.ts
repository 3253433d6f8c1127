import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { joinSections, renderReport, type Report } from '../../bench/report.ts';
import * as shapes from '../../bench/shapes.ts';
import { median, pairedRatio, quantile } from '../../bench/statistics.ts';
import { parseDagFile } from '../../src/dagfile/parse.ts';

const floorProgram = join(import.meta.dirname, '../../bench/floor.mjs');
let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cis-bench-test-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('the floor', () => {
  function runFloor(tasks: readonly shapes.ShapeTask[]): { code: number | null; states: Record<string, string> } {
    const dag = join(dir, 'dag.json');
    writeFileSync(dag, shapes.renderForFloor({ name: 'test', tasks }));
    const { status } = spawnSync(process.execPath, [floorProgram, dag, join(dir, 'out')]);
    const db = new Database(join(dir, 'out', 'floor.db'), { readonly: true });
    const rows = db.prepare('SELECT id, state FROM tasks').all() as { id: string; state: string }[];
    db.close();
    return { code: status, states: Object.fromEntries(rows.map(({ id, state }) => [id, state])) };
  }

  test('runs a task after those it depends on, in a terminal, and keeps what it printed', () => {
    const { code, states } = runFloor([
      { id: 'b', deps: ['a'], command: `cat ${dir}/made-by-a` },
      { id: 'a', deps: [], command: `test -t 1 && echo made-in-a-terminal | tee ${dir}/made-by-a` },
    ]);
    expect({ code, states }).toEqual({ code: 0, states: { a: 'completed', b: 'completed' } });
    expect(readFileSync(join(dir, 'out', 'b.out'), 'utf8')).toBe('made-in-a-terminal\r\n');
  });

  test('does not start what depends on a failed task, and fails', () => {
    const { code, states } = runFloor([
      { id: 'a', deps: [], command: 'exit 3' },
      { id: 'b', deps: ['a'], command: 'true' },
    ]);
    expect({ code, states }).toEqual({ code: 1, states: { a: 'failed', b: 'pending' } });
  });
});

test('every shape is a DAG file without mistakes, with as many tasks and as many at once', async () => {
  const config = { agents: [], skills: {} };
  const all = Object.values(shapes).filter((value) => typeof value === 'object');
  expect(all.length).toBeGreaterThan(5);
  for (const shape of all) {
    const parsed = await parseDagFile(shapes.renderForCis(shape), {
      format: 'toml',
      path: 'dag.toml',
      cwd: dir,
      config,
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
    expect(parsed.value.dag.tasks).toHaveLength(shape.tasks.length);
    expect(parsed.value.dag.maxWorkers).toBe(shapes.jobs);
  }
});

describe('statistics', () => {
  test('the median of an even count lies between the two in the middle', () => {
    expect([median([4, 1, 3, 2]), median([5, 1, 3]), median([])]).toEqual([2.5, 3, Number.NaN]);
  });

  test('a quantile is one of the values', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([quantile(values, 0), quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([
      1, 50, 99, 100,
    ]);
  });

  test('a ratio of rounds is not moved by a machine that becomes slower', () => {
    expect(pairedRatio([2, 20, 4], [1, 10, 2])).toBe(2);
  });
});

describe('the report', () => {
  const target = { bench: 'x', text: 'y', limit: 2, unit: '×' } as const;
  const report = (measured: number, sense: 'at most' | 'at least'): Report => ({
    date: '2026-01-02T03:04:05.000Z',
    quick: false,
    machine: { cpu: 'CPU', cores: 2, memoryGiB: 4, kernel: '6.1', node: 'v24.0.0' },
    ...joinSections([{ measurements: [], targets: [{ ...target, measured, sense }], notes: [] }]),
  });

  test('a target that is met has a tick, one that is not a cross', () => {
    expect(renderReport(report(2, 'at most'))).toContain('✓');
    expect(renderReport(report(2.1, 'at most'))).toContain('✗');
    expect(renderReport(report(1.9, 'at least'))).toContain('✗');
  });

  test('a target that could not be measured is left out', () => {
    expect(report(Number.NaN, 'at most').targets).toEqual([]);
  });
});

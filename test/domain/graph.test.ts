import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Dag } from '../../src/domain/dag.ts';
import { findCycles, planWaves } from '../../src/domain/graph.ts';
import { renderGraph } from '../../src/domain/graph-text.ts';

function dagOf(edges: Readonly<Record<string, readonly string[]>>): Dag {
  const base = { action: { kind: 'command' }, level: { kind: 'mechanical' } };
  return { tasks: Object.entries(edges).map(([id, deps]) => ({ id, deps, ...base })) } as unknown as Dag;
}

test('waves: each task after all it waits for, and no later than it must', () => {
  const edges = fc.array(fc.array(fc.nat(100), { maxLength: 4 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(edges, (lists) => {
      const dag = dagOf(
        Object.fromEntries(lists.map((deps, i) => [`t${i}`, i === 0 ? [] : deps.map((dep) => `t${dep % i}`)])),
      );
      const waveOf = new Map(planWaves(dag).flatMap((wave, index) => wave.map(({ id }) => [id, index] as const)));
      expect(waveOf.size).toBe(dag.tasks.length);
      for (const { id, deps } of dag.tasks) {
        expect(waveOf.get(id)).toBe(Math.max(-1, ...deps.map((dep) => waveOf.get(dep) ?? NaN)) + 1);
      }
      const drawn = renderGraph(dag, 'ascii')
        .split('\n')
        .map((line) => /t\d+/.exec(line)?.[0])
        .filter((id) => id !== undefined);
      expect(drawn.toSorted()).toEqual(dag.tasks.map(({ id }) => id as string).toSorted());
    }),
  );
});

test('each cycle is found once, and what only waits for it is not on it', () => {
  const { tasks } = dagOf({ a: ['b'], b: ['a'], c: ['a'], d: ['f'], e: ['d'], f: ['e'], g: [] });
  expect(findCycles(tasks)).toEqual([
    ['a', 'b', 'a'],
    ['d', 'e', 'f', 'd'],
  ]);
});

test('the drawing: branches side by side, chains straight down', () => {
  const dag = dagOf({
    fetch: [],
    build: ['fetch'],
    lint: ['fetch'],
    test: ['build'],
    pack: ['test', 'lint'],
    alone: [],
  });
  expect(renderGraph(dag, 'ascii')).toMatchInlineSnapshot(`
    "fetch
    ├─ build
    │  ↓
    │  test
    │  ↓
    │  pack  (also after lint)
    └─ lint
    alone
    "
  `);
  expect(renderGraph(dag, 'mermaid')).toContain('flowchart TD\n  t0["fetch"]');
  expect(renderGraph(dag, 'dot')).toContain('  "test" -> "pack";');
});

test('a chain of ten thousand is drawn without wandering to the right', () => {
  const dag = dagOf(
    Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`t${i}`, i === 0 ? [] : [`t${i - 1}`]])),
  );
  const lines = renderGraph(dag, 'ascii').split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBe('t9999'.length);
});

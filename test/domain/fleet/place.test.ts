import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/domain/dag.ts';
import { demandOf } from '../../../src/domain/fleet/demand.ts';
import { place, type Candidate, type Placing, type PlaceQuestion } from '../../../src/domain/fleet/place.ts';
import { candidate, didOf, known, now, question } from './support.ts';

function winner(asked: PlaceQuestion): string {
  const placing = place(asked);
  if (placing.kind !== 'placed') throw new Error(`${placing.kind}: ${placing.reason}`);
  return placing.verdicts.find(({ did }) => did === placing.did)?.node ?? '';
}

function reasons(placing: Placing, node: string): readonly string[] {
  return placing.verdicts.find((verdict) => verdict.node === node)?.reasons ?? [];
}

const a = candidate(known('A'));
const b = candidate(known('B'));
const pair = [a, b];

describe('a task goes', () => {
  test('to the node it names, by name or by key, however busy the machine is', () => {
    const busy = candidate(known('B', { load: { loadCenti: 4_000 } }));
    expect(winner(question([a, busy], { targetNode: 'B' }))).toBe('B');
    expect(winner(question([a, busy], { targetNode: didOf('B') }))).toBe('B');
  });

  test('nowhere when the node it names is not known, and the other nodes say why not', () => {
    const placing = place(question(pair, { targetNode: 'C' }));
    expect(placing.kind).toBe('nowhere');
    expect(reasons(placing, 'A')).toEqual(['`target_node` is C']);
  });

  test('nowhere when two trusted nodes have the name it asks for', () => {
    const twin = candidate(known('B', { facts: { node: 'A' } }));
    const placing = place(question([a, twin], { targetNode: 'A' }));
    expect(placing.kind).toBe('nowhere');
    expect(placing.verdicts.map(({ reasons }) => reasons)).toEqual([
      ['several nodes are called A: `target_node` must be one of their keys'],
      ['several nodes are called A: `target_node` must be one of their keys'],
    ]);
    expect(winner(question([a, { ...twin, trusted: false }], { targetNode: 'A' }))).toBe('A');
  });

  test('only to nodes that have its agent, its model, its labels, its features and its resources', () => {
    const rich = candidate(
      known('B', {
        facts: {
          agents: [{ name: 'codex', version: null, login: 'yes' }],
          models: [{ kind: 'ollama', url: 'http://127.0.0.1:11434', models: ['llama3:latest'] }],
          labels: { site: 'lab' },
          features: ['gpu'],
          machine: {
            os: 'darwin',
            arch: 'arm64',
            cores: 8,
            memoryMb: 65_536,
            gpus: [{ vendor: 'apple', name: 'M3', memoryMb: null }],
          },
        },
      }),
    );
    const both = [candidate(known('A')), rich];
    const selector = { features: [], labels: {}, minResources: {} };
    expect(winner(question(both, {}, { agent: 'codex' }))).toBe('B');
    expect(winner(question(both, {}, { localModel: 'llama3' }))).toBe('B');
    expect(winner(question(both, { selector: { ...selector, labels: { site: 'lab' } } }))).toBe('B');
    expect(winner(question(both, { selector: { ...selector, features: ['gpu'] } }))).toBe('B');
    expect(winner(question(both, { selector: { ...selector, os: 'macOS', arch: 'aarch64' } }))).toBe('B');
    expect(winner(question(both, { selector: { ...selector, minResources: { memory_gb: 64, gpus: 1 } } }))).toBe('B');
    expect(winner(question(both, { needs: ['model:llama3', 'site=lab', 'codex'] }))).toBe('B');
    const asked = question(
      both,
      { needs: ['docker'], selector: { ...selector, labels: { site: 'home' }, minResources: { cores: 64, teeth: 3 } } },
      { agent: 'gemini', localModel: 'qwen' },
    );
    expect(reasons(place(asked), 'B')).toEqual([
      'gemini is not installed, or not offered',
      'it has no model qwen',
      'its label site is lab, not home',
      'its cores is 8, less than 64',
      expect.stringContaining('nobody knows what `min_resources.teeth` is; known are cores, '),
      'it does not have docker',
    ]);
  });

  test('to no node that is not trusted', () => {
    const placing = place(question([candidate(known('A'), { trusted: false })]));
    expect(placing.kind).toBe('nowhere');
    expect(reasons(placing, 'A')).toEqual([`it is not trusted: cis node trust ${didOf('A')} --as worker`]);
  });

  test('to no node that gave it back', () => {
    const asked = question(pair, {}, { refusals: new Map([[didOf('A'), 'this node does not run claude']]) });
    expect(winner(asked)).toBe('B');
    expect(reasons(place(asked), 'A')).toEqual(['it gave the task back: this node does not run claude']);
  });

  test('to where the agent it goes on with lives, or waits', () => {
    expect(winner(question(pair, {}, { pinned: didOf('B') }))).toBe('B');
    const full = [a, candidate(known('B'), { free: 0 })];
    expect(place(question(full, {}, { pinned: didOf('B') })).kind).toBe('wait');
  });
});

describe('it waits', () => {
  const cases: readonly [string, Candidate, string][] = [
    ['without a free slot', candidate(known('A'), { free: 0 }), 'all of its 4 slots are taken'],
    ['for a node that is silent', candidate(known('A', { heardAt: now - 50_000 })), 'not heard for 50 s'],
    ['for a node without disk', candidate(known('A', { mood: { unable: ['its disk is full'] } })), 'its disk is full'],
    [
      'for a node that drains',
      candidate(known('A', { mood: { draining: true } })),
      'it is draining: it finishes what it has and takes nothing new',
    ],
    [
      'while the breaker is open',
      candidate(known('A'), { breaker: { kind: 'open', since: now - 20_000, reason: 'never claimed' } }),
      'failed 5 times in a row (last: never claimed); one trial in 40 s',
    ],
  ];
  test.each(cases)('%s', (_, only, reason) => {
    const placing = place(question([only]));
    expect(placing).toMatchObject({ kind: 'wait', reason: `no node that fits has room: A (${reason})` });
    expect(reasons(placing, 'A')).toEqual([reason]);
  });
});

describe('a tier', () => {
  const tier = (letter: string, tier: 0 | 1 | 2, free = 4) => candidate(known(letter, { facts: { tier } }), { free });

  test.each([
    [2, [2, 1, 0]],
    [1, [1, 2, 0]],
    [0, [0, 1, 2]],
  ] as const)('%i falls back to %j as the better ones are taken, and says so', (wanted, order) => {
    for (const [taken, letter] of ['A', 'B', 'C'].entries()) {
      const all = order.map((each, index) => tier('ABC'.charAt(index), each, index < taken ? 0 : 4));
      const placing = place(question(all, { tier: wanted }));
      expect(placing).toMatchObject({ kind: 'placed', did: didOf(letter) });
      if (placing.kind !== 'placed') return;
      if (taken === 0) expect(placing.insteadOf).toBeNull();
      else
        expect(placing.insteadOf).toBe(`tier ${order[taken]} in place of ${wanted}: no node of tier ${wanted} is free`);
    }
  });

  test('that is strict waits for its own', () => {
    const all = [tier('A', 2, 0), tier('B', 1)];
    const placing = place(question(all, { tier: 2, tierFallback: 'strict' }));
    expect(placing.kind).toBe('wait');
    expect(reasons(placing, 'B')).toEqual(['its tier is 1, `tier` is 2 and strict']);
  });
});

describe('among those that fit', () => {
  test('less load, more free slots, less latency and the data at hand are better', () => {
    expect(winner(question([candidate(known('A', { load: { loadCenti: 400 } })), b]))).toBe('B');
    expect(winner(question([candidate(known('A'), { free: 1 }), b]))).toBe('B');
    expect(winner(question([candidate(known('A', { latencyMs: 400 })), b]))).toBe('B');
    expect(winner(question(pair, {}, { data: new Map([[didOf('B'), 1_000]]) }))).toBe('B');
  });

  test('the local node is better for a task that prefers it, until it is full', () => {
    const busyB = candidate(known('B', { load: { loadCenti: 390 } }));
    const local = { ...question([a, busyB], { preferLocal: true }), localDid: didOf('B') };
    expect(winner(local)).toBe('B');
    expect(winner({ ...local, candidates: [a, { ...busyB, free: 0 }] })).toBe('A');
  });

  test('an agent that does not look logged in comes last', () => {
    const agents = [{ name: 'claude', version: null, login: 'no' as const }];
    const asked = question(
      [candidate(known('A', { facts: { agents } })), candidate(known('B', { load: { loadCenti: 300 } }))],
      {},
      { agent: 'claude' },
    );
    expect(winner(asked)).toBe('B');
  });

  test('every node has its points and why it was not it', () => {
    const placing = place(question([candidate(known('A', { load: { loadCenti: 200 } })), b]));
    expect(placing.verdicts).toEqual([
      {
        did: didOf('A'),
        node: 'A',
        kind: 'fits',
        score: 60,
        parts: [
          { name: 'slots', points: 30, why: '4 of 4 slots free' },
          { name: 'load', points: 15, why: 'load 2.00 on 4 cores' },
          { name: 'latency', points: 15, why: 'answers in 10 ms' },
        ],
        reasons: ['B has 75 points, this one 60'],
      },
      expect.objectContaining({ node: 'B', kind: 'chosen', score: 75, reasons: [] }),
    ]);
  });

  test('the answer does not depend on the order of the candidates, and only fitting nodes are chosen', () => {
    const anyNode = fc.record({
      letter: fc.constantFrom('A', 'B', 'C', 'D', 'E'),
      load: fc.nat(800),
      free: fc.integer({ min: 0, max: 4 }),
      trusted: fc.boolean(),
      tier: fc.constantFrom(0 as const, 1 as const, 2 as const),
    });
    const anyNodes = fc.uniqueArray(anyNode, { selector: ({ letter }) => letter });
    fc.assert(
      fc.property(anyNodes, fc.constantFrom(undefined, 0 as const, 1 as const, 2 as const), (nodes, tier) => {
        const candidates = nodes.map(({ letter, load, free, trusted, tier }) =>
          candidate(known(letter, { load: { loadCenti: load }, facts: { tier } }), { free, trusted }),
        );
        const placement = tier === undefined ? {} : { tier };
        const placing = place(question(candidates, placement));
        const mirrored = place(question(candidates.toReversed(), placement));
        expect(mirrored.kind).toBe(placing.kind);
        expect(placing.verdicts).toHaveLength(nodes.length);
        const fits = nodes.filter(({ free, trusted }) => free > 0 && trusted);
        expect(placing.kind === 'placed').toBe(fits.length > 0);
        if (placing.kind !== 'placed' || mirrored.kind !== 'placed') return;
        expect(mirrored.did).toBe(placing.did);
        expect(fits.map(({ letter }) => didOf(letter))).toContain(placing.did);
      }),
    );
  });
});

test('a model is asked of the machine itself only when it runs there', () => {
  const placement = { tierFallback: 'graceful', preferLocal: false, needs: [] } as const;
  const ask = (config: Extract<Action, { kind: 'agent' }>['config']) =>
    demandOf({ action: { kind: 'agent', prompt: 'do', config }, placement }, 'opencode').localModel;
  expect(ask({ model: 'sonnet' })).toBeNull();
  expect(ask({ model: 'qwen', providerType: 'ollama' })).toBe('qwen');
  expect(ask({ model: 'qwen', baseUrl: 'http://127.0.0.1:8080/v1' })).toBe('qwen');
  expect(ask({ model: 'qwen', baseUrl: 'https://models.example.org' })).toBeNull();
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Did } from '../../src/domain/fleet/did.ts';
import { composeEpoch } from '../../src/domain/fleet/epoch.ts';
import type { TaskReport } from '../../src/domain/fleet/order.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { rebuildRun, type PastEvent } from '../../src/federation/coordinator/rebuild.ts';
import { readResultWords, toResultWords } from '../../src/federation/runner/words.ts';
import { packItems } from '../../src/federation/speaker.ts';
import type { MachineEvent } from '../../src/matrix/events/index.ts';
import { canonicalJson } from '../../src/matrix/content.ts';

const run = 'otter' as RunId;
const at = 1_700_000_000_000;
const did = (name: string): Did => `did:key:${name}` as Did;

function said(by: string, event: MachineEvent, as: 'coordinator' | 'worker' | 'nobody' = 'coordinator'): PastEvent {
  return { did: did(by), event, isCoordinator: as === 'coordinator', isWorker: as === 'worker' };
}

function created(by: string, epoch: number): PastEvent {
  const coordinator = { user_id: `@${by}:x`, device_id: 'D', did: did(by) };
  const dag = { dag_name: 'd', dag_json: '{}', dag_sha256: 'ab'.repeat(32), tasks: 1 };
  const content = { v: 1, at, run_id: run, ...dag, mode: 'matrix', coordinator, epoch } as const;
  return said(by, { type: 'cis.dag.run.created', content });
}

function assigned(by: string, coordinator: number, grant: number, to: string, task = 'build', attempt = 1): PastEvent {
  const epoch = composeEpoch({ coordinator, grant });
  const assignments = [{ task_id: task, attempt, epoch, to: to === '*' ? to : did(to), order: '{}' }];
  const who = { user_id: `@${by}:x`, device_id: 'D', did: did(by) };
  const base = composeEpoch({ coordinator, grant: 1 });
  const content = { v: 1, at, run_id: run, epoch_base: base, coordinator: who, assignments };
  return said(by, { type: 'cis.dag.task.assigned', content });
}

const report: TaskReport = {
  end: { kind: 'exited', code: 0 },
  startedAt: at,
  endedAt: at + 5,
  output: { bytes: 2, cutFrom: null, source: 'screen', text: 'hi' },
  files: [],
};

function result(by: string, coordinator: number, grant: number, as: 'worker' | 'nobody' = 'worker'): PastEvent {
  const epoch = composeEpoch({ coordinator, grant });
  const words = toResultWords({ run, task: 'build' as TaskId, attempt: 1, epoch }, report);
  const content = { v: 1, at, node: by, did: did(by), results: [words] };
  return said(by, { type: 'cis.dag.task.result', content }, as);
}

test('a run is what its coordinators and the holders of its attempts said', () => {
  const past = rebuildRun(run, [created('boss', 1), assigned('boss', 1, 1, 'a'), result('a', 1, 1)]);
  expect(past?.leases.get('otter:build' as never)).toMatchObject({ did: did('a'), epoch: 1_000_001 });
  expect(past?.reports.get('otter:build' as never)?.report).toEqual(report);
  expect(past?.nextEpoch).toBe(2);
  expect(rebuildRun(run, [assigned('boss', 1, 1, 'a')])).toBeNull();
});

test('results of others, of nobody who is trusted, and under void epochs do not count', () => {
  const base = [created('boss', 1), assigned('boss', 1, 1, 'a'), assigned('boss', 1, 2, 'b')];
  const strangers = [result('a', 1, 1), result('a', 1, 2), result('b', 1, 2, 'nobody')];
  expect(rebuildRun(run, [...base, ...strangers])?.reports.size).toBe(0);
  expect(rebuildRun(run, [...base, ...strangers, result('b', 1, 2)])?.reports.size).toBe(1);
});

test('after a take-over the old coordinator’s word is nothing', () => {
  const past = rebuildRun(run, [
    created('boss', 1),
    assigned('boss', 1, 1, 'a'),
    created('heir', 4),
    assigned('boss', 1, 9, 'b'),
    created('boss', 2),
    assigned('heir', 4, 1, 'c'),
  ]);
  expect(past?.coordinator).toBe(did('heir'));
  expect(past?.leases.get('otter:build' as never)).toMatchObject({ did: did('c') });
  expect(past?.nextEpoch).toBe(5);
});

test('whatever is granted in whatever order: the highest epoch of the coordinator holds, and one result counts', () => {
  const grants = fc.array(
    fc.record({ grant: fc.integer({ min: 1, max: 50 }), to: fc.constantFrom('a', 'b', 'c', '*') }),
    {
      minLength: 1,
      maxLength: 20,
    },
  );
  const results = fc.array(fc.record({ grant: fc.integer({ min: 1, max: 50 }), by: fc.constantFrom('a', 'b', 'c') }));
  fc.assert(
    fc.property(grants, results, (given, told) => {
      const byEpoch = new Map<number, string>();
      for (const { grant, to } of given) if (!byEpoch.has(grant)) byEpoch.set(grant, to);
      const history = [...byEpoch].map(([grant, to]) => assigned('boss', 1, grant, to));
      const past = rebuildRun(run, [
        created('boss', 1),
        ...history,
        ...told.map(({ grant, by }) => result(by, 1, grant)),
      ]);
      const highest = Math.max(...byEpoch.keys());
      const holder = byEpoch.get(highest) ?? '*';
      const lease = past?.leases.get('otter:build' as never);
      expect(lease?.epoch).toBe(1_000_000 + highest);
      expect(lease?.did).toBe(holder === '*' ? null : did(holder));
      const isTold = told.some(({ grant, by }) => grant === highest && by === holder);
      expect(past?.reports.size).toBe(isTold ? 1 : 0);
    }),
  );
});

test('a report comes back from an event as it was', () => {
  const ref = { mxc: 'mxc://x/y', sha256: 'ab'.repeat(32), bytes: 3 };
  const full: TaskReport = {
    ...report,
    end: { kind: 'killed', by: 'done', signal: 'SIGTERM' },
    errorClass: 'infra',
    reason: 'because',
    output: { bytes: 9, cutFrom: 12, source: 'file', media: ref },
    files: [{ path: 'dist/a', bytes: 3, sha256: 'cd'.repeat(32), media: ref }],
    work: { commit: 'ef'.repeat(20), bundle: ref },
  };
  const grant = { run, task: 'build' as TaskId, attempt: 1, epoch: 1 };
  for (const one of [report, full]) expect(readResultWords(toResultWords(grant, one))).toEqual(one);
  expect(readResultWords({ ...toResultWords(grant, report), end: '{"kind":"exited","code":"0"}' })).toBeNull();
});

test('items are packed in their order, and no batch is larger than it may be', () => {
  const items = fc.array(fc.record({ text: fc.string({ maxLength: 300 }) }));
  fc.assert(
    fc.property(items, fc.integer({ min: 400, max: 2000 }), (all, most) => {
      const batches = packItems(all, (item) => item, most);
      expect(batches.flat()).toEqual(all);
      for (const batch of batches) {
        const bytes = batch.reduce((sum, item) => sum + Buffer.byteLength(canonicalJson(item)) + 1, 0);
        expect(batch.length === 1 || bytes <= most).toBe(true);
      }
    }),
  );
});

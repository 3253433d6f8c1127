import { expect, test } from 'vitest';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import { explainTask } from '../../src/federation/coordinator/explain.ts';
import { deviceLane } from '../../src/federation/sign.ts';
import { createRun } from '../../src/storage/create.ts';
import { writeLease } from '../../src/storage/fleet-leases.ts';
import { writeHeartbeat } from '../../src/storage/nodes.ts';
import { writeTrust } from '../../src/storage/trust.ts';
import { didOf, heartbeat } from '../domain/fleet/support.ts';
import { settingsOf, taskOf } from '../support/runs.ts';
import { makeNode } from './support.ts';

const now = 1_700_000_000_000;
const run = 'brave-otter' as RunId;

test('a task is explained with every node that was heard of, by what the database knows', () => {
  using home = makeNode('a');
  const { db, identity } = home;
  for (const letter of ['A', 'B', 'C', 'D']) {
    writeHeartbeat(db, { heartbeat: heartbeat(letter), lane: deviceLane, seq: 1, at: now - 1_000 });
    const row = {
      did: didOf(letter),
      node: letter,
      userId: null,
      roles: ['worker' as const],
      how: 'command' as const,
      at: now,
    };
    if (letter !== 'C') writeTrust(db, row, new Map());
  }
  const settings = settingsOf([taskOf('build'), taskOf('test', ['build'])], { mode: 'matrix', room: '!r:x' });
  expect(createRun(db, settings).ok).toBe(true);
  const lease = (task: string, state: object, refusals: Record<string, string> = {}): void =>
    writeLease(db, {
      run,
      task: task as TaskId,
      attempt: 1,
      session: `${run}:${task}` as SessionId,
      epoch: 1_000_001,
      state: state as Parameters<typeof writeLease>[1]['state'],
      refusals,
    });
  lease('build', { kind: 'over', did: didOf('B') });
  lease('test', { kind: 'queued' }, { [didOf('D')]: 'this node does not run `make`' });
  db.prepare(
    `INSERT INTO outputs (run_id, task_id, attempt, text, bytes, source) VALUES (?, 'build', 1, 'x', 1, 'screen')`,
  ).run(run);

  const explained = explainTask(db, settings, 'test' as TaskId, identity.did, now);
  expect(explained?.lease?.state.kind).toBe('queued');
  expect(explained?.placing).toMatchObject({ kind: 'placed', did: didOf('B') });
  const reasons = explained?.placing.verdicts.map(({ node, kind, reasons }) => [node, kind, ...reasons]);
  expect(reasons).toEqual([
    ['A', 'fits', expect.stringMatching(/^B has \d+ points, this one \d+$/)],
    ['B', 'chosen'],
    ['C', 'unfit', expect.stringContaining('it is not trusted')],
    ['D', 'unfit', 'it gave the task back: this node does not run `make`'],
  ]);
  const parts = explained?.placing.verdicts[1]?.parts.map(({ why }) => why);
  expect(parts).toContain('has 100 % of what it needs');
  expect(explainTask(db, settings, 'nope' as TaskId, identity.did, now)).toBeNull();
});

import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/domain/dag.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { applyEvent, createModel } from '../../src/domain/plan-model.ts';
import { dag, task } from './plan-support.ts';
import { World } from './plan-world.ts';

const failed = { kind: 'exited', code: 1 } as const;
const id = (text: string): TaskId => text as TaskId;

test('a chain runs in order and the run completes', () => {
  const world = new World(dag([task('a'), task('b', ['a'])]));
  expect(world.states()).toEqual({ a: 'starting', b: 'pending' });
  world.end('a');
  expect(world.states()).toEqual({ a: 'completed', b: 'starting' });
  world.end('b');
  expect(world.run).toBe('completed');
});

test('priority orders ready tasks, then the place in the file', () => {
  const world = new World(dag([task('a'), task('b'), task('c', [], { priority: 5 })], 'all_success', 1));
  expect(world.state('c')).toBe('starting');
  world.end('c');
  expect(world.state('a')).toBe('starting');
});

describe('what a failure does', () => {
  const three = [task('a'), task('b', ['a']), task('c')];

  test('all_success: nothing new starts, what runs may end, the rest is cancelled', () => {
    const world = new World(dag([...three, task('d', ['c'])]));
    world.end('a', failed);
    expect(world.run).toBe('running');
    world.end('c');
    expect(world.states()).toEqual({ a: 'failed', b: 'cancelled', c: 'completed', d: 'cancelled' });
    expect(world.run).toBe('failed');
  });

  test('continue_until_blocking: what depends on it is skipped, the rest goes on, the run fails', () => {
    const world = new World(dag([...three, task('d', ['c'])], 'continue_until_blocking'));
    world.end('a', failed);
    world.end('c');
    world.end('d');
    expect(world.states()).toEqual({ a: 'failed', b: 'skipped', c: 'completed', d: 'completed' });
    expect(world.run).toBe('failed');
  });

  test('allow_debt: dependents run, and the run completes with a debt', () => {
    const world = new World(dag(three, 'allow_debt'));
    world.end('a', failed);
    world.end('b');
    world.end('c');
    expect(world.log.at(-1)?.event).toEqual({ kind: 'run-completed', debts: 1 });
  });

  test('first_success: the first final task wins, running ones are stopped, the others are not needed', () => {
    const world = new World(dag([task('a'), task('b'), task('c'), task('d', ['c'])], 'first_success', 3));
    world.end('b', failed);
    world.end('a');
    expect(world.asked).toMatchObject([{ session: 'r:c', cause: 'skip' }]);
    world.obey();
    expect(world.states()).toEqual({ a: 'completed', b: 'failed', c: 'cancelled', d: 'skipped' });
    expect(world.run).toBe('completed');
  });

  test('first_success fails when no alternative succeeds', () => {
    const world = new World(dag([task('a'), task('b')], 'first_success'));
    world.end('a', failed);
    world.end('b', failed);
    expect(world.run).toBe('failed');
  });

  test('on_failure = fail ends the run under every policy', () => {
    for (const policy of ['all_success', 'allow_debt', 'continue_until_blocking', 'first_success'] satisfies Policy[]) {
      const world = new World(dag([task('a', [], { onFailure: 'fail' }), task('b', ['a'])], policy));
      world.end('a', failed);
      expect(world.run).toBe('failed');
    }
  });

  test('on_failure = ignore lets dependents run, on_failure = skip_dependents skips just them', () => {
    const world = new World(
      dag([
        task('a', [], { onFailure: 'ignore' }),
        task('b', ['a']),
        task('c', [], { onFailure: 'skip_dependents' }),
        task('d', ['c']),
      ]),
    );
    world.end('a', failed);
    world.end('c', failed);
    world.end('b');
    expect(world.states()).toEqual({ a: 'failed', b: 'completed', c: 'failed', d: 'skipped' });
    expect(world.run).toBe('failed');
  });

  test('on_failure = ask: a person retries, accepts or declares it failed', () => {
    const ask = (): World => {
      const world = new World(dag([task('a', [], { onFailure: 'ask' }), task('b', ['a'])]));
      world.end('a', failed);
      expect(world.state('a')).toBe('undecided');
      return world;
    };
    const accepted = ask();
    accepted.ask({ kind: 'confirm', task: id('a') });
    expect(accepted.states()).toEqual({ a: 'failed', b: 'starting' });
    const again = ask();
    again.ask({ kind: 'retry', task: id('a'), withDependents: false });
    expect(again.living.has('r:a#2' as never)).toBe(true);
    const refused = ask();
    refused.ask({ kind: 'fail', task: id('a') });
    expect(refused.run).toBe('failed');
  });
});

describe('a rescue', () => {
  const tasks = [
    task('a', [], { onFailure: { rescue: id('fix') } }),
    task('fix', ['a'], { rescues: id('a') }),
    task('b', ['a']),
  ];

  test('runs when its task fails, which is then tried once more', () => {
    const world = new World(dag(tasks));
    world.end('a', failed);
    expect(world.states()).toEqual({ a: 'failed', fix: 'starting', b: 'pending' });
    world.end('fix');
    expect(world.state('a')).toBe('starting');
    world.end('a');
    world.end('b');
    expect(world.run).toBe('completed');
  });

  test('is not used twice', () => {
    const world = new World(dag(tasks));
    world.end('a', failed);
    world.end('fix');
    world.end('a', failed);
    expect(world.run).toBe('failed');
  });

  test('is skipped when its task succeeds, and hinders nobody', () => {
    const world = new World(dag([...tasks, task('c', ['fix'])]));
    world.end('a');
    world.end('b');
    world.end('c');
    expect(world.states()).toEqual({ a: 'completed', fix: 'skipped', b: 'completed', c: 'completed' });
    expect(world.run).toBe('completed');
  });

  test('that fails itself leaves the failure to the policy', () => {
    const world = new World(dag(tasks));
    world.end('a', failed);
    world.end('fix', failed);
    expect(world.run).toBe('failed');
  });
});

describe('retries', () => {
  const retry = { max: 2, backoffMs: 100, maxBackoffMs: 150, on: ['failure'] } as const;

  test('wait twice as long each time, up to the limit, and end in a failure', () => {
    const world = new World(dag([task('a', [], { retry })]));
    world.end('a', failed);
    expect(world.state('a')).toBe('waiting-retry');
    world.wait();
    expect(world.now).toBe(1_100);
    world.end('a', failed);
    world.wait();
    expect(world.now).toBe(1_250);
    world.end('a', failed);
    expect(world.run).toBe('failed');
  });

  test('happen only for the named causes', () => {
    const world = new World(dag([task('a', [], { retry: { ...retry, on: ['timeout'] }, timeoutMs: 10 })]));
    world.wait();
    expect(world.asked).toMatchObject([{ cause: 'timeout' }]);
    world.obey();
    expect(world.state('a')).toBe('waiting-retry');
    world.wait();
    world.end('a', failed);
    expect(world.run).toBe('failed');
  });

  test('do not follow when a person killed the session', () => {
    const world = new World(dag([task('a', [], { retry })]));
    world.end('a', { kind: 'killed', by: 'user', signal: 'SIGTERM' });
    expect(world.run).toBe('failed');
  });
});

describe('gates', () => {
  test('a countdown takes its default, and stands still while the run is paused', () => {
    const level = { kind: 'recommended', timeoutMs: 500, defaultAction: 'skip' } as const;
    const world = new World(dag([task('a', [], { level }), task('b')]));
    expect(world.state('a')).toBe('gated');
    world.ask({ kind: 'pause' });
    expect(world.wait()).toBe(false);
    world.ask({ kind: 'resume' });
    world.wait();
    expect(world.state('a')).toBe('skipped');
  });

  test('a confirmed task waits for a person, who may refuse', () => {
    const world = new World(dag([task('a', [], { level: { kind: 'confirmed' } })]));
    expect(world.wait()).toBe(false);
    world.ask({ kind: 'reject', task: id('a') });
    expect(world.run).toBe('failed');
  });

  test('more than half of the stakeholders must agree', () => {
    const level = { kind: 'arbitrated', stakeholders: ['ann', 'bob', 'cy'] } as const;
    const world = new World(dag([task('a', [], { level }), task('b', [], { level })]));
    const vote = (task: string, vote: 'yes' | 'no', by: string) =>
      world.ask({ kind: 'vote', task: id(task), vote }, by);
    expect(vote('a', 'yes', 'mallory')).toMatchObject({ kind: 'refused' });
    vote('a', 'yes', 'ann');
    vote('a', 'yes', 'ann');
    expect(world.state('a')).toBe('gated');
    vote('a', 'yes', 'bob');
    expect(world.state('a')).toBe('starting');
    vote('b', 'no', 'ann');
    vote('b', 'no', 'cy');
    expect(world.state('b')).toBe('failed');
  });
});

test('a false condition skips the task, and what depends on it', () => {
  const condition = {
    kind: 'compare',
    op: '==',
    left: { kind: 'task', task: id('a'), field: 'output' },
    right: { kind: 'literal', value: 'yes' },
  } as const;
  const world = new World(dag([task('a'), task('b', ['a'], { condition }), task('c', ['b'])]));
  world.conditionHolds = false;
  world.end('a');
  expect(world.states()).toEqual({ a: 'completed', b: 'skipped', c: 'skipped' });
  expect(world.run).toBe('completed');
});

test('a task skipped by its condition says which condition that was', () => {
  const condition = {
    kind: 'compare',
    op: 'contains',
    left: { kind: 'task', task: id('a'), field: 'output' },
    right: { kind: 'literal', value: 'yes' },
  } as const;
  const world = new World(dag([task('a'), task('b', ['a'], { condition })]));
  world.conditionHolds = false;
  world.end('a');
  expect(world.log.map(({ event }) => event).find((event) => event.kind === 'task-skipped')).toMatchObject({
    reason: { kind: 'condition', text: `tasks['a'].output contains "yes"` },
  });
});

test('a condition on the status of a failed task lets its task run', () => {
  const condition = {
    kind: 'compare',
    op: '==',
    left: { kind: 'task', task: id('a'), field: 'status' },
    right: { kind: 'literal', value: 'failed' },
  } as const;
  const world = new World(dag([task('a'), task('b', ['a'], { condition })], 'continue_until_blocking'));
  world.end('a', failed);
  expect(world.state('b')).toBe('starting');
});

test('time spent blocked does not count against the timeout', () => {
  const world = new World(dag([task('a', [], { timeoutMs: 100 })]));
  const block = { id: 'r:a!1', kind: 'question', question: '?', choices: [], selected: null } as const;
  const full = { ...block, since: 0, fingerprint: '', rule: '' } as never;
  world.now = 1_040;
  world.record({ kind: 'task-blocked', task: id('a'), attempt: 1, block: full });
  expect(world.wait()).toBe(false);
  world.now = 9_000;
  world.record({ kind: 'task-unblocked', task: id('a'), attempt: 1, block: 'r:a!1' as never });
  world.wait();
  expect(world.now).toBe(9_060);
  expect(world.asked).toMatchObject([{ cause: 'timeout' }]);
});

describe('a lost attempt', () => {
  const lost = { kind: 'lost' } as const;

  test('runs again when it is idempotent', () => {
    const world = new World(dag([task('a', [], { idempotent: true })]));
    world.end('a', lost);
    expect(world.living.has('r:a#2' as never)).toBe(true);
  });

  test('waits for a person otherwise', () => {
    const world = new World(dag([task('a')]));
    world.end('a', lost);
    expect(world.state('a')).toBe('undecided');
    world.ask({ kind: 'retry', task: id('a'), withDependents: false });
    expect(world.living.has('r:a#2' as never)).toBe(true);
  });
});

test('an aborted run stops its sessions and undoes what completed, last first', () => {
  const world = new World(
    dag([task('a', [], { rollback: ['undo a'] }), task('b', ['a'], { rollback: ['b1', 'b2'] }), task('c', ['b'])]),
  );
  world.end('a');
  world.end('b');
  expect(world.ask({ kind: 'abort', reason: 'enough' })).toBe('pending');
  world.obey();
  const undone: string[] = [];
  for (let { rollback } = world.model; rollback !== null; { rollback } = world.model) {
    const { node, index } = rollback.what;
    undone.push(rollback.session);
    const end = { kind: 'exited', code: 0 } as const;
    world.record({ kind: 'run-rollback-ended', task: node.task.id, index, session: rollback.session, end });
    world.plan();
  }
  expect(undone).toEqual(['r:b.rollback-1', 'r:b.rollback-2', 'r:a.rollback-1']);
  expect(world.run).toBe('aborted');
  expect(world.outcomes).toEqual([{ kind: 'done', said: 'run r is aborted' }]);
});

test('a run that is being aborted is not paused, resumed or retried: what it cancelled would wait for ever', () => {
  const world = new World(dag([task('a'), task('b', ['a'], {}), task('c', ['a'], {})], 'all_success', 1));
  expect(world.ask({ kind: 'abort', reason: 'enough' })).toBe('pending');
  for (const request of [
    { kind: 'pause' },
    { kind: 'resume' },
    { kind: 'retry', task: null, withDependents: false },
  ] as const) {
    expect(world.ask(request)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('being aborted') });
  }
  world.obey();
  expect(world.run).toBe('aborted');
});

test('a paused run is aborted, and resuming it meanwhile does not bring it back', () => {
  const rescued = task('t0', [], { onFailure: { rescue: id('t1') } });
  const world = new World(dag([rescued, task('t1', ['t0'], { rescues: id('t0') }), task('t2', ['t0'])]));
  world.ask({ kind: 'pause' });
  world.ask({ kind: 'abort', reason: 'enough' });
  world.ask({ kind: 'resume' });
  world.obey();
  expect(world.states()).toEqual({ t0: 'cancelled', t1: 'cancelled', t2: 'cancelled' });
  expect(world.run).toBe('aborted');
});

test('abort while a failed run is rolled back is refused, and says how to end a command that hangs', () => {
  const world = new World(dag([task('a', [], { rollback: ['undo'] }), task('b', ['a'])]));
  world.end('a');
  world.end('b', failed);
  expect(world.run).toBe('rolling-back');
  const outcome = world.ask({ kind: 'abort', reason: 'enough' });
  expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('cis dag kill r:a.rollback-1') });
});

test('retrying a failed run does again what failed and what had no turn', () => {
  const world = new World(dag([task('a'), task('b'), task('c', ['a', 'b'])], 'all_success', 1));
  world.end('a', failed);
  expect(world.states()).toEqual({ a: 'failed', b: 'cancelled', c: 'cancelled' });
  world.ask({ kind: 'retry', task: null, withDependents: false });
  expect(world.run).toBe('running');
  world.end('a');
  world.end('b');
  world.end('c');
  expect(world.run).toBe('completed');
});

test('retry --with-dependents does a completed task and all after it again', () => {
  const world = new World(dag([task('a'), task('b', ['a']), task('c')]));
  world.end('a');
  world.end('b');
  expect(world.ask({ kind: 'retry', task: id('a'), withDependents: false })).toMatchObject({ kind: 'refused' });
  world.ask({ kind: 'retry', task: id('a'), withDependents: true });
  expect(world.states()).toEqual({ a: 'starting', b: 'pending', c: 'starting' });
});

test('skipping a running task stops its session first', () => {
  const world = new World(dag([task('a', [], { onFailure: 'ignore' }), task('b', ['a'])]));
  expect(world.ask({ kind: 'skip', task: id('a') })).toBe('pending');
  world.obey();
  expect(world.states()).toEqual({ a: 'skipped', b: 'starting' });
  expect(world.outcomes).toMatchObject([{ kind: 'done' }]);
});

test('a blocked session gives up its worker where the file says so', () => {
  const onBlocked = { then: 'wait', releaseSlot: true, onRateLimit: 'block' } as const;
  const world = new World(dag([task('a', [], { onBlocked }), task('b')], 'all_success', 1));
  expect(world.state('b')).toBe('ready');
  world.record({ kind: 'task-blocked', task: id('a'), attempt: 1, block: { id: 'r:a!1' } as never });
  world.plan();
  expect(world.state('b')).toBe('starting');
});

test('a transition that is not in the table is refused', () => {
  const model = createModel({ run: 'r' as RunId, maxWorkers: 1, dag: dag([task('a')]) });
  const completed = {
    kind: 'task-completed',
    task: id('a'),
    attempt: 1,
    output: { bytes: 0, cutFrom: null, source: 'none' },
  };
  expect(() => applyEvent(model, completed as never, { at: 0, tick: 0 })).toThrow();
});

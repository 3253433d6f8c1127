import type { Dag, Policy, Task } from '../../src/domain/dag.ts';
import type { TaskId } from '../../src/domain/ids.ts';

/** A task that runs `true`, with what the test cares about on top. */
export function task(id: string, deps: readonly string[] = [], more: Partial<Task> = {}): Task {
  return {
    id: id as TaskId,
    name: id,
    action: { kind: 'command', command: 'true', shell: '/bin/sh' },
    deps: deps as readonly TaskId[],
    level: { kind: 'mechanical' },
    retry: { max: 0, backoffMs: 0, maxBackoffMs: 0, on: ['failure'] },
    priority: 0,
    timeoutCountsBlocked: false,
    rollback: [],
    idempotent: false,
    env: {},
    outputs: [],
    context: 'deps',
    contextLimit: 10_000,
    workspace: 'shared',
    keepAgent: false,
    onBlocked: { then: 'wait', releaseSlot: false, onRateLimit: 'block' },
    answers: [],
    placement: { tierFallback: 'graceful', preferLocal: false, needs: [] },
    ...more,
  };
}

export function dag(tasks: readonly Task[], policy: Policy = 'all_success', maxWorkers = 4): Dag {
  return {
    name: 'test',
    todo: [],
    policy,
    maxWorkers,
    workDir: '/',
    env: {},
    matrix: { encrypted: false, sensitive: false },
    tasks,
  };
}

import type { Block } from '../../src/domain/block.ts';
import type { Task } from '../../src/domain/dag.ts';
import type { CisEvent, LoggedEvent } from '../../src/domain/event.ts';
import type { BlockId, RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import type { RunSettings } from '../../src/domain/run.ts';

/** A task of a run for tests: a command, or an agent's when one is named. */
export function taskOf(id: string, deps: readonly string[] = [], agent: string | null = null): Task {
  return {
    id: id as TaskId,
    name: id,
    action:
      agent === null
        ? { kind: 'command', command: 'true', shell: '/bin/sh' }
        : { kind: 'agent', agent, prompt: 'do it', config: {} },
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
  };
}

export const startOfTime = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Settings of a run for tests, `brave-otter` of the DAG `demo` unless said otherwise. */
export function settingsOf(tasks: readonly Task[], more: Partial<RunSettings> = {}): RunSettings {
  return {
    run: 'brave-otter' as RunId,
    dag: {
      name: 'demo',
      todo: [],
      policy: 'all_success',
      maxWorkers: 4,
      workDir: '/',
      env: {},
      matrix: { encrypted: false, sensitive: false },
      tasks,
    },
    mode: 'local',
    room: null,
    matrix: { encrypted: false, sensitive: false },
    vars: {},
    maxWorkers: 4,
    defaultAgent: null,
    agentMode: 'oneshot',
    createdAt: startOfTime,
    ...more,
  };
}

/** Events with rising numbers, `atMs` after the start of time. */
export function logOf(run: string, events: readonly (readonly [atMs: number, event: CisEvent])[]): LoggedEvent[] {
  return events.map(([at, event], index) => ({ seq: index + 1, run: run as RunId, at: startOfTime + at, event }));
}

export function approval(question: string, command?: string): Block {
  return {
    id: 'brave-otter:implement!1' as BlockId,
    kind: 'approval',
    question,
    choices: [{ label: 'Yes' }, { label: 'Yes, and do not ask again' }, { label: 'No' }],
    selected: 2,
    ...(command === undefined ? {} : { command }),
    since: startOfTime,
    fingerprint: 'f',
    rule: 'r',
  };
}

const output = { bytes: 3, cutFrom: null, source: 'screen' } as const;
const session = (task: string) => `brave-otter:${task}` as SessionId;

export const starting = (task: string, attempt = 1): CisEvent => ({
  kind: 'task-starting',
  task: task as TaskId,
  attempt,
  session: session(task),
});
export const running = (task: string, attempt = 1): CisEvent => ({
  kind: 'task-running',
  task: task as TaskId,
  attempt,
  pid: 1,
});
export const completed = (task: string, attempt = 1): CisEvent => ({
  kind: 'task-completed',
  task: task as TaskId,
  attempt,
  output,
});
export const failed = (task: string, code = 2, debt = false): CisEvent => ({
  kind: 'task-failed',
  task: task as TaskId,
  attempt: 1,
  failure: { kind: 'session', end: { kind: 'exited', code } },
  debt,
  output,
});
export const blocked = (task: string, block: Block): CisEvent => ({
  kind: 'task-blocked',
  task: task as TaskId,
  attempt: 1,
  block,
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Level, OnFailure, Policy, Task } from '../../src/domain/dag.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { isOver } from '../../src/domain/plan.ts';
import { applyEvent, createModel, type TaskNode } from '../../src/domain/plan-model.ts';
import { settled } from '../../src/domain/task.ts';
import { dag, task } from './plan-support.ts';
import { World } from './plan-world.ts';

const policies: Policy[] = ['all_success', 'first_success', 'allow_debt', 'continue_until_blocking'];
const levels: Level[] = [
  { kind: 'mechanical' },
  { kind: 'mechanical' },
  { kind: 'mechanical' },
  { kind: 'confirmed' },
  { kind: 'recommended', timeoutMs: 50, defaultAction: 'skip' },
  { kind: 'recommended', timeoutMs: 50, defaultAction: 'execute' },
];
const failures: (OnFailure | undefined)[] = [undefined, undefined, 'fail', 'skip_dependents', 'ignore', 'ask'];

const anyTask = fc.record({
  deps: fc.array(fc.nat(20), { maxLength: 3 }),
  level: fc.constantFrom(...levels),
  onFailure: fc.constantFrom(...failures),
  max: fc.nat(2),
  backoffMs: fc.constantFrom(0, 10),
  on: fc.subarray(['failure', 'timeout', 'lost'] as const),
  priority: fc.nat(2),
  idempotent: fc.boolean(),
  timeoutMs: fc.option(fc.constant(30), { nil: undefined }),
  rollback: fc.boolean(),
  releaseSlot: fc.boolean(),
  rescuesPrevious: fc.nat(6),
});

const anyDag = fc
  .record({
    tasks: fc.array(anyTask, { minLength: 1, maxLength: 12 }),
    policy: fc.constantFrom(...policies),
    workers: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ tasks, policy, workers }) => dag(withRescues(tasks.map(toTask), tasks), policy, workers));

function toTask(from: Parameters<Parameters<typeof anyTask.map>[0]>[0], index: number): Task {
  const deps = index === 0 ? [] : [...new Set(from.deps.map((dep) => `t${dep % index}`))];
  return task(`t${index}`, deps, {
    level: from.level,
    ...(from.onFailure === undefined ? {} : { onFailure: from.onFailure }),
    ...(from.timeoutMs === undefined ? {} : { timeoutMs: from.timeoutMs }),
    retry: { max: from.max, backoffMs: from.backoffMs, maxBackoffMs: 40, on: from.on },
    priority: from.priority,
    idempotent: from.idempotent,
    rollback: from.rollback ? ['undo'] : [],
    onBlocked: { then: 'wait', releaseSlot: from.releaseSlot, onRateLimit: 'block' },
  });
}

/** Now and then a task rescues the one before it. */
function withRescues(tasks: Task[], from: readonly { rescuesPrevious: number }[]): Task[] {
  for (const [index, one] of from.entries()) {
    const previous = tasks[index - 1];
    const self = tasks[index];
    if (one.rescuesPrevious !== 0 || previous === undefined || self === undefined || previous.rescues) continue;
    tasks[index - 1] = { ...previous, onFailure: { rescue: self.id } };
    tasks[index] = { ...self, deps: [...new Set([...self.deps, previous.id])], rescues: previous.id };
  }
  return tasks;
}

const anyStep = fc.record({ kind: fc.nat(13), pick: fc.nat(50) });

/** Does one thing that the world outside may do at any moment. */
function step(world: World, { kind, pick }: { kind: number; pick: number }): void {
  const nodes = [...world.living.values()];
  const node = nodes[pick % Math.max(1, nodes.length)];
  const any = world.model.nodes[pick % world.model.nodes.length]?.task.id ?? ('' as TaskId);
  const gated = world.model.nodes.find((one) => one.state.kind === 'gated' || one.state.kind === 'undecided');
  switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (node !== undefined) world.end(node.task.id);
      return;
    case 4:
      if (node !== undefined) world.end(node.task.id, { kind: 'exited', code: 3 });
      return;
    case 5:
      if (node !== undefined) world.end(node.task.id, { kind: 'lost' });
      return;
    case 6:
      return world.obey();
    case 7:
      world.wait();
      return;
    case 8:
      world.ask({ kind: pick % 2 === 0 ? 'pause' : 'resume' });
      return;
    case 9:
      world.ask({ kind: pick % 2 === 0 ? 'skip' : 'fail', task: any });
      return;
    case 10:
      world.ask({ kind: 'retry', task: pick % 3 === 0 ? null : any, withDependents: pick % 2 === 0 });
      return;
    case 11:
      if (gated !== undefined) world.ask({ kind: pick % 3 === 0 ? 'reject' : 'confirm', task: gated.task.id });
      return;
    case 12:
      if (pick % 8 === 0) world.ask({ kind: 'abort', reason: 'enough' });
      return;
    default:
      block(world, node);
  }
}

function block(world: World, node: TaskNode | undefined): void {
  if (node === undefined || !('attempt' in node.state)) return;
  const { attempt, kind } = node.state;
  const event = { task: node.task.id, attempt };
  if (kind === 'running' || kind === 'starting') {
    if (kind === 'starting') world.record({ kind: 'task-running', ...event, pid: 1 });
    world.record({ kind: 'task-blocked', ...event, block: { id: 'b' } as never });
  } else if (kind === 'blocked') world.record({ kind: 'task-unblocked', ...event, block: 'b' as never });
  world.plan();
}

/** Ends whatever can still end; what then is left must be the end of the run. */
function drain(world: World): void {
  world.ask({ kind: 'resume' });
  for (let turn = 0; turn < 500 && !isOver(world.model); turn++) {
    world.obey();
    for (const node of world.living.values()) world.end(node.task.id);
    const { rollback } = world.model;
    if (rollback !== null) {
      const { node, index } = rollback.what;
      const end = { kind: 'exited', code: 0 } as const;
      world.record({ kind: 'run-rollback-ended', task: node.task.id, index, session: rollback.session, end });
      world.plan();
    }
    const person = world.model.nodes.find((one) => one.state.kind === 'gated' || one.state.kind === 'undecided');
    if (person !== undefined) world.ask({ kind: 'skip', task: person.task.id });
    world.wait();
  }
}

function checkInvariants(world: World): void {
  const { model } = world;
  const states = model.nodes.map((node) => node.state.kind);
  expect(model.open).toBe(states.filter((kind) => !settled[kind]).length);
  expect(model.active).toBe(world.living.size);
  for (const [index, node] of model.nodes.entries()) {
    expect(states[index] === 'ready' ? node.queued : true).toBe(true);
    expect(node.unmet).toBeGreaterThanOrEqual(0);
  }
}

test('whatever happens, a run keeps its rules and comes to an end', () => {
  fc.assert(
    fc.property(anyDag, fc.array(anyStep, { maxLength: 60 }), (dag, steps) => {
      const world = new World(dag);
      checkStarts(world, 0);
      for (const one of steps) {
        const before = world.log.length;
        step(world, one);
        checkStarts(world, before);
        checkInvariants(world);
      }
      drain(world);
      checkInvariants(world);
      expect(isOver(world.model)).toBe(true);
      expect(world.living.size).toBe(0);
    }),
    { numRuns: 400 },
  );
});

/** The rules for a start, checked against a second, plain reading of the log. */
function checkStarts(world: World, from: number): void {
  const state = new Map<string, string>();
  const sessions = new Set<string>();
  const releases = new Map(world.model.nodes.map((node) => [node.task.id, node.task.onBlocked.releaseSlot]));
  for (const [index, { event }] of world.log.entries()) {
    if (event.kind === 'task-starting' && index >= from) {
      const busy = [...state].filter(([id, kind]) =>
        ['starting', 'running', ...(releases.get(id as TaskId) === true ? [] : ['blocked'])].includes(kind),
      );
      expect(busy.length).toBeLessThan(world.model.maxWorkers);
      const node = world.model.byId.get(event.task);
      for (const dep of node?.deps ?? []) {
        const accepted = ['completed', 'failed', 'skipped'].includes(state.get(dep.task.id) ?? '');
        expect(accepted, `${event.task} started while ${dep.task.id} was ${state.get(dep.task.id)}`).toBe(true);
      }
      expect(sessions.has(event.session)).toBe(false);
    }
    if (event.kind === 'task-starting') sessions.add(event.session);
    if ('task' in event && event.kind.startsWith('task-'))
      state.set(event.task, stateOf(event.kind, state.get(event.task)));
  }
}

function stateOf(kind: string, before: string | undefined): string {
  if (kind === 'task-amended' || kind === 'task-voted') return before ?? 'pending';
  if (kind === 'task-reopened') return 'pending';
  return kind === 'task-unblocked' ? 'running' : kind.slice('task-'.length);
}

test('a model made again from the log is the one that wrote it', () => {
  fc.assert(
    fc.property(anyDag, fc.array(anyStep, { maxLength: 40 }), (dag, steps) => {
      const world = new World(dag);
      for (const one of steps) step(world, one);
      const again = createModel({ run: 'r' as RunId, maxWorkers: dag.maxWorkers ?? 4, dag });
      for (const { event, at } of world.log) applyEvent(again, event, { at, tick: at });
      expect(again.state).toEqual(world.model.state);
      for (const [index, node] of again.nodes.entries()) {
        const { state, unmet, forbidden, attempts, failures, verdict, rescued, rolledBack } = node;
        expect({ state, unmet, forbidden, attempts, failures, verdict, rescued, rolledBack }).toEqual(
          pick(world.model.nodes[index]),
        );
      }
      expect([again.open, again.active, again.busy, again.waiting]).toEqual([
        world.model.open,
        world.model.active,
        world.model.busy,
        world.model.waiting,
      ]);
    }),
    { numRuns: 300 },
  );
});

function pick(node: TaskNode | undefined): object {
  if (node === undefined) return {};
  const { state, unmet, forbidden, attempts, failures, verdict, rescued, rolledBack } = node;
  return { state, unmet, forbidden, attempts, failures, verdict, rescued, rolledBack };
}

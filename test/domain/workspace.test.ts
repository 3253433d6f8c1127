import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTaskId, type RunId, type TaskId } from '../../src/domain/ids.ts';
import { branchOf, lastTasks, sourceTasksOf } from '../../src/domain/workspace.ts';
import { taskOf } from '../support/runs.ts';

const taskId = fc
  .stringMatching(/^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.|\.\.|\.lock){0,12}$/)
  .filter((id) => parseTaskId(id).ok);

test('every task id gives a branch name that git takes', () => {
  fc.assert(
    fc.property(taskId, (id) => {
      const branch = branchOf('run' as RunId, id as TaskId);
      execFileSync('git', ['check-ref-format', `refs/heads/${branch}`]);
    }),
    { numRuns: 60 },
  );
});

test('two tasks never share a branch', () => {
  fc.assert(
    fc.property(taskId, taskId, (a, b) => {
      if (a !== b) expect(branchOf('run' as RunId, a as TaskId)).not.toBe(branchOf('run' as RunId, b as TaskId));
    }),
  );
});

const dag = {
  tasks: [taskOf('a'), taskOf('b'), taskOf('between', ['a']), taskOf('c', ['between', 'b']), taskOf('d', ['c', 'a'])],
};

test('a task starts from its nearest ancestors with commits, seen through those that have none', () => {
  const committed = new Set(['a', 'b', 'c']);
  expect(sourceTasksOf(dag, 'c' as TaskId, (id) => committed.has(id))).toEqual(['a', 'b']);
  expect(sourceTasksOf(dag, 'd' as TaskId, (id) => committed.has(id))).toEqual(['c', 'a']);
  expect(sourceTasksOf(dag, 'a' as TaskId, () => true)).toEqual([]);
});

test('the last tasks are those on whose work no other was built', () => {
  expect(lastTasks(dag, new Set(['a', 'b', 'c'] as TaskId[]))).toEqual(['c']);
  expect(lastTasks(dag, new Set(['a', 'b'] as TaskId[]))).toEqual(['a', 'b']);
});

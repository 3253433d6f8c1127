import type { Dag, Task } from './dag.ts';
import type { TaskId } from './ids.ts';
import type { Names } from './template.ts';

/** The names that templates of a DAG's tasks may use. Made once per DAG: it walks all tasks. */
export function namesOfDag(dag: Pick<Dag, 'tasks' | 'vars'>): (task: Task) => Names {
  const ids = new Map<string, TaskId[]>();
  for (const task of dag.tasks) {
    ids.set(task.id, [task.id]);
    if (task.matrix !== undefined) ids.set(task.matrix.of, [...(ids.get(task.matrix.of) ?? []), task.id]);
  }
  const declared = Object.keys(dag.vars ?? {});
  return (task) => ({
    task: (id) => ids.get(id) ?? null,
    vars: declared.length === 0 ? null : declared,
    matrix: Object.keys(task.matrix?.values ?? {}),
  });
}

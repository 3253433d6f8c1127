import type { Dag, Task } from './dag.ts';
import type { TaskId } from './ids.ts';

/** A vertex as far as order is concerned. */
export interface Vertex {
  readonly id: string;
  readonly deps: readonly string[];
}

/** Groups tasks so that each stands after all it waits for, as early as it can; within a wave in the order of the file. */
export function planWaves(dag: Dag): Task[][] {
  const depths = depthsOf(dag.tasks);
  const waves: Task[][] = [];
  for (const task of dag.tasks) (waves[depths.get(task.id) ?? 0] ??= []).push(task);
  return waves;
}

/** How many tasks stand before each, on its longest way from a start. Vertices on a cycle are left out. */
export function depthsOf(vertices: readonly Vertex[]): Map<string, number> {
  const waiting = new Map<string, number>();
  const dependents = dependentsOf(vertices);
  const depths = new Map<string, number>();
  for (const vertex of vertices) waiting.set(vertex.id, once(vertex.deps).length);
  const queue = vertices.filter((vertex) => vertex.deps.length === 0).map((vertex) => vertex.id);
  for (const id of queue) depths.set(id, 0);
  for (const id of queue) {
    for (const dependent of dependents.get(id) ?? []) {
      depths.set(dependent, Math.max(depths.get(dependent) ?? 0, (depths.get(id) ?? 0) + 1));
      const left = (waiting.get(dependent) ?? 0) - 1;
      waiting.set(dependent, left);
      if (left === 0) queue.push(dependent);
    }
  }
  for (const [id, left] of waiting) if (left > 0) depths.delete(id);
  return depths;
}

/** Most lists have no double: a set for each of ten thousand costs more than all the rest. */
function once(ids: readonly string[]): readonly string[] {
  return ids.length < 2 ? ids : [...new Set(ids)];
}

/** For each vertex those that wait for it, each once, in the order of the file. */
function dependentsOf(vertices: readonly Vertex[]): Map<string, string[]> {
  const dependents = new Map<string, string[]>(vertices.map((vertex) => [vertex.id, []]));
  for (const vertex of vertices) for (const dep of once(vertex.deps)) dependents.get(dep)?.push(vertex.id);
  return dependents;
}

/** Cycles that share no vertex, at most `limit`: each as a path that ends where it began. */
export function findCycles(vertices: readonly Vertex[], limit = 20): string[][] {
  const cycles: string[][] = [];
  let left = vertices;
  while (cycles.length < limit) {
    const cycle = findCycle(left);
    if (cycle === null) return cycles;
    cycles.push(cycle);
    const gone = new Set(cycle);
    left = left
      .filter((vertex) => !gone.has(vertex.id))
      .map(({ id, deps }) => ({ id, deps: deps.filter((dep) => !gone.has(dep)) }));
  }
  return cycles;
}

/** A cycle as a path that ends where it began, `[a, b, a]`; null when there is none. */
function findCycle(vertices: readonly Vertex[]): string[] | null {
  const depths = depthsOf(vertices);
  const left = new Map(vertices.filter((vertex) => !depths.has(vertex.id)).map((vertex) => [vertex.id, vertex]));
  let at = left.values().next().value;
  const seen = new Map<string, number>();
  const path: string[] = [];
  // Whoever is left waits for somebody who is left, so the walk must meet itself.
  while (at !== undefined) {
    const first = seen.get(at.id);
    if (first !== undefined) return [...path.slice(first), at.id].toReversed();
    seen.set(at.id, path.length);
    path.push(at.id);
    const onwards: string | undefined = at.deps.find((dep) => left.has(dep));
    at = onwards === undefined ? undefined : left.get(onwards);
  }
  return null;
}

/** Everything a task waits for, directly or not: nearest first, each once. */
export function ancestorsOf(dag: Pick<Dag, 'tasks'>, id: TaskId): TaskId[] {
  const index = new Map(dag.tasks.map((task) => [task.id, task]));
  const found = new Set<TaskId>(index.get(id)?.deps);
  for (const ancestor of found) for (const dep of index.get(ancestor)?.deps ?? []) found.add(dep);
  return [...found];
}

/** One DAG of the bench: what the same work looks like to cis, to the floor and to ninja is rendered from it. */
export interface Shape {
  readonly name: string;
  readonly tasks: readonly ShapeTask[];
}

export interface ShapeTask {
  readonly id: string;
  readonly deps: readonly string[];
  readonly command: string;
}

/** How many tasks run at once, everywhere in the bench. */
export const jobs = 8;

export function wide(count: number, command = 'true'): ShapeTask[] {
  return Array.from({ length: count }, (_, index) => ({ id: `t${index}`, deps: [], command }));
}

function chain(count: number): ShapeTask[] {
  return wide(count).map((task, index) => ({ ...task, deps: index === 0 ? [] : [`t${index - 1}`] }));
}

/** Every task of a layer depends on every task of the layer before. */
function layered(layers: number, width: number): ShapeTask[] {
  const ids = (layer: number): string[] => Array.from({ length: width }, (_, index) => `l${layer}-${index}`);
  return Array.from({ length: layers }, (_, layer) => {
    const deps = layer === 0 ? [] : ids(layer - 1);
    return ids(layer).map((id) => ({ id, deps, command: 'true' }));
  }).flat();
}

function fanout(width: number): ShapeTask[] {
  const middle = wide(width).map((task) => ({ ...task, deps: ['first'] }));
  const last = { id: 'last', deps: middle.map((task) => task.id), command: 'true' };
  return [{ id: 'first', deps: [], command: 'true' }, ...middle, last];
}

/** Each task depends on three of those shortly before it: how a large real DAG looks. */
function braid(count: number): ShapeTask[] {
  return wide(count).map((task, index) => {
    const deps = [7, 11, 13].filter((back) => back <= index).map((back) => `t${index - back}`);
    return { ...task, deps };
  });
}

export const oneTask: Shape = { name: 'one task', tasks: wide(1) };
export const wide200: Shape = { name: 'wide-200', tasks: wide(200) };
export const chain100: Shape = { name: 'chain-100', tasks: chain(100) };
export const layered10x20: Shape = { name: 'layered-10x20', tasks: layered(10, 20) };
export const fanout500: Shape = { name: 'fanout-1-500-1', tasks: fanout(500) };
export const wide2000: Shape = { name: 'wide-2000', tasks: wide(2000) };
export const large: Shape = { name: '10,000-task file', tasks: braid(10_000) };
export const sleeps: Shape = { name: 'wide-200 of 0.1 s', tasks: wide(200, 'sleep 0.1') };

export function renderForFloor(shape: Shape): string {
  return JSON.stringify({ jobs, tasks: shape.tasks });
}

/** No task makes the file it is named after, so ninja runs all of them each time. */
export function renderForNinja(shape: Shape): string {
  const builds = shape.tasks.map((task) => `build ${task.id}: run ${task.deps.join(' ')}\n  cmd = ${task.command}\n`);
  return `rule run\n  command = $cmd\n${builds.join('')}`;
}

export function renderForCis(shape: Shape): string {
  const tasks = shape.tasks.map(
    (task) =>
      `[[dag.tasks]]\nid = "${task.id}"\ncommand = "${task.command}"\ndeps = [${task.deps.map((id) => `"${id}"`).join(', ')}]\n`,
  );
  return `[dag]\nname = "${shape.name}"\nmax_workers = ${jobs}\n\n${tasks.join('\n')}`;
}

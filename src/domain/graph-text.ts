import type { Dag, Task } from './dag.ts';
import { depthsOf } from './graph.ts';
import { unreachable } from './unreachable.ts';

export type GraphFormat = 'ascii' | 'mermaid' | 'dot';

export function renderGraph(dag: Dag, format: GraphFormat): string {
  switch (format) {
    case 'ascii':
      return renderAscii(dag);
    case 'mermaid':
      return renderMermaid(dag);
    case 'dot':
      return renderDot(dag);
    default:
      return unreachable(format);
  }
}

interface Line {
  readonly task: Task;
  /** What stands before the task's own sign: the rails of branches that go on below. */
  readonly rails: string;
  readonly sign: string;
}

/**
 * Draws the graph as a tree: each task once, below the dependency it waits for longest, its other dependencies named behind
 * it. A task that is the only one to follow stands straight below, so that a chain of hundreds does not wander off the screen.
 */
function renderAscii(dag: Dag): string {
  const children = treeOf(dag.tasks);
  const lines: Line[] = [];
  // A stack of its own: a chain may be longer than the call stack is deep.
  const stack: Line[] = [];
  const push = (tasks: readonly Task[], rails: string, root: boolean): void => {
    for (const [index, task] of [...tasks.entries()].toReversed()) {
      const last = index === tasks.length - 1;
      const straight = root || tasks.length === 1;
      stack.push({ task, rails, sign: straight ? '' : last ? '└─ ' : '├─ ' });
    }
  };
  push(children.get(null) ?? [], '', true);
  for (let line = stack.pop(); line !== undefined; line = stack.pop()) {
    lines.push(line);
    const below = line.sign === '' ? line.rails : line.rails + (line.sign === '└─ ' ? '   ' : '│  ');
    push(children.get(line.task.id) ?? [], below, false);
  }
  const parents = parentsOf(dag.tasks);
  const drawn = lines.flatMap((line) => {
    const parent = parents.get(line.task.id) ?? null;
    const straight = line.sign === '' && parent !== null;
    const others = line.task.deps.filter((dep) => dep !== parent);
    const also = others.length === 0 ? '' : `  (also after ${shorten(others)})`;
    return [
      ...(straight ? [`${line.rails}↓`] : []),
      `${line.rails}${line.sign}${line.task.id}${signs(line.task)}${also}`,
    ];
  });
  return `${drawn.join('\n')}\n`;
}

const NAMED = 6;

function shorten(ids: readonly string[]): string {
  const rest = ids.length - NAMED;
  return rest > 1 ? `${ids.slice(0, NAMED).join(', ')} and ${rest} more` : ids.join(', ');
}

function signs(task: Task): string {
  const words = [
    ...(task.action.kind === 'agent' ? [task.action.agent ?? 'agent'] : []),
    ...(task.level.kind === 'mechanical' ? [] : [task.level.kind]),
    ...(task.rescues === undefined ? [] : [`if ${task.rescues} fails`]),
    ...(task.condition === undefined ? [] : ['conditional']),
  ];
  return words.length === 0 ? '' : `  [${words.join(', ')}]`;
}

function parentsOf(tasks: readonly Task[]): Map<string, string | null> {
  const depths = depthsOf(tasks);
  return new Map(
    tasks.map((task) => {
      const deepest = task.deps.reduce<string | null>((best, dep) => {
        return best === null || (depths.get(dep) ?? 0) >= (depths.get(best) ?? 0) ? dep : best;
      }, null);
      return [task.id, deepest];
    }),
  );
}

function treeOf(tasks: readonly Task[]): Map<string | null, Task[]> {
  const parents = parentsOf(tasks);
  return Map.groupBy(tasks, (task) => parents.get(task.id) ?? null);
}

function renderMermaid(dag: Dag): string {
  const numbers = new Map(dag.tasks.map((task, index) => [task.id, `t${index}`]));
  const label = (task: Task): string => `${task.id}${signs(task)}`.replaceAll('"', '#quot;');
  const nodes = dag.tasks.map((task) => `  ${numbers.get(task.id)}["${label(task)}"]`);
  const edges = dag.tasks.flatMap((task) =>
    task.deps.map(
      (dep) => `  ${numbers.get(dep)} ${dep === task.rescues ? '-. fails .->' : '-->'} ${numbers.get(task.id)}`,
    ),
  );
  return `${['flowchart TD', ...nodes, ...edges].join('\n')}\n`;
}

function renderDot(dag: Dag): string {
  const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const nodes = dag.tasks.map((task) => `  ${quote(task.id)} [label=${quote(task.id + signs(task))}];`);
  const edges = dag.tasks.flatMap((task) =>
    task.deps.map((dep) => `  ${quote(dep)} -> ${quote(task.id)}${dep === task.rescues ? ' [style=dashed]' : ''};`),
  );
  return `${['digraph {', '  rankdir=TB;', '  node [shape=box];', ...nodes, ...edges, '}'].join('\n')}\n`;
}

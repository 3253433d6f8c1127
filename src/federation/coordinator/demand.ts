import type { Task } from '../../domain/dag.ts';
import type { Did } from '../../domain/fleet/did.ts';
import { demandOf, type Demand } from '../../domain/fleet/demand.ts';
import { agentOf, type RunSettings } from '../../domain/run.ts';
import { readNodeOfTask } from '../../storage/fleet-leases.ts';
import type { Db } from '../../storage/open.ts';
import { readArtifacts, readOutput } from '../../storage/read.ts';

/** A repository counts as so much: what a node has of it already need not travel. */
const worktreeBytes = 1_000_000;

/** What a task of a run asks of a node, with what is known of the run: where its data lies, and where it must go on. */
export function demandFor(
  db: Db,
  settings: RunSettings,
  task: Task,
  how: { readonly rollback: boolean; readonly refusals: ReadonlyMap<Did, string> },
): Demand {
  const { run } = settings;
  const demand = { ...demandOf(task, agentOf(settings, task)), refusals: how.refusals };
  // What is undone is undone where it was done; a conversation goes on where it is.
  if (how.rollback) return { ...demand, agent: null, localModel: null, pinned: readNodeOfTask(db, run, task.id) };
  const pinned = task.reuseAgent === undefined ? null : readNodeOfTask(db, run, task.reuseAgent);
  return { ...demand, pinned, data: dataOf(db, settings, task) };
}

/** Bytes that the tasks before it left, by the node where they did. */
function dataOf(db: Db, { run, dag }: RunSettings, task: Task): ReadonlyMap<Did, number> {
  const data = new Map<Did, number>();
  for (const id of task.deps) {
    const did = readNodeOfTask(db, run, id);
    if (did === null) continue;
    const output = task.context === 'none' ? 0 : (readOutput(db, run, id, null)?.bytes ?? 0);
    const files = readArtifacts(db, run, id, null).reduce((sum, { bytes }) => sum + bytes, 0);
    const isShared = task.workspace === 'worktree' && dag.tasks.find((one) => one.id === id)?.workspace === 'worktree';
    const bytes = output + files + (isShared ? worktreeBytes : 0);
    if (bytes > 0) data.set(did, (data.get(did) ?? 0) + bytes);
  }
  return data;
}

import type { Did } from '../../domain/fleet/did.ts';
import { place, type Placing } from '../../domain/fleet/place.ts';
import type { TaskId } from '../../domain/ids.ts';
import type { RunSettings } from '../../domain/run.ts';
import { listLeases, type LeaseRow } from '../../storage/fleet-leases.ts';
import type { Db } from '../../storage/open.ts';
import { demandFor } from './demand.ts';
import { openNodes } from './nodes.ts';

export interface Explanation {
  /** Its newest attempt on the nodes; null: it was not their turn yet. */
  readonly lease: LeaseRow | null;
  /** Where it would go if it were asked now, by the same rule as the coordinator's. */
  readonly placing: Placing;
}

/** Says where a task would go as things stand, with every node and why or why not. Null: the run has no such task. */
export function explainTask(db: Db, settings: RunSettings, id: TaskId, ownDid: Did, now: number): Explanation | null {
  const task = settings.dag.tasks.find((one) => one.id === id);
  if (task === undefined) return null;
  const leases = listLeases(db, settings.run);
  const lease = leases.filter((one) => one.task === id).reduce<LeaseRow | null>(newer, null);
  const refusals = new Map(Object.entries(lease?.refusals ?? {}) as [Did, string][]);
  const demand = demandFor(db, settings, task, { rollback: false, refusals });
  const held = leases.filter(({ state }) => state.kind === 'given');
  const candidates = openNodes(db, ownDid, settings.run).candidates(
    (did) => held.filter(({ state }) => state.kind === 'given' && state.did === did),
    now,
  );
  return { lease, placing: place({ demand, candidates, localDid: ownDid, now }) };
}

function newer(a: LeaseRow | null, b: LeaseRow): LeaseRow {
  return a === null || b.attempt > a.attempt ? b : a;
}

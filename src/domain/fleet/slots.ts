import type { RunId } from '../ids.ts';
import type { HeldLease, KnownNode } from './facts.ts';

/**
 * Slots a node has now, as far as one coordinator can know: what the node said, less what the coordinator gave it since, more
 * what ended since. `own`: the leases of the coordinator's runs on this node; `runs`: these runs.
 */
export function freeSlots(node: KnownNode, own: readonly HeldLease[], runs: ReadonlySet<RunId>): number {
  const announced = new Set(node.leases.map(keyOf));
  const held = new Set(own.map(keyOf));
  const since = own.filter((lease) => !announced.has(keyOf(lease))).length;
  const ended = node.leases.filter((lease) => runs.has(lease.run) && !held.has(keyOf(lease))).length;
  return Math.max(0, Math.min(node.facts.slots, node.load.slotsFree + ended) - since);
}

function keyOf({ run, task, attempt }: HeldLease): string {
  return `${run}:${task}#${attempt}`;
}

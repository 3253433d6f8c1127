import type { Heartbeat, KnownNode } from './facts.ts';

/** A node says that it lives every so often, ± a tenth at random so that a thousand do not speak at once. */
export const heartbeatMs = 15_000;
/** Three heartbeats in a row that did not come. */
export const silentAfterMs = 45_000;

/** Ms to the next heartbeat; `random` from 0 to 1. */
export function nextHeartbeatIn(random: number): number {
  return Math.round(heartbeatMs * (0.9 + 0.2 * random));
}

/**
 * Three questions that are easily mixed up. Alive: it was heard lately. Able: its host works and its disk has room. Willing: nobody
 * drained it. A node that is not alive may have lost its work; one that is not able or willing still finishes what it has.
 */
export interface Liveness {
  readonly alive: boolean;
  readonly able: boolean;
  readonly willing: boolean;
  /** Of what is not as it should be, in words; empty when all three hold. */
  readonly reasons: readonly string[];
}

export function judgeLiveness(node: Pick<KnownNode, 'heardAt' | 'mood'>, now: number): Liveness {
  // A clock that was set back must not make a node look heard in the future: then it was heard just now.
  const silentMs = Math.max(0, now - node.heardAt);
  const alive = silentMs < silentAfterMs;
  const able = node.mood.unable.length === 0;
  const willing = !node.mood.draining;
  return {
    alive,
    able,
    willing,
    reasons: [
      ...(alive ? [] : [`not heard for ${Math.round(silentMs / 1000)} s`]),
      ...node.mood.unable,
      ...(willing ? [] : ['it is draining: it finishes what it has and takes nothing new']),
    ],
  };
}

/** The part of a heartbeat that a room keeps for ever. */
export type Announced = Pick<Heartbeat, 'facts' | 'mood'>;

/**
 * Whether the room is told of a change (an event that everybody keeps for ever), rather than only the coordinators with the next
 * heartbeat: when the node joins, and when what it is or whether it takes work changed. Load and leases change all the time.
 */
export function isWorthTelling(told: Announced | null, now: Announced): boolean {
  if (told === null) return true;
  return JSON.stringify([told.facts, told.mood]) !== JSON.stringify([now.facts, now.mood]);
}

import { closedBreaker } from '../../../src/domain/fleet/breaker.ts';
import { parseDid, type Did } from '../../../src/domain/fleet/did.ts';
import type { Heartbeat, KnownNode, NodeFacts, NodeLoad, NodeMood } from '../../../src/domain/fleet/facts.ts';
import type { Demand } from '../../../src/domain/fleet/demand.ts';
import type { Candidate, PlaceQuestion } from '../../../src/domain/fleet/place.ts';
import type { Placement } from '../../../src/domain/dag.ts';

export const now = 1_700_000_000_000;

/** A did of the right shape for a letter; whose key it is nobody asks in pure tests. */
export function didOf(letter: string): Did {
  const did = parseDid(`did:key:z6Mk${letter.repeat(44)}`);
  if (!did.ok) throw new Error(did.error);
  return did.value;
}

export function heartbeat(letter: string, more: Parameters<typeof known>[1] = {}): Heartbeat {
  const { facts, load, mood, leases } = known(letter, more);
  return { facts, load, mood, leases };
}

/** A machine of no particular kind: idle, heard just now, called by its letter. */
export function known(
  letter: string,
  more: { facts?: Partial<NodeFacts>; load?: Partial<NodeLoad>; mood?: Partial<NodeMood> } & Partial<
    Pick<KnownNode, 'heardAt' | 'latencyMs' | 'leases'>
  > = {},
): KnownNode {
  return {
    heardAt: now,
    latencyMs: 10,
    leases: [],
    ...more,
    facts: {
      node: letter,
      did: didOf(letter),
      userId: `@${letter}:example.org`,
      deviceId: 'DEVICE',
      sealKey: 'c2VhbA',
      version: '0.1.0',
      machine: { os: 'linux', arch: 'x64', cores: 4, memoryMb: 16_384, gpus: [] },
      agents: [{ name: 'claude', version: '2.0', login: 'yes' }],
      models: [],
      labels: {},
      features: ['git'],
      tier: 1,
      slots: 4,
      ...more.facts,
    },
    load: { slotsFree: 4, loadCenti: 0, memoryFreeMb: 8_192, diskFreeMb: 50_000, ...more.load },
    mood: { unable: [], draining: false, ...more.mood },
  };
}

export function candidate(node: KnownNode, more: Partial<Omit<Candidate, 'node'>> = {}): Candidate {
  return { node, trusted: true, breaker: closedBreaker, free: node.load.slotsFree, ...more };
}

export function demand(placement: Partial<Placement> = {}, more: Partial<Demand> = {}): Demand {
  return {
    placement: { tierFallback: 'graceful', preferLocal: false, needs: [], ...placement },
    agent: null,
    localModel: null,
    data: new Map(),
    pinned: null,
    refusals: new Map(),
    ...more,
  };
}

export function question(
  candidates: readonly Candidate[],
  placement: Partial<Placement> = {},
  more: Partial<Demand> = {},
): PlaceQuestion {
  return { demand: demand(placement, more), candidates, localDid: null, now };
}

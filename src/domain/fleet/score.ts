import type { Did } from './did.ts';
import type { Demand } from './demand.ts';
import type { KnownNode } from './facts.ts';

/** One consideration and what it counted for, so that `cis dag explain` can show the sum. */
export interface ScorePart {
  readonly name: 'slots' | 'load' | 'latency' | 'data' | 'local' | 'login';
  readonly points: number;
  readonly why: string;
}

/** How much each can count. Chosen so that an idle machine far away beats a loaded one near by, and so that data beats both. */
const most = { slots: 30, load: 30, latency: 15, data: 40, local: 100, login: -40 } as const;

/** A round trip of so long, or more, counts as far away. */
const farMs = 500;

export function scoreNode(node: KnownNode, free: number, demand: Demand, localDid: Did | null): readonly ScorePart[] {
  return [
    slotsPart(node, free),
    loadPart(node),
    latencyPart(node),
    ...dataPart(node, demand),
    ...localPart(node, demand, localDid),
    ...loginPart(node, demand),
  ];
}

export function sumOf(parts: readonly ScorePart[]): number {
  return parts.reduce((sum, { points }) => sum + points, 0);
}

function slotsPart({ facts }: KnownNode, free: number): ScorePart {
  const share = facts.slots === 0 ? 0 : Math.min(1, free / facts.slots);
  return { name: 'slots', points: Math.round(most.slots * share), why: `${free} of ${facts.slots} slots free` };
}

function loadPart({ facts, load }: KnownNode): ScorePart {
  const average = load.loadCenti / 100;
  const share = Math.min(1, average / Math.max(1, facts.machine.cores));
  const why = `load ${average.toFixed(2)} on ${facts.machine.cores} cores`;
  return { name: 'load', points: Math.round(most.load * (1 - share)), why };
}

function latencyPart({ latencyMs }: KnownNode): ScorePart {
  if (latencyMs === null) return { name: 'latency', points: Math.round(most.latency / 2), why: 'latency not measured' };
  const share = Math.min(1, latencyMs / farMs);
  return {
    name: 'latency',
    points: Math.round(most.latency * (1 - share)),
    why: `answers in ${Math.round(latencyMs)} ms`,
  };
}

function dataPart({ facts }: KnownNode, { data }: Demand): ScorePart[] {
  const all = [...data.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (all === 0) return [];
  const share = (data.get(facts.did) ?? 0) / all;
  return [
    { name: 'data', points: Math.round(most.data * share), why: `has ${Math.round(share * 100)} % of what it needs` },
  ];
}

function localPart({ facts }: KnownNode, { placement }: Demand, localDid: Did | null): ScorePart[] {
  if (!placement.preferLocal || facts.did !== localDid) return [];
  return [{ name: 'local', points: most.local, why: '`prefer_local`' }];
}

function loginPart({ facts }: KnownNode, { agent }: Demand): ScorePart[] {
  const found = facts.agents.find(({ name }) => name === agent);
  if (found === undefined || found.login !== 'no') return [];
  return [{ name: 'login', points: most.login, why: `no sign that ${found.name} is logged in` }];
}

import { breakerRefusal, type Breaker } from './breaker.ts';
import type { Did } from './did.ts';
import type { Demand } from './demand.ts';
import type { KnownNode, Tier } from './facts.ts';
import { isCalled, lacks } from './fits.ts';
import { judgeLiveness } from './liveness.ts';
import { scoreNode, sumOf, type ScorePart } from './score.ts';

/** A node as the question "may it have this task?" needs it. */
export interface Candidate {
  readonly node: KnownNode;
  /** As a worker, by this home. */
  readonly trusted: boolean;
  readonly breaker: Breaker;
  /** As `freeSlots` counts them. */
  readonly free: number;
}

export interface PlaceQuestion {
  readonly demand: Demand;
  readonly candidates: readonly Candidate[];
  /** The node of the coordinator's own home, if one runs there. */
  readonly localDid: Did | null;
  readonly now: number;
}

/** What was found of one node: every node gets one, also those that never came into question. */
export interface NodeVerdict {
  readonly did: Did;
  readonly node: string;
  readonly kind: 'chosen' | 'fits' | 'busy' | 'unfit';
  readonly score: number;
  readonly parts: readonly ScorePart[];
  /** Why not, or why it was chosen before others. */
  readonly reasons: readonly string[];
}

export type Placing =
  | {
      readonly kind: 'placed';
      readonly did: Did;
      /** Set when it is not what `tier` asked for first: to be told, never silent. */
      readonly insteadOf: string | null;
      readonly verdicts: readonly NodeVerdict[];
    }
  /** A node that fits exists, and has no room now. */
  | { readonly kind: 'wait'; readonly reason: string; readonly verdicts: readonly NodeVerdict[] }
  /** No node that is known fits: another must join, or the DAG or the trust list must change. */
  | { readonly kind: 'nowhere'; readonly reason: string; readonly verdicts: readonly NodeVerdict[] };

/** Filters, then scores. The same question always has the same answer. */
export function place(question: PlaceQuestion): Placing {
  const judged = question.candidates.map((candidate) => judge(candidate, question));
  const fitting = judged.filter(({ kind }) => kind === 'fits');
  if (fitting.length === 0) return withoutNode(question, judged);
  const { best, insteadOf } = preferTier(fitting, question);
  const chosen = best.reduce((a, b) => (isBetter(b, a) ? b : a));
  const verdicts = judged.map((verdict) => {
    if (verdict === chosen) return asVerdict({ ...verdict, kind: 'chosen' as const });
    const lower = verdict.kind === 'fits' ? [whyNot(verdict, chosen, best)] : [];
    return asVerdict({ ...verdict, reasons: [...verdict.reasons, ...lower] });
  });
  return { kind: 'placed', did: chosen.did, insteadOf, verdicts };
}

interface Judged extends NodeVerdict {
  readonly tier: Tier;
}

function asVerdict({ did, node, kind, score, parts, reasons }: Judged): NodeVerdict {
  return { did, node, kind, score, parts, reasons };
}

function judge(candidate: Candidate, question: PlaceQuestion): Judged {
  const { node } = candidate;
  const { did, node: name, tier } = node.facts;
  const never = unfitReasons(candidate, question);
  const later = busyReasons(candidate, question.now);
  const parts = never.length > 0 ? [] : scoreNode(node, candidate.free, question.demand, question.localDid);
  const kind = never.length > 0 ? 'unfit' : later.length > 0 ? 'busy' : 'fits';
  return { did, node: name, tier, kind, score: sumOf(parts), parts, reasons: [...never, ...later] };
}

function unfitReasons({ node, trusted }: Candidate, { demand, candidates }: PlaceQuestion): string[] {
  const { did, node: name } = node.facts;
  const refusal = demand.refusals.get(did);
  return [
    ...(trusted ? [] : [`it is not trusted: cis node trust ${did} --as worker`]),
    ...lacks(node, demand),
    ...(isAmbiguous(demand, candidates) && isCalled(node.facts, demand.placement.targetNode ?? '')
      ? [`several nodes are called ${name}: \`target_node\` must be one of their keys`]
      : []),
    ...(refusal === undefined ? [] : [`it gave the task back: ${refusal}`]),
  ];
}

/** A name is only as good as the trust in who bears it: with two of them nobody guesses. */
function isAmbiguous({ placement: { targetNode } }: Demand, candidates: readonly Candidate[]): boolean {
  if (targetNode === undefined || targetNode.startsWith('did:')) return false;
  return candidates.filter(({ node, trusted }) => trusted && node.facts.node === targetNode).length > 1;
}

function busyReasons({ node, breaker, free }: Candidate, now: number): string[] {
  const refusal = breakerRefusal(breaker, now);
  return [
    ...judgeLiveness(node, now).reasons,
    ...(refusal === null ? [] : [refusal]),
    ...(free > 0 ? [] : [`all of its ${node.facts.slots} slots are taken`]),
  ];
}

/** Which tier to take when the wanted one is not to be had. */
const fallbacks = { 0: [0, 1, 2], 1: [1, 2, 0], 2: [2, 1, 0] } as const satisfies Record<Tier, readonly Tier[]>;

interface Preferred {
  readonly best: readonly Judged[];
  readonly insteadOf: string | null;
}

function preferTier(fitting: readonly Judged[], { demand: { placement } }: PlaceQuestion): Preferred {
  const { tier: wanted } = placement;
  if (wanted === undefined) return { best: fitting, insteadOf: null };
  for (const tier of fallbacks[wanted]) {
    const best = fitting.filter((verdict) => verdict.tier === tier);
    if (best.length === 0) continue;
    const insteadOf = tier === wanted ? null : `tier ${tier} in place of ${wanted}: no node of tier ${wanted} is free`;
    return { best, insteadOf };
  }
  return { best: fitting, insteadOf: null };
}

/** Ties go by key, so that two who ask the same get the same answer. */
function isBetter(a: Judged, b: Judged): boolean {
  return a.score === b.score ? a.did < b.did : a.score > b.score;
}

function whyNot(verdict: Judged, chosen: Judged, best: readonly Judged[]): string {
  if (!best.includes(verdict)) return `its tier is ${verdict.tier}; ${chosen.node} has ${chosen.tier}`;
  if (verdict.score === chosen.score) return `as good as ${chosen.node}`;
  return `${chosen.node} has ${chosen.score} points, this one ${verdict.score}`;
}

function withoutNode({ candidates }: PlaceQuestion, judged: readonly Judged[]): Placing {
  const verdicts = judged.map(asVerdict);
  const busy = judged.filter(({ kind }) => kind === 'busy');
  if (busy.length > 0) {
    return { kind: 'wait', reason: `no node that fits has room: ${list(busy)}`, verdicts };
  }
  const reason = candidates.length === 0 ? 'no node is known' : `no node fits: ${list(judged)}`;
  return { kind: 'nowhere', reason, verdicts };
}

/** With a hundred nodes the first few tell the story. */
function list(judged: readonly Judged[]): string {
  const told = judged.slice(0, 3).map(({ node, reasons }) => `${node} (${reasons.join(', ')})`);
  return judged.length > 3 ? `${told.join('; ')}; and ${judged.length - 3} more` : told.join('; ');
}

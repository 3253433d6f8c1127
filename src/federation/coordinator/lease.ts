import type { Did } from '../../domain/fleet/did.ts';
import type { TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import type { SessionId, TaskId } from '../../domain/ids.ts';
import type { LeaseRow, LeaseState } from '../../storage/fleet-leases.ts';

/** An attempt that this run gives away, while it is not over. */
export interface Lease {
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId;
  epoch: number;
  state: LeaseState;
  refusals: Record<Did, string>;
  /** Null: it is being made. */
  order: { readonly text: string; readonly order: TaskOrder } | null;
  readonly claims: Set<Did>;
  /** When claims are looked at. */
  claimsDue: number;
  /** It was offered to all in vain: not again before this instant. */
  offerAfter: number;
  /** Since when its node does not name it any more. */
  missingSince: number | null;
  /** Last told why no node takes it. */
  told: string;
  isRevoked: boolean;
  /** How often a node was silent about it, and the one that is asked again. */
  tries: number;
  pinned: Did | null;
}

export function leaseOf({ task, attempt, session, epoch, state, refusals }: LeaseRow): Lease {
  return {
    task,
    attempt,
    session,
    epoch,
    state,
    refusals,
    order: null,
    claims: new Set(),
    claimsDue: Infinity,
    offerAfter: 0,
    missingSince: null,
    told: '',
    isRevoked: false,
    tries: 0,
    pinned: null,
  };
}

/** Whoever had it last, as it stands in the table. */
export function isHolder({ state }: LeaseRow, did: Did): boolean {
  return 'did' in state && state.did === did;
}

export function isWith({ state }: Lease, did: Did): boolean {
  return 'did' in state && state.did === did;
}

export function wordsOf({ task, attempt, epoch }: Lease) {
  return { task_id: task, attempt, epoch };
}

export function reportOf(end: TaskReport['end']): TaskReport {
  return { end, endedAt: Date.now(), output: { bytes: 0, cutFrom: null, source: 'none' }, files: [] };
}

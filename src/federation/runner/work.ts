import type { TaskOrder } from '../../domain/fleet/order.ts';
import type { GrantId } from '../../domain/fleet/order.ts';
import type { SessionId } from '../../domain/ids.ts';
import type { KillCause } from '../../domain/session.ts';
import type { OrderPlace, WorkRow, WorkState } from '../../storage/node-work.ts';
import type { Agents } from '../../executor/agents.ts';

/** An attempt that this node was given, while it is not over. */
export interface Work {
  grant: GrantId;
  readonly session: SessionId;
  state: WorkState;
  readonly place: OrderPlace;
  /** Null: it lies in the media store and was not fetched yet. */
  order: TaskOrder | null;
  agents: Agents | null;
  /** It is written down as asked for, and the host was not asked yet. */
  isUnsent: boolean;
  /** Its files are being fetched, or what it left is being gathered. */
  isBusy: boolean;
  /** It was asked to end. */
  stop: KillCause | null;
  /** Another node has it by now: nobody waits for its report. */
  isVoid: boolean;
  /** What its agent's hook said last; undefined: its turn is not done. */
  said: string | null | undefined;
  /** Lets go of a program that is being closed in its own way. */
  letGo: (() => void) | null;
  pid: number | null;
  /** The newest entry of the journal that was taken. */
  journalSeq: number;
  /** When it was offered or taken, on the clock that never jumps. */
  readonly since: number;
}

export function openWork(row: WorkRow & { readonly place: OrderPlace }, since: number): Work {
  const { run, task, attempt, epoch, session, state, place } = row;
  return {
    grant: { run, task, attempt, epoch },
    session,
    state,
    place,
    order: place.kind === 'here' ? place.order : null,
    agents: null,
    isUnsent: false,
    isBusy: false,
    stop: null,
    isVoid: false,
    said: undefined,
    letGo: null,
    pid: null,
    journalSeq: state.kind === 'asked' ? state.seq : 0,
    since,
  };
}

export function rowOf({ grant, session, state, place }: Work): WorkRow {
  return { ...grant, session, state, place };
}

import type { SessionEnd } from './session.ts';
import type { Failure } from './task.ts';
import { unreachable } from './unreachable.ts';

/** Returns the words for why an attempt did not complete: `exited with 1`. */
export function describeFailure(failure: Failure): string {
  switch (failure.kind) {
    case 'session':
      return describeEnd(failure.end);
    case 'timeout':
      return `took longer than ${seconds(failure.afterMs)}`;
    case 'not-started':
      return `could not start: ${failure.reason}`;
    case 'rejected':
      return `rejected by ${failure.by}`;
    case 'blocked-too-long':
      return `waited longer than ${seconds(failure.afterMs)} for a person`;
    case 'decided':
      return `declared failed by ${failure.by}`;
    default:
      return unreachable(failure);
  }
}

/** Returns the words for how a session ended. */
export function describeEnd(end: SessionEnd): string {
  switch (end.kind) {
    case 'exited':
      return `exited with ${end.code}`;
    case 'signalled':
      return `died by ${end.signal}`;
    case 'killed':
      return `ended by cis (${end.by})`;
    case 'lost':
      return 'lost with the host';
    case 'not-started':
      return `could not start: ${end.reason}`;
    default:
      return unreachable(end);
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

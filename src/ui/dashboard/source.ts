import type { SessionId } from '../../domain/ids.ts';
import type { Snapshot, Unfolded } from './state.ts';

/** Where the dashboard has runs from: the event log of this machine, or the events of a room. */
export interface RunSource extends Disposable {
  /** Shown at the top: `this machine`, or the room. */
  readonly from: string;
  /** How things stand now. */
  read(unfolded: Unfolded): Promise<Snapshot>;
  /** The last line on the screen of a session, when it is known; asked for what is shown, when it is shown. */
  lastLine(session: SessionId): string | null;
}

import type { LargeRef, TravelError } from '../../domain/fleet/travel.ts';
import type { Result } from '../../domain/result.ts';

/** Carries what is too large for an event through the media store. */
export interface Courier {
  /** The most bytes of one file, by the homeserver's own word. */
  readonly maxBytes: () => Promise<number>;
  putLarge(bytes: Uint8Array, name: string): Promise<Result<LargeRef, TravelError>>;
  /** Downloads and compares size and hash. */
  getLarge(ref: LargeRef, maxBytes: number): Promise<Result<Uint8Array, TravelError>>;
}

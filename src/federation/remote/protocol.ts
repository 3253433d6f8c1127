import type { SessionId } from '../../domain/ids.ts';
import type { RequestBody } from '../../host/protocol.ts';

/**
 * What may be asked of a node: what its host takes of people (protocol.ts of host/), in the same frames, and the recording of a
 * session, which at home is read from its file. It comes as the bytes of an attachment that ends by itself.
 */
export type RemoteBody = RequestBody | LogBody;
export type RemoteRequest = { readonly id: number } & RemoteBody;

export interface LogBody {
  readonly kind: 'log';
  readonly log: LogRequest;
}

export interface LogRequest {
  readonly session: SessionId;
  /** `text`: as a terminal would show it in the end, secrets of the node masked. `bytes`: exactly what it wrote. */
  readonly as: 'text' | 'bytes';
  /** Only so many of its last lines; null: all. */
  readonly lines: number | null;
  /** Goes on until the session ends; of `bytes`. */
  readonly follow: boolean;
}

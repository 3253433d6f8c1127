import type { Home } from '../config/home.ts';
import type { Result } from '../domain/result.ts';
import type { RunId } from '../domain/ids.ts';
import type { AttachmentEnd, HostError, JournalEntry, ReplyValue, RequestBody } from './protocol.ts';

/** A connection to a host, as `connectHost` (client.ts) gives it and the executor, the bridge and the commands use it. */
export interface HostConnection extends Disposable {
  /** Sends one request. A broken connection answers with `{kind: 'disconnected'}`; nothing throws. */
  request(body: RequestBody): Promise<Result<ReplyValue, HostError | Disconnected>>;
  /** Raw terminal bytes to the attached session. */
  type(attachment: number, bytes: Uint8Array): void;
  /** At most one listener each; set them before `follow` and `attach`. */
  listen(listeners: Partial<HostListeners>): void;
  /** Resolves when the connection is gone, by whichever side. */
  readonly closed: Promise<void>;
}

export interface HostListeners {
  readonly journal: (run: RunId, entry: JournalEntry) => void;
  readonly poke: (run: RunId) => void;
  readonly output: (attachment: number, bytes: Uint8Array) => void;
  readonly attachmentEnded: (attachment: number, reason: AttachmentEnd) => void;
}

export interface Disconnected {
  readonly kind: 'disconnected';
}

export interface ConnectOptions {
  readonly home: Home;
  /** Shown in `cis host status` and to whoever is refused: `dag run brave-otter-4f2a (pid 4711)`. */
  readonly what: string;
  /** Starts a host when there is none. */
  readonly start: boolean;
  /** One that is started ends after so long without session and client; default: a minute. */
  readonly idleMs?: number;
}

export type ConnectError =
  | { readonly kind: 'no-host' }
  | { readonly kind: 'not-yours'; readonly path: string; readonly uid: number }
  | { readonly kind: 'did-not-start'; readonly detail: string; readonly log: string };

export type ConnectHost = (options: ConnectOptions) => Promise<Result<HostConnection, ConnectError>>;

/**
 * What waits to be sent to a room goes by lane, the most urgent first: a question and its outcome must not wait behind a
 * thousand details when the homeserver allows one event in five seconds.
 */
export const lanes = ['question', 'outcome', 'result', 'work', 'card', 'machine', 'detail'] as const;

export type Lane = (typeof lanes)[number];

/**
 * One event for a room, frozen: its transaction id and its content never change after it was written, so sending it twice
 * is one event in the room. In an encrypted room `ciphertext` is written before the first send, and never made again.
 *
 *   waiting ─▶ sent
 *      └─────▶ parked   (refused for good; shown by `cis matrix status`, never in the way of the others)
 */
export interface OutboxRow {
  readonly id: number;
  readonly room: string;
  readonly lane: Lane;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly ciphertext: Readonly<Record<string, unknown>> | null;
  readonly txnId: string;
  /** The row whose event this one relates to; its event id is filled in once it was sent. */
  readonly refersTo: number | null;
  readonly attempts: number;
  readonly createdAt: number;
}

/** What is put into the outbox. */
export interface OutboxItem {
  readonly room: string;
  readonly lane: Lane;
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly refersTo?: number;
}

/** What became of a row in the outbox. */
export type OutboxState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'sent'; readonly eventId: string; readonly sentAt: number }
  | { readonly kind: 'parked'; readonly reason: string };

/** What an outbox holds, for `cis matrix status`. */
export interface OutboxSummary {
  readonly waiting: number;
  readonly sent: number;
  readonly parked: number;
  readonly oldestAt: number | null;
  readonly lastError: string | null;
}

/** The room is encrypted, or it is not, or nobody has asked yet. Once encrypted, for ever: a server that says otherwise lies. */
export type RoomEncryption = 'encrypted' | 'plain' | 'unknown';

/** The homeserver's limit as the client mirrors it; null where it was lifted. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** The state of the token bucket, kept across restarts. */
export interface BucketState {
  readonly tokens: number;
  readonly at: number;
  /** No send before this instant: the homeserver said so. */
  readonly notBefore: number;
}

/** What the homeserver said about the room of a run, when it was asked first. */
export interface RoomPlace {
  readonly room: string;
  /** Where machine events go: in an encrypted room they would raise people's unread counts. Null: they may not be sent. */
  readonly machineRoom: string | null;
  /** Who is mentioned when somebody is needed. */
  readonly people: readonly string[];
  /** The definition of the DAG, where it was too large for an event. */
  readonly dagMedia: {
    readonly mxc: string;
    readonly bytes: number;
    readonly file?: Readonly<Record<string, unknown>>;
  } | null;
}

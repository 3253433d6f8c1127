/** Why a request to the homeserver did not do what it should, by what the caller can do about it. */
export type MatrixFailure =
  /** No answer: no network, refused connection, name not found, connection cut. */
  | { readonly kind: 'offline'; readonly detail: string }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  | { readonly kind: 'rate-limited'; readonly retryAfterMs: number }
  /** The access token is gone: logged out elsewhere, or revoked. */
  | { readonly kind: 'unauthorized'; readonly errcode: string; readonly detail: string }
  | { readonly kind: 'forbidden'; readonly errcode: string; readonly detail: string }
  | { readonly kind: 'not-found'; readonly errcode: string; readonly detail: string }
  | { readonly kind: 'too-large'; readonly detail: string }
  /** Any other 4xx: sending it again will not help. `body` carries what interactive authentication needs. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly errcode: string;
      readonly detail: string;
      readonly body: Readonly<Record<string, unknown>>;
    }
  /** 5xx: `gateway` when it came from something before the homeserver (502, 503, 504), which blames no single event. */
  | { readonly kind: 'server'; readonly status: number; readonly gateway: boolean; readonly detail: string }
  /** The answer was no Matrix answer. */
  | { readonly kind: 'bad-answer'; readonly detail: string };

/** True when the same request may succeed later without anybody doing anything. */
export function isPassing(failure: MatrixFailure): boolean {
  switch (failure.kind) {
    case 'offline':
    case 'timeout':
    case 'rate-limited':
    case 'server':
    case 'bad-answer':
      return true;
    case 'unauthorized':
    case 'forbidden':
    case 'not-found':
    case 'too-large':
    case 'refused':
      return false;
  }
}

/** Words for a failure, without saying what was tried. */
export function describeFailure(failure: MatrixFailure): string {
  switch (failure.kind) {
    case 'offline':
      return `the homeserver cannot be reached (${failure.detail})`;
    case 'timeout':
      return `the homeserver did not answer within ${Math.round(failure.afterMs / 1000)} s`;
    case 'rate-limited':
      return `the homeserver asks to wait ${Math.ceil(failure.retryAfterMs / 1000)} s (rate limit)`;
    case 'unauthorized':
      return `the homeserver no longer accepts this device's access token (${failure.errcode})`;
    case 'forbidden':
      return `the homeserver refuses it (${failure.errcode}: ${failure.detail})`;
    case 'not-found':
      return `the homeserver does not know it (${failure.errcode}: ${failure.detail})`;
    case 'too-large':
      return `it is too large (${failure.detail})`;
    case 'refused':
      return `the homeserver refuses it (${failure.status} ${failure.errcode}: ${failure.detail})`;
    case 'server':
      return `the homeserver has a problem (${failure.status}: ${failure.detail})`;
    case 'bad-answer':
      return `what answers there is no Matrix homeserver (${failure.detail})`;
  }
}

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Home } from '../../config/home.ts';
import type { LargeRef, TravelError } from '../../domain/fleet/travel.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { describeFailure, isPassing, type MatrixFailure } from '../../matrix/failure.ts';
import { openHttp, type Http } from '../../matrix/http.ts';
import { openMedia } from '../../matrix/media.ts';
import { backoffMs } from '../../matrix/pause.ts';
import type { Media } from '../../matrix/port.ts';
import { matrixFiles, readAccount } from '../../matrix/secrets.ts';

/** Carries what is too large for an event through the media store. */
export interface Courier {
  /** Tells media stores apart, and whether files are encrypted there: what was put into one is of no use for another. */
  readonly store: string;
  /** The most bytes of one file, by the homeserver's own word. */
  maxBytes(): Promise<number>;
  putLarge(bytes: Uint8Array, name: string): Promise<Result<LargeRef, TravelError>>;
  /** Downloads, and compares size and hash with what was said of it. */
  getLarge(ref: LargeRef, maxBytes?: number): Promise<Result<Uint8Array, TravelError>>;
}

export interface CourierOptions {
  readonly media: Media;
  readonly store: string;
  /** As in the room whose events name the files: an encrypted room's files are encrypted. */
  readonly encrypt: boolean;
  /** What the homeserver says it takes; null: it does not say. */
  readonly uploadLimit: () => Promise<number | null>;
  readonly tries?: number;
}

/** What is taken of a file without a limit of its own: beyond it memory would be the first to say no. */
const mostBytes = 512 * 1024 * 1024;
/** What every homeserver that says nothing takes. */
const defaultUploadBytes = 50 * 1024 * 1024;

/**
 * Opens a courier with the account of a home. It needs the token and nothing of the device: keys and sync stay the bridge's, and
 * a large file does not stand in the way of what the bridge carries.
 */
export function openHomeCourier(home: Home, encrypt: boolean): Result<Courier, string> {
  const account = readAccount(matrixFiles(home.dir));
  if (!account.ok) return account;
  if (account.value === null) return err('not logged in: cis matrix login');
  const http = openHttp(account.value.homeserver, account.value.accessToken);
  const store = `${account.value.homeserver}${encrypt ? ' encrypted' : ''}`;
  return ok(openCourier({ media: openMedia(http), store, encrypt, uploadLimit: () => readUploadLimit(http) }));
}

export function openCourier({ media, store, encrypt, uploadLimit, tries = 5 }: CourierOptions): Courier {
  let limit: Promise<number> | null = null;
  const maxBytes = (): Promise<number> => (limit ??= uploadLimit().then((said) => said ?? defaultUploadBytes));
  return {
    store,
    maxBytes,
    async putLarge(bytes, name) {
      const most = await maxBytes();
      if (bytes.length > most) return err(tooLarge(name, bytes.length, most));
      const sent = await insist(tries, () => media.upload(bytes, 'application/octet-stream', { name, encrypt }));
      if (!sent.ok) return err(travelError(sent.error, `${name} cannot be uploaded`));
      const { mxc, file } = sent.value;
      return ok({ mxc, sha256: sha256Of(bytes), bytes: bytes.length, ...(file === null ? {} : { file }) });
    },
    async getLarge(ref, most = mostBytes) {
      if (ref.bytes > most) return err(tooLarge(ref.mxc, ref.bytes, most));
      const { mxc, file } = ref;
      // one byte more is enough to see that it is not what was announced
      const got = await insist(tries, () => media.download({ mxc, file: file ?? null }, ref.bytes + 1));
      if (!got.ok && got.error.kind === 'bad-answer') return err({ kind: 'damaged', detail: got.error.detail });
      if (!got.ok) return err(travelError(got.error, `${mxc} cannot be downloaded`));
      if (got.value.length === ref.bytes && sha256Of(got.value) === ref.sha256) return got;
      return err({ kind: 'damaged', detail: `${mxc} is not the file that was announced: its size or hash differs` });
    },
  };
}

/** The most bytes that the homeserver takes in one upload. */
async function readUploadLimit(http: Http): Promise<number | null> {
  for (const path of ['/_matrix/client/v1/media/config', '/_matrix/media/v3/config']) {
    const answer = await http.json({ method: 'GET', path });
    const size = answer.ok ? answer.value['m.upload.size'] : null;
    if (typeof size === 'number' && size > 0) return size;
  }
  return null;
}

/** A file that is not there yet may still be on its way between two servers. */
async function insist<T>(
  tries: number,
  ask: () => Promise<Result<T, MatrixFailure>>,
): Promise<Result<T, MatrixFailure>> {
  for (let failures = 0; ; failures += 1) {
    const answer = await ask();
    if (answer.ok || failures + 1 >= tries) return answer;
    const { error } = answer;
    const mayPass = error.kind !== 'bad-answer' && isPassing(error);
    if (!mayPass && !(error.kind === 'not-found' && failures === 0)) return answer;
    await sleep(error.kind === 'rate-limited' ? error.retryAfterMs : Math.min(backoffMs(failures, 0), 5_000));
  }
}

function travelError(failure: MatrixFailure, what: string): TravelError {
  const detail = `${what}: ${describeFailure(failure)}`;
  if (failure.kind === 'not-found') return { kind: 'missing', detail };
  if (failure.kind === 'too-large') return { kind: 'too-large', detail };
  return { kind: isPassing(failure) ? 'passing' : 'refused', detail };
}

function tooLarge(name: string, bytes: number, most: number): TravelError {
  return { kind: 'too-large', detail: `${name} has ${mebibytes(bytes)}, and at most ${mebibytes(most)} can travel` };
}

export function mebibytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

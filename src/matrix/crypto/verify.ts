import * as wasm from '@matrix-org/matrix-sdk-crypto-wasm';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import type { Http } from '../http.ts';
import type { Look, RoomEvent, RoomTransport } from '../port.ts';
import { userId, type OpenCrypto } from './machine.ts';
import { sendOne, type OutgoingRequest } from './requests.ts';

export interface ShownEmoji {
  readonly symbol: string;
  readonly description: string;
}

export interface VerifyOptions {
  /** Asks this account's other devices; otherwise it waits for somebody to ask us. */
  readonly ask: boolean;
  /** Shows the emoji; true when the person says that the other side shows the same. */
  readonly compare: (emoji: readonly ShownEmoji[], other: string) => Promise<boolean>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

export type VerifyProblem =
  | MatrixFailure
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** The account has no identity yet, or no other device that could answer. */
  | { readonly kind: 'nobody-to-ask' };

export interface VerifyParts {
  readonly crypto: OpenCrypto;
  readonly http: Http;
  readonly transport: RoomTransport;
}

/** Verifies by comparing emoji, with another client of this account or with a person's; returns who it was. */
export async function verifyByEmoji(
  parts: VerifyParts,
  options: VerifyOptions,
): Promise<Result<string, VerifyProblem>> {
  const first = await parts.transport.look(null, 1, options.signal);
  if (!first.ok) return first;
  const asked = options.ask ? await askOwnDevices(parts, options) : ok(null);
  if (!asked.ok) return asked;
  let request = asked.value;
  let since = first.value.next;
  const memory: Memory = { compared: false, started: false, senders: new Set() };
  for (let news: Look = first.value; !options.signal.aborted;) {
    for (const event of news.events) await takeRoomEvent(parts, event);
    for (const { sender } of [...news.events, ...news.deviceMessages]) memory.senders.add(sender);
    request ??= openRequest(parts.crypto.machine, memory.senders);
    if (request !== null) {
      const end = await advance(parts, request, memory, options);
      if (end !== null) return end;
    }
    const seen = await parts.transport.look(since, 5000, options.signal);
    if (options.signal.aborted) break;
    if (!seen.ok) return seen;
    since = seen.value.next;
    news = seen.value;
  }
  return err({ kind: 'cancelled', reason: 'interrupted here' });
}

interface Memory {
  compared: boolean;
  started: boolean;
  /** Who may have asked us. */
  readonly senders: Set<string>;
}

async function askOwnDevices(
  parts: VerifyParts,
  options: VerifyOptions,
): Promise<Result<wasm.VerificationRequest, VerifyProblem>> {
  const identity = await parts.crypto.machine.getIdentity(parts.crypto.machine.userId);
  if (!(identity instanceof wasm.OwnUserIdentity)) return err({ kind: 'nobody-to-ask' });
  const [request, outgoing] = await identity.requestVerification([wasm.VerificationMethod.SasV1]);
  const sent = await send(parts, outgoing);
  if (!sent.ok) return sent;
  options.onProgress('asked your other devices: accept it there');
  return ok(request);
}

/** The first request that is open, of those who wrote to us. */
function openRequest(machine: wasm.OlmMachine, senders: ReadonlySet<string>): wasm.VerificationRequest | null {
  for (const user of senders) {
    const open = machine.getVerificationRequests(userId(user)).find((one) => !one.isDone() && !one.isCancelled());
    if (open !== undefined) return open;
  }
  return null;
}

/** Verification between people runs in their room. */
async function takeRoomEvent({ crypto: { machine }, http }: VerifyParts, event: RoomEvent): Promise<void> {
  if (event.txnId !== null) return;
  const isRequest = event.type === 'm.room.message' && event.content['msgtype'] === 'm.key.verification.request';
  if (!isRequest && !event.type.startsWith('m.key.verification.')) return;
  // A request of somebody whose keys are not known here would be dropped without a word.
  if (isRequest) await sendOne(machine, http, machine.queryKeysForUsers([userId(event.sender)]));
  const raw = {
    event_id: event.eventId,
    sender: event.sender,
    type: event.type,
    content: event.content,
    origin_server_ts: event.at,
    room_id: event.room,
  };
  await machine.receiveVerificationEvent(JSON.stringify(raw), new wasm.RoomId(event.room));
}

/** Does what is our turn; the end, or null while it goes on. */
async function advance(
  parts: VerifyParts,
  request: wasm.VerificationRequest,
  memory: Memory,
  options: VerifyOptions,
): Promise<Result<string, VerifyProblem> | null> {
  if (request.isDone()) return ok(request.otherUserId.toString());
  if (request.isCancelled())
    return err({ kind: 'cancelled', reason: request.cancelInfo?.reason() ?? 'the other side' });
  const requests: (OutgoingRequest | undefined)[] = [];
  if (request.phase() === wasm.VerificationRequestPhase.Requested && !request.weStarted()) {
    options.onProgress(`${request.otherUserId.toString()} wants to verify this device`);
    requests.push(request.acceptWithMethods([wasm.VerificationMethod.SasV1]));
  }
  if (request.phase() === wasm.VerificationRequestPhase.Ready && request.weStarted() && !memory.started) {
    memory.started = true;
    requests.push((await request.startSas())?.[1]);
  }
  const sas = request.getVerification();
  if (sas instanceof wasm.Sas) requests.push(...(await advanceSas(sas, memory, options)));
  for (const outgoing of requests) {
    const sent = outgoing === undefined ? ok(undefined) : await send(parts, outgoing);
    if (!sent.ok) return sent;
  }
  return null;
}

async function advanceSas(
  sas: wasm.Sas,
  memory: Memory,
  options: VerifyOptions,
): Promise<(OutgoingRequest | undefined)[]> {
  if (!sas.weStarted() && !sas.hasBeenAccepted()) return [sas.accept()];
  const emoji = sas.canBePresented() ? sas.emoji() : undefined;
  if (emoji === undefined || memory.compared) return [];
  memory.compared = true;
  const shown = emoji.map(({ symbol, description }) => ({ symbol, description }));
  const isSame = await options.compare(shown, sas.otherUserId.toString());
  return isSame ? sas.confirm() : [sas.cancelWithCode('m.mismatched_sas')];
}

/** In a room these go in the clear, also in an encrypted one, as matrix-js-sdk sends them: they hold public keys and hashes. */
function send({ crypto, http }: VerifyParts, request: OutgoingRequest): Promise<Result<void, MatrixFailure>> {
  return sendOne(crypto.machine, http, request);
}

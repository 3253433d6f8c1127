import * as wasm from '@matrix-org/matrix-sdk-crypto-wasm';
import { err, ok, type Result } from '../../domain/result.ts';
import type { MatrixFailure } from '../failure.ts';
import { isObject, type Http, type HttpRequest, type JsonObject } from '../http.ts';

const v3 = '/_matrix/client/v3';

/** A request the crypto library wants to be sent. */
export interface OutgoingRequest {
  readonly id: string | undefined;
  readonly type: wasm.RequestType;
  readonly body: string;
}

/** Sends all that the machine has waiting. The first failure ends it; what was not sent is offered again. */
export async function sendCryptoRequests(machine: wasm.OlmMachine, http: Http): Promise<Result<void, MatrixFailure>> {
  for (const request of await machine.outgoingRequests()) {
    const sent = await sendOne(machine, http, request);
    if (!sent.ok) return sent;
  }
  return ok(undefined);
}

/** Sends one request and tells the machine of the answer. */
export async function sendOne(
  machine: wasm.OlmMachine,
  http: Http,
  request: OutgoingRequest,
): Promise<Result<void, MatrixFailure>> {
  const parsed: unknown = JSON.parse(request.body);
  if (!isObject(parsed)) return err({ kind: 'bad-answer', detail: 'the crypto library made a malformed request' });
  const answer = await withPatience(http, httpRequestOf(request, parsed));
  if (!answer.ok) return answer;
  if (request.id !== undefined) await machine.markRequestAsSent(request.id, request.type, JSON.stringify(answer.value));
  return ok(undefined);
}

/** Key requests are limited apart from events, and short: waiting here is simpler than for every caller. */
async function withPatience(http: Http, request: HttpRequest): Promise<Result<JsonObject, MatrixFailure>> {
  for (let tries = 0; ; tries++) {
    const answer = await http.json(request);
    if (answer.ok || answer.error.kind !== 'rate-limited' || tries === 3) return answer;
    const waitMs = Math.min(answer.error.retryAfterMs, 10_000);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

function httpRequestOf(request: OutgoingRequest, body: JsonObject): HttpRequest {
  switch (request.type) {
    case wasm.RequestType.KeysUpload:
      return { method: 'POST', path: `${v3}/keys/upload`, body };
    case wasm.RequestType.KeysQuery:
      return { method: 'POST', path: `${v3}/keys/query`, body };
    case wasm.RequestType.KeysClaim:
      return { method: 'POST', path: `${v3}/keys/claim`, body };
    case wasm.RequestType.SignatureUpload:
      return { method: 'POST', path: `${v3}/keys/signatures/upload`, body };
    case wasm.RequestType.KeysBackup:
      return { method: 'PUT', path: `${v3}/room_keys/keys`, body };
    case wasm.RequestType.ToDevice: {
      const { event_type: type, txn_id: txn } = request as wasm.ToDeviceRequest;
      return { method: 'PUT', path: `${v3}/sendToDevice/${encodeURIComponent(type)}/${encodeURIComponent(txn)}`, body };
    }
    case wasm.RequestType.RoomMessage: {
      const { room_id: room, event_type: type, txn_id: txn } = request as wasm.RoomMessageRequest;
      return {
        method: 'PUT',
        path: `${v3}/rooms/${encodeURIComponent(room)}/send/${encodeURIComponent(type)}/${encodeURIComponent(txn)}`,
        body,
      };
    }
  }
}

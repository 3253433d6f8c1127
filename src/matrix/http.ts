import { err, ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import type { Credentials } from './token.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: JsonObject | Uint8Array;
  readonly contentType?: string;
  /** Beyond this the request counts as lost. Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A connection to one homeserver. */
export interface Http {
  readonly homeserver: string;
  json(request: HttpRequest): Promise<Result<JsonObject, MatrixFailure>>;
  bytes(request: HttpRequest, maxBytes: number): Promise<Result<Uint8Array, MatrixFailure>>;
}

/** Opens a thin client. The token travels in a header, never in an address. It never throws for what a network can do. */
export function openHttp(homeserver: string, credentials: Credentials): Http {
  const base = homeserver.replace(/\/+$/, '');
  return {
    homeserver: base,
    async json(request) {
      const answer = await exchange(base, credentials, request);
      if (!answer.ok) return answer;
      return parseObject(new TextDecoder().decode(answer.value));
    },
    async bytes(request, maxBytes) {
      return exchange(base, credentials, request, maxBytes);
    },
  };
}

/** A token that is no longer taken is renewed once, where it can be. */
async function exchange(
  base: string,
  credentials: Credentials,
  request: HttpRequest,
  maxBytes = 256 * 1024 * 1024,
): Promise<Result<Uint8Array, MatrixFailure>> {
  if (credentials === null || typeof credentials === 'string') return attempt(base, credentials, request, maxBytes);
  const token = credentials.current();
  const first = await attempt(base, token, request, maxBytes);
  if (first.ok || first.error.kind !== 'unauthorized') return first;
  const renewed = await credentials.renew(token);
  if (!renewed.ok) return renewed;
  return renewed.value === null ? first : attempt(base, renewed.value, request, maxBytes);
}

async function attempt(
  base: string,
  token: string | null,
  request: HttpRequest,
  maxBytes: number,
): Promise<Result<Uint8Array, MatrixFailure>> {
  const timeoutMs = request.timeoutMs ?? 30_000;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
  try {
    const response = await fetch(addressOf(base, request), { ...initOf(token, request), signal, redirect: 'error' });
    const body = await readBody(response, maxBytes);
    if (body === null) return err({ kind: 'too-large', detail: `more than ${maxBytes} bytes` });
    return response.ok ? ok(body) : err(failureOf(response, body));
  } catch (error) {
    if (deadline.aborted && !(request.signal?.aborted ?? false)) return err({ kind: 'timeout', afterMs: timeoutMs });
    return err({ kind: 'offline', detail: causeOf(error) });
  }
}

/** Stops reading beyond `maxBytes`: a server must not fill our memory. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function addressOf(base: string, request: HttpRequest): URL {
  const url = new URL(base + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function initOf(token: string | null, request: HttpRequest): RequestInit {
  const headers: Record<string, string> = {};
  if (token !== null) headers['Authorization'] = `Bearer ${token}`;
  if (request.body === undefined) return { method: request.method, headers };
  if (request.body instanceof Uint8Array) {
    headers['Content-Type'] = request.contentType ?? 'application/octet-stream';
    return { method: request.method, headers, body: Buffer.from(request.body) };
  }
  headers['Content-Type'] = 'application/json';
  return { method: request.method, headers, body: JSON.stringify(request.body) };
}

function failureOf(response: Response, raw: Uint8Array): MatrixFailure {
  const { status } = response;
  const parsed = parseObject(new TextDecoder().decode(raw));
  const body = parsed.ok ? parsed.value : {};
  const errcode = textOf(body['errcode'], 'M_UNKNOWN');
  const detail = textOf(body['error'], response.statusText || 'no reason given');
  if (status === 429) return { kind: 'rate-limited', retryAfterMs: retryAfter(response, body) };
  if (status >= 500) return { kind: 'server', status, gateway: status !== 500, detail };
  if (errcode === 'M_UNKNOWN_TOKEN' || errcode === 'M_MISSING_TOKEN') return { kind: 'unauthorized', errcode, detail };
  if (status === 401 && !('flows' in body)) return { kind: 'unauthorized', errcode, detail };
  if (status === 403) return { kind: 'forbidden', errcode, detail };
  if (status === 404) return { kind: 'not-found', errcode, detail };
  if (status === 413 || errcode === 'M_TOO_LARGE') return { kind: 'too-large', detail };
  return { kind: 'refused', status, errcode, detail, body };
}

/** The body's number is exact; the header has whole seconds, rounded up. Five seconds when neither is there. */
function retryAfter(response: Response, body: JsonObject): number {
  const exact = body['retry_after_ms'];
  if (typeof exact === 'number' && Number.isFinite(exact) && exact >= 0) return exact;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 5000;
}

function parseObject(text: string): Result<JsonObject, MatrixFailure> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return ok(value);
  } catch {
    // Said below: the same words for no JSON and for JSON that is no object.
  }
  return err({ kind: 'bad-answer', detail: `not a JSON object: ${JSON.stringify(text.slice(0, 60))}` });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}

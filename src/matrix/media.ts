import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { err, ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import { isObject, textOf, type Http, type JsonObject } from './http.ts';
import type { Media, MediaRef, UploadOptions } from './port.ts';
import { textIn } from './rooms.ts';

/** Files over HTTP; in encrypted rooms they are encrypted here (AES-256-CTR, as the specification's `EncryptedFile`). */
export function openMedia(http: Http): Media {
  return {
    upload: (bytes, contentType, options) => upload(http, bytes, contentType, options),
    download: (ref, maxBytes) => download(http, ref, maxBytes),
    maxBytes: () => readLimit(http),
  };
}

async function readLimit(http: Http): Promise<Result<number | null, MatrixFailure>> {
  const answer = await http.json({ method: 'GET', path: '/_matrix/client/v1/media/config' });
  if (!answer.ok) return answer.error.kind === 'not-found' ? ok(null) : answer;
  const limit = answer.value['m.upload.size'];
  return ok(typeof limit === 'number' && limit > 0 ? limit : null);
}

async function upload(
  http: Http,
  bytes: Uint8Array,
  contentType: string,
  options: UploadOptions,
): Promise<Result<MediaRef, MatrixFailure>> {
  const locked = options.encrypt ? encryptFile(bytes) : null;
  const answer = await http.json({
    method: 'POST',
    path: '/_matrix/media/v3/upload',
    query: options.encrypt ? {} : { filename: options.name },
    body: locked?.bytes ?? bytes,
    contentType: options.encrypt ? 'application/octet-stream' : contentType,
    timeoutMs: 300_000,
  });
  const mxc = textIn(answer, 'content_uri');
  if (!mxc.ok) return mxc;
  return ok({ mxc: mxc.value, file: locked === null ? null : { ...locked.file, url: mxc.value } });
}

async function download(http: Http, ref: MediaRef, maxBytes: number): Promise<Result<Uint8Array, MatrixFailure>> {
  const match = /^mxc:\/\/([^/]+)\/([A-Za-z0-9_-]+)$/.exec(ref.mxc);
  if (match === null) return err({ kind: 'bad-answer', detail: `"${ref.mxc}" is no mxc address` });
  const [, server = '', id = ''] = match;
  const path = `/_matrix/client/v1/media/download/${encodeURIComponent(server)}/${encodeURIComponent(id)}`;
  const bytes = await http.bytes({ method: 'GET', path, timeoutMs: 300_000 }, maxBytes);
  if (!bytes.ok || ref.file === null) return bytes;
  return decryptFile(bytes.value, ref.file);
}

function encryptFile(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly file: JsonObject } {
  const key = randomBytes(32);
  // The lower half counts blocks and starts at 0: some clients overflow otherwise.
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)]);
  const cipher = createCipheriv('aes-256-ctr', key, iv);
  const locked = Buffer.concat([cipher.update(bytes), cipher.final()]);
  const file = {
    v: 'v2',
    key: { kty: 'oct', alg: 'A256CTR', ext: true, key_ops: ['encrypt', 'decrypt'], k: key.toString('base64url') },
    iv: unpadded(iv),
    hashes: { sha256: unpadded(createHash('sha256').update(locked).digest()) },
  };
  return { bytes: locked, file };
}

function decryptFile(locked: Uint8Array, file: JsonObject): Result<Uint8Array, MatrixFailure> {
  const key = isObject(file['key']) ? Buffer.from(textOf(file['key']['k'], ''), 'base64url') : Buffer.alloc(0);
  const iv = Buffer.from(textOf(file['iv'], ''), 'base64');
  const hash = isObject(file['hashes']) ? Buffer.from(textOf(file['hashes']['sha256'], ''), 'base64') : Buffer.alloc(0);
  if (key.length !== 32 || iv.length !== 16)
    return err({ kind: 'bad-answer', detail: 'the key of a file is malformed' });
  const found = createHash('sha256').update(locked).digest();
  if (hash.length !== 32 || !timingSafeEqual(hash, found)) {
    return err({ kind: 'bad-answer', detail: 'an encrypted file was changed on its way' });
  }
  const decipher = createDecipheriv('aes-256-ctr', key, iv);
  return ok(Buffer.concat([decipher.update(locked), decipher.final()]));
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

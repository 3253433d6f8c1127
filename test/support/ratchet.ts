import { expect } from 'vitest';
import type { JsonObject } from '../../src/matrix/http.ts';

/** A megolm message is: version byte 3, then tag 0x08 and the index as a varint. With the session it names the message key. */
export function ratchetIndex(event: JsonObject): string {
  const content = event['content'] as { readonly session_id: string; readonly ciphertext: string };
  const bytes = Buffer.from(content.ciphertext, 'base64');
  expect([bytes[0], bytes[1]]).toEqual([3, 8]);
  let index = 0;
  for (let place = 2, shift = 0; ; place++, shift += 7) {
    const byte = bytes[place] ?? 0;
    index |= (byte & 0x7f) << shift;
    if (byte < 0x80) return `${content.session_id} ${index}`;
  }
}

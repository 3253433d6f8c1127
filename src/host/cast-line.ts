const digits = Buffer.from('0123456789abcdef');
/** The letter that stands for a byte behind a backslash, 1 for `\u00xx`, 0 for the byte itself. */
const escapes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const escaped = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  if (byte >= 0x80 || escaped.length === 1) return 0;
  return escaped.length === 2 ? escaped.charCodeAt(1) : 1;
});

let line = Buffer.allocUnsafe(64 * 1024);

/**
 * Writes one line of an asciicast, `[at, "kind", "data"]`, with the UTF-8 text `data`, as `JSON.stringify` would. Valid until the
 * next call: a flood is all lines, and strings in between would cost half of its time.
 */
export function castLine(at: number, kind: string, data: Uint8Array): Buffer {
  const most = 64 + 6 * data.length;
  if (line.length < most) line = Buffer.allocUnsafe(most);
  let end = line.write(`[${at.toFixed(6)}, "${kind}", "`, 'latin1');
  const to = line;
  for (let index = 0; index < data.length; index += 1) {
    const byte = data[index] as number;
    const escape = escapes[byte] as number;
    if (escape === 0) to[end++] = byte;
    else {
      to[end++] = 0x5c;
      if (escape > 1) to[end++] = escape;
      else {
        to[end++] = 0x75;
        to[end++] = 0x30;
        to[end++] = 0x30;
        to[end++] = digits[byte >> 4] as number;
        to[end++] = digits[byte & 15] as number;
      }
    }
  }
  end += line.write('"]\n', end, 'latin1');
  return line.subarray(0, end);
}

/** The last lines of a text. */
export function lastLines(text: string, count: number): string {
  return count === 0 ? '' : text.split('\n').slice(-count).join('\n');
}

/** The last lines of bytes, as they are. */
export function lastBytes(bytes: Buffer, count: number): Buffer {
  if (count === 0) return bytes.subarray(bytes.length);
  let from = bytes.at(-1) === 10 ? bytes.length - 1 : bytes.length; // the last line's own end begins no other
  for (let lines = 0; from > 0 && lines < count; lines += 1) from = bytes.lastIndexOf(10, from - 1);
  return bytes.subarray(Math.max(0, from + 1));
}

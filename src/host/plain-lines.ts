/** Places in text: between characters, after ESC, among the parameters of a colour, after the first byte of U+0080..U+00BF. */
const [text, escape, parameters, twoBytes, notPlain] = [0, 1, 2, 3, 4] as const;

function nextPlace(place: number, byte: number): number {
  switch (place) {
    case escape:
      return byte === 0x5b ? parameters : notPlain; // [
    case parameters:
      if (byte >= 0x30 && byte <= 0x3b) return parameters; // digits, colons, semicolons
      return byte === 0x6d ? text : notPlain; // m
    case twoBytes:
      return byte >= 0xa0 ? text : notPlain; // U+0080..U+009F are controls
    default:
      if (byte === 0x1b) return escape;
      if (byte === 0xc2) return twoBytes;
      return byte === 9 || byte === 10 || byte === 13 || (byte >= 0x20 && byte !== 0x7f) ? text : notPlain;
  }
}

/** By place and byte: one look a byte, as every byte of a flood is looked at. */
const places = Uint8Array.from({ length: notPlain * 256 }, (_, index) => nextPlace(index >> 8, index & 255));

/**
 * Returns a function that takes the chunks of an output and says of each whether it does no more than print, colour and go on to
 * the next line. A sequence that a chunk begins counts by what came of it so far.
 */
export function openPlainLines(): (bytes: Uint8Array) => boolean {
  let place: number = text;
  return (bytes) => {
    let at = place;
    for (let index = 0; index < bytes.length; index += 1) {
      at = places[(at << 8) | (bytes[index] as number)] ?? notPlain;
      if (at === notPlain) break;
    }
    place = at === notPlain ? text : at;
    return at !== notPlain;
  };
}

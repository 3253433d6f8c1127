/** Most bytes of one frame: an environment or a screen fits many times; what is longer is not ours. */
const maxFrameBytes = 64 * 1024 * 1024;

export type Frame =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'bytes'; readonly attachment: number; readonly bytes: Buffer };

/** Frames one JSON message: length of what follows (4 bytes, big-endian), type 0, UTF-8 JSON. */
export function frameJson(message: unknown): Buffer {
  const text = JSON.stringify(message);
  const size = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(5 + size);
  frame.writeUInt32BE(1 + size, 0);
  frame[4] = 0;
  frame.write(text, 5);
  return frame;
}

/** Frames raw terminal bytes of an attachment: length, type 1, attachment number (4 bytes), bytes. */
export function frameBytes(attachment: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(9 + bytes.length);
  frame.writeUInt32BE(5 + bytes.length, 0);
  frame[4] = 1;
  frame.writeUInt32BE(attachment, 5);
  frame.set(bytes, 9);
  return frame;
}

/** Returns a function that takes chunks of a stream and gives the frames they complete; throws on what is no frame, or too large. */
export function openFrameReader(maxBytes: number = maxFrameBytes): (chunk: Buffer) => Frame[] {
  let kept: Buffer[] = [];
  let size = 0;
  let wanted = 4;
  return (chunk) => {
    kept.push(chunk);
    size += chunk.length;
    if (size < wanted) return [];
    let rest = kept.length === 1 ? chunk : Buffer.concat(kept, size);
    const frames: Frame[] = [];
    wanted = 4;
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0);
      if (length < 1 || length > maxBytes) throw new Error(`a frame of ${length} bytes`);
      wanted = 4 + length;
      if (rest.length < wanted) break;
      frames.push(parseFrame(rest.subarray(4, wanted)));
      rest = rest.subarray(wanted);
      wanted = 4;
    }
    kept = rest.length === 0 ? [] : [rest];
    size = rest.length;
    return frames;
  };
}

function parseFrame(body: Buffer): Frame {
  if (body[0] === 0) return { kind: 'json', text: body.toString('utf8', 1) };
  if (body[0] === 1 && body.length >= 5) {
    return { kind: 'bytes', attachment: body.readUInt32BE(1), bytes: body.subarray(5) };
  }
  throw new Error(`a frame of type ${body[0]}`);
}

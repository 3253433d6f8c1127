import * as v from 'valibot';

/** The version of the content this cis writes; a reader takes newer ones, with a warning, as far as they still fit. */
export const contentVersion = 1;

const wholeNumber = v.pipe(v.number(), v.safeInteger());
export const id = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
export const text = v.string();
export const count = v.pipe(wholeNumber, v.minValue(0));
/** Ms since 1970. */
export const instant = v.pipe(wholeNumber, v.minValue(0));
export const exitCode = wholeNumber;

/** A file that was too large for the event: where it lies, its hash, and the key in encrypted rooms. */
export const mediaRef = v.object({
  mxc: v.pipe(v.string(), v.startsWith('mxc://')),
  sha256: v.pipe(v.string(), v.hexadecimal(), v.length(64)),
  bytes: count,
  file: v.optional(v.record(v.string(), v.unknown())),
});

/** Who signed what, for which room and as whom; made and checked by `federation/sign.ts`, on the content as it came. */
const signature = v.object({
  did: v.pipe(v.string(), v.startsWith('did:key:')),
  room_id: id,
  user_id: id,
  seq: wholeNumber,
  sha256: v.string(),
  ed25519: v.string(),
});

/** What every machine event has. */
export const base = { v: v.pipe(wholeNumber, v.minValue(1)), at: instant, signature: v.optional(signature) };

export const coordinator = v.object({ user_id: id, device_id: id, did: v.optional(v.string()) });

export const runBase = { ...base, run_id: id };

export const positive = v.pipe(wholeNumber, v.minValue(1));

export const attemptBase = { ...runBase, task_id: id, attempt: positive };

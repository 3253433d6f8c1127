import { err, ok, type Result } from '../domain/result.ts';
import { isObject, type JsonObject } from './http.ts';

/** Bytes of canonical JSON an event's content may have: what still fits a 64 KiB event once encrypted (×1.33 and 430 more). */
export const maxContentBytes = 40_960;

/**
 * Returns the content as it may be sent, or says why it may not: numbers must be safe integers (Synapse refuses others with
 * 400), strings are made well-formed (a lone surrogate is answered with 500, for ever), `undefined` members are left out.
 */
export function checkContent(content: JsonObject): Result<JsonObject, string> {
  const cleaned = clean(content, '');
  if (!cleaned.ok) return cleaned;
  const bytes = Buffer.byteLength(canonicalJson(cleaned.value));
  if (bytes > maxContentBytes) return err(`the content has ${bytes} bytes, at most ${maxContentBytes} can be sent`);
  return ok(cleaned.value as JsonObject);
}

/** Text as Matrix defines it for signatures and sizes: keys sorted by code point, no white space. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort(byCodePoint);
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
}

function clean(value: unknown, path: string): Result<unknown, string> {
  switch (typeof value) {
    case 'string':
      return ok(value.toWellFormed());
    case 'number':
      if (Number.isSafeInteger(value)) return ok(value);
      return err(`${path || 'the content'} is ${value}: a room takes whole numbers only`);
    case 'boolean':
      return ok(value);
    case 'object':
      if (value === null) return ok(null);
      return Array.isArray(value) ? cleanList(value, path) : cleanMembers(value as JsonObject, path);
    default:
      return err(`${path || 'the content'} is a ${typeof value}, which JSON does not have`);
  }
}

function cleanList(values: readonly unknown[], path: string): Result<unknown, string> {
  const list: unknown[] = [];
  for (const [index, value] of values.entries()) {
    const cleaned = clean(value, `${path}[${index}]`);
    if (!cleaned.ok) return cleaned;
    list.push(cleaned.value);
  }
  return ok(list);
}

function cleanMembers(members: JsonObject, path: string): Result<unknown, string> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue;
    const cleaned = clean(value, path === '' ? name : `${path}.${name}`);
    if (!cleaned.ok) return cleaned;
    result[name.toWellFormed()] = cleaned.value;
  }
  return ok(result);
}

/** `<` compares UTF-16 units, which differs above U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

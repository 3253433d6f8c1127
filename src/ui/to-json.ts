import type { LoggedEvent } from '../domain/event.ts';

/** One event as a line of NDJSON, each of its texts masked. */
export function toJson(event: LoggedEvent, mask: (text: string) => string): string {
  return jsonLine(event, mask);
}

/** Any value as a line of NDJSON, each of its texts masked. */
export function jsonLine(value: unknown, mask: (text: string) => string): string {
  return `${JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? mask(part) : part))}\n`;
}

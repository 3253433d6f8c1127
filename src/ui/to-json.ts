import type { LoggedEvent } from '../domain/event.ts';

/** One event as a line of NDJSON, each of its texts masked. */
export function toJson(event: LoggedEvent, mask: (text: string) => string): string {
  return `${JSON.stringify(event, (_, value: unknown) => (typeof value === 'string' ? mask(value) : value))}\n`;
}

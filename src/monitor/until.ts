const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };
const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec';
const DAYS = 'sunmontuewedthufrisat';
const NEAR =
  /\b(?:resets?|reset|try again|retry|available|again|renews?|refresh\w*|until|wait|after|restored)\b(.{0,80})/iu;
const DURATION = /(\d+(?:\.\d+)?) ?(d|h|m|s)(?:ays?|ours?|rs?|inutes?|ins?|econds?|ecs?)?\b/giu;
const ISO = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?: ?(Z|UTC|[+-]\d\d:?\d\d))?/u;
const CLOCK = /\b(\d{1,2})(?::(\d\d))?(?::\d\d)? ?(am|pm)\b|\b(\d{1,2}):(\d\d)\b/iu;
const DATE = /\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?/iu;
const WEEKDAY = /\b(sun|mon|tue|wed|thu|fri|sat)[a-z]*\b/iu;
const ZONE = /\(([A-Z][\w+-]+(?:\/[\w+-]+){0,2})\)|\b(UTC|GMT)\b/u;
const EPOCH = /\|(\d{10})\b/u;

/** Reads when a limit ends out of the words that tell it, in ms since 1970; undefined when none is shown. */
export function parseUntil(text: string, now: number): number | undefined {
  const epoch = EPOCH.exec(text);
  if (epoch !== null) return Number(epoch[1]) * 1_000;
  const near = NEAR.exec(text);
  if (near === null) return undefined;
  const words = near[0];
  const iso = ISO.exec(words);
  if (iso !== null) return isoAt(iso, now);
  const clock = CLOCK.exec(words);
  if (clock !== null) return clockAt(clock, words, now);
  const total = [...words.matchAll(DURATION)].reduce(
    (sum, match) => sum + Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 0),
    0,
  );
  return total > 0 ? now + total : undefined;
}

function isoAt(iso: RegExpExecArray, now: number): number | undefined {
  const zone = iso[3] === undefined ? '' : iso[3] === 'UTC' ? 'Z' : iso[3];
  const at = Date.parse(`${iso[1] ?? ''}T${iso[2] ?? ''}${zone}`);
  return Number.isNaN(at) || at < now - 86_400_000 * 366 ? undefined : at;
}

function clockAt(clock: RegExpExecArray, words: string, now: number): number | undefined {
  const hour12 = Number(clock[1] ?? clock[4]);
  const half = clock[3]?.toLowerCase();
  const hour = half === undefined ? hour12 : (hour12 % 12) + (half === 'pm' ? 12 : 0);
  const minute = Number(clock[2] ?? clock[5] ?? 0);
  if (hour > 23 || minute > 59 || (half !== undefined && (hour12 < 1 || hour12 > 12))) return undefined;
  const zone = ZONE.exec(words);
  const offset = offsetOf(zone?.[1] ?? zone?.[2], now);
  const local = new Date(now + offset);
  const date = DATE.exec(words);
  const at =
    Date.UTC(
      yearOf(date, local),
      date === null ? local.getUTCMonth() : monthOf(date),
      date === null ? local.getUTCDate() : Number(date[2]),
      hour,
      minute,
    ) - offset;
  if (date !== null) return date[3] === undefined && at < now ? at + 365 * 86_400_000 : at;
  const weekday = WEEKDAY.exec(words);
  if (weekday === null) return at <= now ? at + 86_400_000 : at;
  const ahead = (DAYS.indexOf((weekday[1] ?? '').toLowerCase()) / 3 - local.getUTCDay() + 7) % 7;
  const then = at + ahead * 86_400_000;
  return then <= now ? then + 7 * 86_400_000 : then;
}

function yearOf(date: RegExpExecArray | null, local: Date): number {
  return date?.[3] === undefined ? local.getUTCFullYear() : Number(date[3]);
}

function monthOf(date: RegExpExecArray): number {
  return MONTHS.indexOf((date[1] ?? '').toLowerCase()) / 3;
}

/** How far a zone is ahead of UTC, in ms; the zone of this machine when none is named or it is unknown. */
function offsetOf(zone: string | undefined, now: number): number {
  const here = -new Date(now).getTimezoneOffset() * 60_000;
  if (zone === undefined) return here;
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(now);
    const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
    const match = /GMT(?:([+-])(\d\d):(\d\d))?/u.exec(name);
    if (match === null) return here;
    return (match[1] === '-' ? -1 : 1) * (Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)) * 60_000;
  } catch {
    return here;
  }
}

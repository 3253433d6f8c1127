/** What terminals take for commands: CSI, OSC and the like, and the two-letter ones. */
const escapes =
  // oxlint-disable-next-line no-control-regex -- escape sequences are made of control characters
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][\s\S]*?(?:\u0007|\u001b\\|$)|[ -/]*[0-~])/g;

/** Controls but tab and line feed, and what changes the direction of text or hides in it. */
const invisible =
  /(?![\t\n])[\p{Cc}\p{Co}\u061C\u200B\u200E\u200F\u2028\u2029\u202A-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu;

export interface TextLimits {
  /** In characters, the ellipsis included. */
  readonly chars: number;
  readonly lines: number;
}

/**
 * Text of a program or a person as a room may have it: no escape sequences, no control and bidirectional characters, no lone
 * surrogates, no more than the limits; what was cut ends in `…`.
 */
export function plainText(text: string, limits: TextLimits): string {
  // Of a long text the rest is not looked at: a screen or an output may have megabytes.
  const enough = text.slice(0, limits.chars * 8);
  const lines = cleanText(enough).split('\n');
  const fewer = lines.slice(0, limits.lines).join('\n').trimEnd();
  const isCut = lines.length > limits.lines || enough.length < text.length;
  return cutTo(isCut ? `${fewer}…` : fewer, limits.chars);
}

/** The whole of it, without what a room may not have: escape sequences, controls, direction marks, lone surrogates. */
export function cleanText(text: string): string {
  const clean = text.replaceAll(escapes, '').replaceAll(/\r\n?/g, '\n').replaceAll(invisible, '');
  return clean.toWellFormed().trim();
}

/** The same on one line. */
export function oneLine(text: string, chars = 200): string {
  return plainText(text.replaceAll(/\s+/g, ' '), { chars, lines: 1 });
}

function cutTo(text: string, chars: number): string {
  const points = Array.from(text);
  return points.length <= chars ? text : `${points.slice(0, Math.max(0, chars - 1)).join('')}…`;
}

/** Text as HTML shows it. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => entities[char] ?? char);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

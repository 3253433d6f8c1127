import { escapeHtml } from './text.ts';

/** What a message says, for clients that show HTML and for all others. */
export interface Message {
  readonly body: string;
  readonly html: string;
}

/**
 * How large a message may be, in bytes of JSON: an event has 40 KiB, and an edit says everything twice. What is larger would be set
 * aside, which nobody sees.
 */
const mostBytes = 18_000;

function sizeOf({ body, html }: Message): number {
  return Buffer.byteLength(JSON.stringify(body)) + Buffer.byteLength(JSON.stringify(html));
}

/** The first version that is small enough, else the last. */
export function firstFitting(versions: readonly (() => Message)[]): Message {
  for (const version of versions.slice(0, -1)) {
    const message = version();
    if (sizeOf(message) <= mostBytes) return message;
  }
  return versions.at(-1)?.() ?? plainMessage('');
}

/** Of each pair the long one while there is room, then the short one; pairs for which there is none are left out. */
export function asManyAsFit(pairs: readonly (readonly [long: Message, short: Message])[]): Message[] {
  let left = mostBytes;
  return pairs.flatMap(([long, short]) => {
    const fits = [long, short].find((message) => sizeOf(message) + separatorBytes <= left);
    left -= fits === undefined ? 0 : sizeOf(fits) + separatorBytes;
    return fits ?? [];
  });
}

const separatorBytes = 6;

type Content = Readonly<Record<string, unknown>>;

/** A message without any markup. */
export function plainMessage(body: string): Message {
  return { body, html: escapeHtml(body).replaceAll('\n', '<br>') };
}

/** A message that notifies nobody. */
export function notice(message: Message): Content {
  return { msgtype: 'm.notice', ...bodies(message), 'm.mentions': {} };
}

/** A message that notifies the people it mentions. */
export function text(message: Message, mentions: readonly string[] = []): Content {
  return { msgtype: 'm.text', ...bodies(message), 'm.mentions': mentionsOf(mentions) };
}

/** Replaces an earlier message of ours, whose event id the outbox fills in. Nobody is told again; clients without edits see the body. */
export function edit(content: Content): Content {
  const fresh = { ...content, 'm.mentions': {} };
  return {
    msgtype: content['msgtype'],
    body: `* ${String(content['body'])}`,
    'm.mentions': {},
    'm.new_content': fresh,
    'm.relates_to': relation('m.replace'),
  };
}

/** Puts a message into the thread below one of ours, whose event id the outbox fills in. */
export function inThread(content: Content): Content {
  const fallback = { is_falling_back: true, 'm.in_reply_to': { event_id: '' } };
  return { ...content, 'm.relates_to': { ...relation('m.thread'), ...fallback } };
}

/** Answers somebody's message, in the thread it is in, if any. */
export function replyTo(content: Content, eventId: string, thread: string | null): Content {
  const reply = { 'm.in_reply_to': { event_id: eventId } };
  if (thread === null) return { ...content, 'm.relates_to': reply };
  return { ...content, 'm.relates_to': { rel_type: 'm.thread', event_id: thread, is_falling_back: false, ...reply } };
}

/** A reaction to one of ours, whose event id the outbox fills in. */
export function reaction(key: string): Content {
  return { 'm.relates_to': { ...relation('m.annotation'), key } };
}

function relation(type: string): Content {
  return { rel_type: type, event_id: '' };
}

function bodies({ body, html }: Message): Content {
  return { body, format: 'org.matrix.custom.html', formatted_body: html };
}

function mentionsOf(users: readonly string[]): Content {
  return users.length === 0 ? {} : { user_ids: users };
}

import { isObject, textOf } from '../matrix/http.ts';
import type { RoomEvent, SyncBatch } from '../matrix/port.ts';
import { isCommand } from './parse-command.ts';

/** What somebody said that may be meant for cis. */
export type Said =
  | { readonly kind: 'reaction'; readonly key: string; readonly target: string }
  | {
      readonly kind: 'message';
      readonly text: string;
      /** The event it replies to, where it does so on purpose. */
      readonly target: string | null;
      readonly thread: string | null;
      /** The server's word, ms since 1970. */
      readonly sentAt: number;
    };

export interface Heard {
  readonly event: RoomEvent;
  readonly said: Said;
}

/**
 * What of a sync is worth a look: reactions, replies, messages in threads, commands. The first sync of a device is history: old
 * commands in it are not carried out; answers relate to what we asked, so they are not old.
 */
export function hearBatch(batch: SyncBatch, self: string, isOurs: (eventId: string) => boolean): Heard[] {
  return batch.events.flatMap((event) => {
    const said = hear(event);
    if (said === null || isEcho(event, self, isOurs)) return [];
    if (said.kind === 'message' && said.target === null && said.thread === null && batch.initial) return [];
    return [{ event, said }];
  });
}

/** What a person says by way of cis, as in its dashboard, is marked: it is meant, though cis itself sent it. */
export const answerMark = 'cis.said';

/** Whoever runs cis may answer with the same account from another device; what this device sent comes back too. */
function isEcho(
  { sender, txnId, content, eventId }: RoomEvent,
  self: string,
  isOurs: (eventId: string) => boolean,
): boolean {
  if (sender !== self || content[answerMark] === true) return false;
  return txnId !== null || content['cis.txn'] !== undefined || isOurs(eventId);
}

function hear({ type, content, stateKey, at }: RoomEvent): Said | null {
  if (stateKey !== null) return null;
  const relation = isObject(content['m.relates_to']) ? content['m.relates_to'] : {};
  if (type === 'm.reaction') {
    const [key, target] = [textOf(relation['key'], ''), textOf(relation['event_id'], '')];
    return key === '' || target === '' ? null : { kind: 'reaction', key, target };
  }
  if (type !== 'm.room.message' || content['msgtype'] !== 'm.text' || relation['rel_type'] === 'm.replace') return null;
  const text = textOf(content['body'], '');
  const thread = relation['rel_type'] === 'm.thread' ? textOf(relation['event_id'], '') : '';
  const reply = isObject(relation['m.in_reply_to']) ? textOf(relation['m.in_reply_to']['event_id'], '') : '';
  const target = relation['is_falling_back'] === true ? '' : reply;
  if (thread === '' && target === '' && !isCommand(text)) return null;
  return {
    kind: 'message',
    text,
    target: target === '' ? null : target,
    thread: thread === '' ? null : thread,
    sentAt: at,
  };
}

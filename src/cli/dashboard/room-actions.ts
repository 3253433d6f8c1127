import { answerMark } from '../../bridge/receive.ts';
import type { RoomQuestion } from '../../bridge/room-runs.ts';
import type { Answer } from '../../domain/block.ts';
import { parseSessionId, type BlockId, type SessionId } from '../../domain/ids.ts';
import { stateWords } from '../../domain/words.ts';
import { describeFailure } from '../../matrix/failure.ts';
import type { JsonObject } from '../../matrix/http.ts';
import type { DashboardActions } from '../../ui/dashboard/open-dashboard.ts';
import type { Notice } from '../../ui/dashboard/state.ts';
import type { RoomReader } from '../matrix/room-reader.ts';
import type { RoomSource } from './room-source.ts';

/**
 * What the keys do for runs of other machines: the same as a person with any Matrix client, as the account that is logged in here.
 * An answer is a reply to the message that asks; whoever runs the DAG decides whether it counts, and says so there.
 */
export function openRoomActions(reader: RoomReader, sourceOf: () => RoomSource): DashboardActions {
  const say = async (content: JsonObject, question: BlockId | null): Promise<Notice> => {
    const sent = await reader.send({ msgtype: 'm.text', 'm.mentions': {}, [answerMark]: true, ...content });
    if (!sent.ok) return { text: `it could not be sent: ${describeFailure(sent.error)}`, tone: 'bad' };
    const heard = await sourceOf().heard({ eventId: sent.value, question });
    if (heard === null) return { text: 'said in the room; nobody has answered yet', tone: 'dim' };
    return { text: heard.text, tone: heard.isGood ? 'good' : 'bad' };
  };
  return {
    async answer({ block, answer }) {
      const question = sourceOf().question(block);
      if (question === null) return { text: 'that question is gone', tone: 'bad' };
      const body = answerText(question, answer);
      if (body === null) return { text: 'a room takes no secrets and no keys: answer where it runs', tone: 'bad' };
      return say({ body, 'm.relates_to': { 'm.in_reply_to': { event_id: question.eventId } } }, block);
    },
    kill: (session) => say({ body: `!cis kill ${session}` }, null),
    attach: (session) =>
      Promise.resolve({ text: `${session} lives on another machine: attach to it there`, tone: 'bad' }),
    async wish({ run, request }) {
      if (request.kind !== 'pause' && request.kind !== 'resume')
        return { text: 'that is done where it runs', tone: 'bad' };
      return say({ body: `!cis ${request.kind} ${run}` }, null);
    },
    openOutput(session, show) {
      show(describeSession(sourceOf(), session), 'elsewhere');
      return { [Symbol.asyncDispose]: () => Promise.resolve() };
    },
    readHistory: (session) => describeSession(sourceOf(), session),
  };
}

/** What to reply: `2`, `3b`, or the text, with the number of its question where there are several. Null: this cannot be said. */
function answerText({ choices, number, kind }: RoomQuestion, answer: Answer): string | null {
  if (kind === 'password' || kind === 'login') return null;
  switch (answer.kind) {
    case 'choose':
      return choices[answer.index]?.answer ?? null;
    case 'text':
      return number === null ? answer.text : `${number} ${answer.text}`;
    case 'keys':
      return null;
  }
}

/** Outputs are not in the room's events; what is known of a session is. */
function describeSession(source: RoomSource, session: SessionId): string[] {
  const parts = parseSessionId(session);
  const run = parts.ok ? source.run(parts.value.run) : null;
  const task = parts.ok ? run?.picture.tasks.get(parts.value.task) : undefined;
  const where = run?.node ?? 'another machine';
  return [
    ...(task === undefined ? [] : [`${task.task}: ${stateWords[task.kind]}, attempt ${task.attempt}`]),
    ...(task?.detail.kind === 'reason' ? [task.detail.text] : []),
    '',
    `It runs on ${where}; its output stays there: cis dag logs ${session}`,
  ];
}

import type { Block, BlockKind } from '../../domain/block.ts';
import type { BlockId, RunId } from '../../domain/ids.ts';
import { isObject, textOf } from '../../matrix/http.ts';
import { describeFailure, type MatrixFailure } from '../../matrix/failure.ts';
import type { RoomEvent } from '../../matrix/port.ts';
import { openRoomRuns, type RoomQuestion, type RoomRun } from '../../bridge/room-runs.ts';
import { plainText } from '../../bridge/text.ts';
import type { RunSource } from '../../ui/dashboard/source.ts';
import type { RunSummary, Snapshot, Unfolded, Waiting } from '../../ui/dashboard/state.ts';
import type { RoomReader } from '../matrix/room-reader.ts';

/** Runs of a room, and what the keys of the dashboard need to know of them. */
export interface RoomSource extends RunSource {
  question(id: BlockId): RoomQuestion | null;
  run(id: RunId): RoomRun | null;
  /** Resolves with what came of something we said there; null: nothing was heard in time. */
  heard(reply: { readonly eventId: string; readonly question: BlockId | null }): Promise<Heard | null>;
}

export interface Heard {
  readonly text: string;
  readonly isGood: boolean;
}

/** Runs that began earlier are shown as far as later events tell of them. */
const historyMs = 24 * 3600_000;
/** A bridge looks at once; a homeserver that limits it lets it speak every five seconds. */
const patienceMs = 20_000;

/** Opens the events of a room as a source of runs. `onEnd` is called when it can no longer be followed. */
export function openRoomSource(
  reader: RoomReader,
  name: string,
  changed: () => void,
  onEnd: (failure: MatrixFailure) => void,
): RoomSource {
  const fold = openRoomRuns();
  const stop = new AbortController();
  const waiters = new Set<(event: RoomEvent | null) => void>();
  let trouble: string | null = null;
  const followed = reader.follow({
    since: Date.now() - historyMs,
    signal: stop.signal,
    onEvents(events) {
      trouble = null;
      for (const event of events) fold.apply(event);
      for (const event of events) for (const hear of waiters) hear(event);
      changed();
    },
    onTrouble(failure) {
      trouble = describeFailure(failure);
      changed();
    },
  });
  void followed.then((end) => {
    if (!end.ok && !stop.signal.aborted) onEnd(end.error);
  });
  const questionOf = (id: BlockId): RoomQuestion | null => fold.questions().find((one) => one.id === id) ?? null;
  return {
    get from() {
      return trouble === null ? name : `${name}: ${trouble}`;
    },
    read: (unfolded) => Promise.resolve(snapshotOf(fold.runs(), fold.questions(), unfolded)),
    lastLine: () => null,
    question: questionOf,
    run: (id) => fold.runs().find(({ picture }) => picture.run === id) ?? null,
    heard: ({ eventId, question }) =>
      new Promise((resolve) => {
        const end = (heard: Heard | null): void => {
          clearTimeout(timer);
          waiters.delete(hear);
          resolve(heard);
        };
        const hear = (event: RoomEvent | null): void => {
          const outcome = question === null ? null : fold.outcomeOf(question);
          const said = event === null ? null : replyIn(event, eventId);
          if (outcome !== null) end({ text: outcome, isGood: true });
          else if (said !== null) end({ text: said, isGood: question === null });
        };
        const timer = setTimeout(() => end(null), patienceMs);
        waiters.add(hear);
        hear(null);
      }),
    [Symbol.dispose]() {
      stop.abort();
    },
  };
}

function replyIn({ type, content }: RoomEvent, to: string): string | null {
  const relation = isObject(content['m.relates_to']) ? content['m.relates_to'] : {};
  const reply = isObject(relation['m.in_reply_to']) ? textOf(relation['m.in_reply_to']['event_id'], '') : '';
  if (type !== 'm.room.message' || reply !== to) return null;
  return plainText(textOf(content['body'], ''), { chars: 300, lines: 3 });
}

function snapshotOf(runs: readonly RoomRun[], questions: readonly RoomQuestion[], unfolded: Unfolded): Snapshot {
  const [newest] = runs;
  const run = unfolded.kind === 'run' ? unfolded.run : newest?.picture.run;
  const shown = unfolded.kind === 'none' ? undefined : runs.find(({ picture }) => picture.run === run);
  return {
    runs: runs.map(summarise),
    waiting: questions.map((question) => waitingOf(question, runs)),
    picture: shown?.picture ?? null,
  };
}

function summarise({ picture, total, settled, running, createdAt }: RoomRun): RunSummary {
  const { run, dag, state, endedAt } = picture;
  return { run, dag, state, total, settled, running, startedAt: picture.startedAt ?? createdAt, endedAt };
}

function waitingOf(question: RoomQuestion, runs: readonly RoomRun[]): Waiting {
  const { run, task, session, since } = question;
  const agent = runs.find(({ picture }) => picture.run === run)?.picture.tasks.get(task)?.agent ?? null;
  const ask = { kind: 'block', block: blockOf(question) } as const;
  return { key: `ask ${question.id}`, run, task, session, agent, since, ask };
}

/** Gates, votes and decisions are choices like any other here: whoever coordinates the run knows what each means. */
function blockOf({ id, kind, question, command, choices, selected, since, takesText, eventId }: RoomQuestion): Block {
  return {
    id: id as BlockId,
    kind: kinds.get(kind) ?? 'menu',
    question,
    choices: choices.map(({ label }) => ({ label })),
    selected,
    since,
    fingerprint: eventId,
    rule: 'room',
    input: takesText ? 'line' : 'menu',
    ...(command === null ? {} : { command }),
  };
}

const kinds: ReadonlyMap<string, BlockKind> = new Map(
  (['approval', 'question', 'trust', 'login', 'rate-limit', 'menu', 'password', 'error'] as const).map((kind) => [
    kind,
    kind,
  ]),
);

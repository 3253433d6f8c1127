import type { BlockId, RunId, SessionId, TaskId } from '../domain/ids.ts';
import { parseRunId, parseSessionId, parseTaskId, sessionOfBlock } from '../domain/ids.ts';
import type { Detail, RunPicture, TaskPicture } from '../domain/picture.ts';
import { settled, type TaskStateKind } from '../domain/task.ts';
import { readMachineEvent, type MachineContent, type MachineEvent } from '../matrix/events/index.ts';
import { isObject, textOf, type JsonObject } from '../matrix/http.ts';
import type { RoomEvent } from '../matrix/port.ts';
import { oneLine } from './text.ts';

/** A run as the events of a room tell it. */
export interface RoomRun {
  readonly picture: RunPicture;
  /** The tasks it has, also those that no event named yet. */
  readonly total: number;
  readonly settled: number;
  readonly running: number;
  readonly createdAt: number;
  /** The machine it runs on. */
  readonly node: string | null;
}

/** Something a room is asked, as the message that asks says. */
export interface RoomQuestion {
  /** Of the block, gate or decision. */
  readonly id: string;
  readonly run: RunId;
  readonly task: TaskId;
  readonly session: SessionId | null;
  readonly kind: string;
  readonly question: string;
  readonly command: string | null;
  /** `answer`: what to reply for it. */
  readonly choices: readonly { readonly label: string; readonly answer: string }[];
  readonly selected: number | null;
  readonly takesText: boolean;
  /** Its number in a message that asks several. */
  readonly number: number | null;
  /** The message to reply to. */
  readonly eventId: string;
  readonly since: number;
}

/**
 * Runs and questions of a room, from its events in their order. Whoever announced a run is the only one who is believed about
 * it, until another coordinator announces the same run of matrix mode with a higher epoch: it took the run over.
 */
export interface RoomRuns {
  apply(event: RoomEvent): void;
  /** Those that go on first, else the newest first. */
  runs(): RoomRun[];
  questions(): RoomQuestion[];
  /** What came of a question, in words, once the room was told. */
  outcomeOf(id: string): string | null;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Known {
  /** Who is believed about it: who announced it, or who took it over since. */
  owner: string;
  /** Of the announcement; each coordinator that takes the run over has a higher one. */
  epoch: number;
  readonly picture: Mutable<Omit<RunPicture, 'tasks' | 'byKind'>> & {
    readonly tasks: Map<TaskId, TaskPicture>;
    readonly byKind: Map<TaskStateKind, Set<TaskId>>;
  };
  total: number;
  settled: number;
  running: number;
  createdAt: number;
  node: string | null;
  /** It left the room: nobody tells how it goes on. */
  isGone: boolean;
}

interface Message {
  readonly sender: string;
  readonly questions: readonly (RoomQuestion & { readonly outcome: string | null })[];
}

const over = new Set(['completed', 'failed', 'aborted']);

export function openRoomRuns(): RoomRuns {
  const runs = new Map<RunId, Known>();
  const messages = new Map<string, Message>();
  const open = (): RoomQuestion[] =>
    [...messages.values()].flatMap(({ sender, questions }) =>
      questions.filter(({ outcome, run }) => outcome === null && isAsking(runs.get(run), sender)),
    );
  return {
    apply(event) {
      if (event.stateKey !== null) return;
      if (event.type === 'm.room.message') return takeMessage(messages, event);
      const read = readMachineEvent(event.type, event.content);
      if (read.ok) takeMachineEvent(runs, read.value.event, event.sender);
    },
    runs: () =>
      [...runs.values()]
        .filter(({ isGone }) => !isGone)
        .toSorted((a, b) => Number(isOver(a)) - Number(isOver(b)) || b.createdAt - a.createdAt),
    questions: open,
    outcomeOf(id) {
      for (const { questions } of messages.values()) {
        const found = questions.find((question) => question.id === id);
        if (found !== undefined) return found.outcome;
      }
      return null;
    },
  };
}

function isOver({ picture }: Known): boolean {
  return over.has(picture.state);
}

/** Of a run whose machine events cannot be read, as those before one joined an encrypted room, the questions are known all the same. */
function isAsking(run: Known | undefined, sender: string): boolean {
  return run === undefined || (run.owner === sender && !run.isGone && !isOver(run));
}

/** A message of cis that asks, or its edit. */
function takeMessage(messages: Map<string, Message>, { content, eventId, sender, at }: RoomEvent): void {
  const relation = isObject(content['m.relates_to']) ? content['m.relates_to'] : {};
  const isEdit = relation['rel_type'] === 'm.replace';
  const id = isEdit ? textOf(relation['event_id'], '') : eventId;
  const fresh = isEdit && isObject(content['m.new_content']) ? content['m.new_content'] : content;
  const meaning = fresh['cis.question'];
  const before = messages.get(id);
  if (!isObject(meaning) || (before !== undefined && before.sender !== sender)) return;
  const since = before?.questions[0]?.since ?? at;
  messages.set(id, { sender, questions: readQuestions(meaning, id, since) });
}

function readQuestions(meaning: JsonObject, eventId: string, since: number): Message['questions'] {
  const run = parseRunId(textOf(meaning['run_id'], ''));
  const list = meaning['questions'];
  if (!run.ok || !Array.isArray(list)) return [];
  return list.filter(isObject).flatMap((raw) => {
    const task = parseTaskId(textOf(raw['task_id'], ''));
    const id = textOf(raw['asks'], '');
    if (!task.ok || id === '') return [];
    const session = sessionIn(id);
    const choices = Array.isArray(raw['choices']) ? raw['choices'].filter(isObject) : [];
    return [
      {
        id,
        run: run.value,
        task: task.value,
        session,
        kind: textOf(raw['kind'], 'question'),
        question: oneLine(textOf(raw['question'], ''), 500),
        command: typeof raw['command'] === 'string' ? oneLine(raw['command'], 300) : null,
        choices: choices.map((choice) => ({
          label: oneLine(textOf(choice['label'], '')),
          answer: textOf(choice['answer'], ''),
        })),
        selected: typeof raw['selected'] === 'number' ? raw['selected'] : null,
        takesText: raw['takes_text'] === true,
        number: typeof raw['number'] === 'number' ? raw['number'] : null,
        eventId,
        since,
        outcome: typeof raw['outcome'] === 'string' ? oneLine(raw['outcome'], 300) : null,
      },
    ];
  });
}

/** The session of a block; gates and decisions have none that lives. */
function sessionIn(id: string): SessionId | null {
  const session = id.includes('!') ? sessionOfBlock(id as BlockId) : null;
  return session !== null && parseSessionId(session).ok ? session : null;
}

function takeMachineEvent(runs: Map<RunId, Known>, event: MachineEvent, sender: string): void {
  if (!('run_id' in event.content) || event.content.run_id === undefined) return;
  const id = parseRunId(event.content.run_id);
  if (!id.ok) return;
  const known = runs.get(id.value) ?? firstSeen(id.value, sender, event.content.at);
  if (isTakeover(known, event)) known.owner = sender;
  if (known.owner !== sender) return;
  const change = { picture: known.picture, at: event.content.at };
  switch (event.type) {
    case 'cis.dag.run.created':
      introduce(known, event.content);
      break;
    case 'cis.dag.run.started':
    case 'cis.dag.run.resumed':
      known.picture.state = 'running';
      known.picture.reason = null;
      known.picture.endedAt = null;
      known.picture.startedAt ??= change.at;
      break;
    case 'cis.dag.run.paused':
      known.picture.state = 'paused';
      known.picture.reason = oneLine(event.content.by);
      break;
    case 'cis.dag.run.mode':
      known.isGone = event.content.mode === 'local';
      known.picture.mode = event.content.mode;
      break;
    case 'cis.dag.run.completed':
    case 'cis.dag.run.failed':
    case 'cis.dag.run.aborted':
      endRun(known, event);
      break;
    case 'cis.dag.task.status':
      for (const task of event.content.tasks) takeTask(known, task, event.content.at);
      takeProgress(known, event.content.progress);
      break;
    default:
      return;
  }
  runs.set(id.value, known);
}

/** Announcing takes power in the room, so not anybody there can do it. */
function isTakeover({ picture, epoch }: Known, { type, content }: MachineEvent): boolean {
  return (
    type === 'cis.dag.run.created' && picture.mode === 'matrix' && content.mode === 'matrix' && content.epoch > epoch
  );
}

function firstSeen(run: RunId, owner: string, at: number): Known {
  const picture = {
    run,
    dag: '',
    mode: 'hybrid' as const,
    room: null,
    state: 'running' as const,
    reason: null,
    startedAt: null,
    endedAt: null,
    tasks: new Map(),
    byKind: new Map(),
  };
  return { owner, epoch: 0, picture, total: 0, settled: 0, running: 0, createdAt: at, node: null, isGone: false };
}

function introduce(known: Known, content: MachineContent<'cis.dag.run.created'>): void {
  known.picture.dag = oneLine(content.dag_name, 80);
  known.picture.mode = content.mode;
  known.epoch = Math.max(known.epoch, content.epoch);
  known.total = content.tasks;
  known.isGone = false;
  for (const { id, deps, agent } of readTasks(content.dag_json)) {
    if (known.picture.tasks.has(id)) continue;
    put(known, { ...newTask(known, id), deps, agent });
  }
}

/** The tasks of a definition as it travels; nothing that does not fit is taken. */
function readTasks(text: string | undefined): { id: TaskId; deps: readonly TaskId[]; agent: string | null }[] {
  const dag = parseJson(text ?? '');
  const tasks = isObject(dag) && Array.isArray(dag['tasks']) ? dag['tasks'] : [];
  return tasks.filter(isObject).flatMap((task) => {
    const id = parseTaskId(textOf(task['id'], ''));
    const deps = Array.isArray(task['deps'])
      ? task['deps'].filter((dep): dep is TaskId => typeof dep === 'string')
      : [];
    const action = isObject(task['action']) ? task['action'] : {};
    const agent = typeof action['agent'] === 'string' ? oneLine(action['agent'], 40) : null;
    return id.ok ? [{ id: id.value, deps, agent }] : [];
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function newTask({ picture }: Known, task: TaskId): TaskPicture {
  const never = {
    attempt: 0,
    session: null,
    node: null,
    startedAt: null,
    endedAt: null,
    detail: { kind: 'none' } as const,
  };
  return { task, position: picture.tasks.size, agent: null, deps: [], kind: 'pending', ...never };
}

function put({ picture }: Known, task: TaskPicture): void {
  const before = picture.tasks.get(task.task);
  if (before !== undefined) picture.byKind.get(before.kind)?.delete(task.task);
  picture.tasks.set(task.task, task);
  const kin = picture.byKind.get(task.kind) ?? new Set();
  picture.byKind.set(task.kind, kin.add(task.task));
}

function takeTask(known: Known, said: MachineContent<'cis.dag.task.status'>['tasks'][number], eventAt: number): void {
  const id = parseTaskId(said.task_id);
  if (!id.ok) return;
  const before = known.picture.tasks.get(id.value) ?? newTask(known, id.value);
  const at = said.at ?? eventAt;
  const isNew = said.attempt !== before.attempt;
  const began = said.status === 'starting' || said.status === 'running' || said.status === 'blocked';
  const session = said.session_id === undefined ? null : parseSessionId(said.session_id);
  put(known, {
    ...before,
    kind: said.status,
    attempt: said.attempt,
    agent: said.agent === undefined ? before.agent : oneLine(said.agent, 40),
    session: session?.ok === true ? (said.session_id as SessionId) : before.session,
    startedAt: began && (isNew || before.startedAt === null) ? at : isNew ? null : before.startedAt,
    endedAt: settled[said.status] ? at : null,
    detail: detailOf(said.status, said.reason),
    node: known.picture.mode === 'matrix' && said.node !== undefined ? oneLine(said.node, 40) : before.node,
  });
  if (said.node !== undefined) known.node = oneLine(said.node, 60);
}

function detailOf(status: TaskStateKind, reason: string | undefined): Detail {
  return reason === undefined || status === 'running' ? { kind: 'none' } : { kind: 'reason', text: oneLine(reason) };
}

function takeProgress(known: Known, progress: MachineContent<'cis.dag.task.status'>['progress']): void {
  if (progress === undefined) return; // a node's word: it knows its own tasks only
  known.total = progress.total;
  known.settled = progress.completed + progress.failed + progress.skipped;
  known.running = progress.running;
}

function endRun(
  known: Known,
  { type, content }: Extract<MachineEvent, { type: `cis.dag.run.${'completed' | 'failed' | 'aborted'}` }>,
): void {
  const word = type.slice('cis.dag.run.'.length) as 'completed' | 'failed' | 'aborted';
  known.picture.state = word;
  known.picture.endedAt = content.at;
  known.picture.startedAt ??= content.started_at ?? null;
  known.picture.reason = 'reason' in content ? oneLine(content.reason, 300) : null;
  known.running = 0;
}

import { createHash } from 'node:crypto';
import type { Block } from '../domain/block.ts';
import type { LoggedEvent, TaskEvent } from '../domain/event.ts';
import { parseSessionId, sessionOfBlock, type TaskId } from '../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import type { RoomPlace } from '../domain/room.ts';
import type { RunSettings } from '../domain/run.ts';
import { describeFailure, describeSkip } from '../domain/words.ts';
import { canonicalJson } from '../matrix/content.ts';
import { writeMachineEvent, type MachineContent, type MachineType } from '../matrix/events/index.ts';
import type { JsonObject } from '../matrix/http.ts';
import { progressOf } from './card.ts';
import { oneLine, plainText } from './text.ts';

/** Tasks in one event: 75 bytes each, mostly, of the 40 KiB that an encrypted event has. */
const mostTasks = 500;
/** What of 40 KiB the definition of a DAG may take, as text within JSON. */
const maxDagBytes = 36_000;

export interface MachineFacts {
  readonly settings: RunSettings;
  /** How the run stands after the events. */
  readonly picture: RunPicture;
  readonly place: RoomPlace;
  readonly userId: string;
  readonly deviceId: string;
  readonly node: string;
  readonly epoch: number;
  readonly mask: (text: string) => string;
  /** The run began in another mode, or room: what it is must be told first. */
  readonly introduce: boolean;
}

export interface MachineItem {
  readonly type: MachineType;
  readonly content: JsonObject;
}

/** The definition of a DAG as it travels. */
export function dagText({ dag }: RunSettings, mask: (text: string) => string): string {
  return mask(canonicalJson(dag)).toWellFormed();
}

/** Whether the definition is too large to travel in an event. */
export function needsMedia(text: string): boolean {
  return Buffer.byteLength(JSON.stringify(text)) > maxDagBytes;
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Folds events into machine events. Of several states of a task between two others only the last is told; a question that was
 * answered meanwhile is not told at all.
 */
export function foldMachine(events: readonly LoggedEvent[], facts: MachineFacts): MachineItem[] {
  const items: MachineItem[] = [];
  const changed = new Map<TaskId, number>();
  const put = <Type extends MachineType>(type: Type, content: Omit<MachineContent<Type>, 'v'>): void => {
    const written = writeMachineEvent(type, content);
    if (written.ok) items.push({ type, content: written.value });
  };
  const flush = (): void => {
    for (const content of statusContents(changed, facts)) putStatus(content);
    changed.clear();
  };
  /** Long names and reasons may make it too large: then it is two. */
  const putStatus = (content: Omit<MachineContent<'cis.dag.task.status'>, 'v'>): void => {
    const written = writeMachineEvent('cis.dag.task.status', content);
    const half = Math.ceil(content.tasks.length / 2);
    if (written.ok) items.push({ type: 'cis.dag.task.status', content: written.value });
    else if (content.tasks.length > 1) {
      putStatus({ ...content, tasks: content.tasks.slice(0, half) });
      putStatus({ ...content, tasks: content.tasks.slice(half) });
    }
  };
  /** With less of it where all of it would be too large. */
  const putBlocked = (event: BlockedEvent, at: number): void => {
    const written = blockedLimits
      .map((limit) => writeMachineEvent('cis.dag.session.blocked', blockedContent(event, at, facts, limit)))
      .find(({ ok }) => ok);
    if (written?.ok) items.push({ type: 'cis.dag.session.blocked', content: written.value });
  };
  if (facts.introduce) {
    const at = events[0]?.at ?? facts.settings.createdAt;
    put('cis.dag.run.created', createdContent(facts, at));
    for (const task of facts.picture.tasks.values()) if (task.kind !== 'pending') changed.set(task.task, at);
  }
  const over = shortLived(events);
  const base = { run_id: facts.settings.run };
  for (const { event, at } of events) {
    switch (event.kind) {
      case 'run-created':
        if (!facts.introduce) put('cis.dag.run.created', createdContent(facts, at));
        break;
      case 'run-started':
      case 'run-reopened':
        put('cis.dag.run.started', { ...base, at, epoch: facts.epoch });
        break;
      case 'run-paused':
      case 'run-resumed':
        flush();
        put(event.kind === 'run-paused' ? 'cis.dag.run.paused' : 'cis.dag.run.resumed', {
          ...base,
          at,
          by: oneLine(event.by),
        });
        break;
      case 'run-mode-changed':
        put('cis.dag.run.mode', { ...base, at, mode: event.mode, room_id: event.room });
        break;
      case 'run-completed':
        flush();
        put('cis.dag.run.completed', { ...base, at, debts: event.debts, ...startedAt(facts) });
        break;
      case 'run-failed':
      case 'run-aborted':
        flush();
        put(event.kind === 'run-failed' ? 'cis.dag.run.failed' : 'cis.dag.run.aborted', {
          ...base,
          at,
          reason: oneLine(facts.mask(event.reason), 500),
          ...startedAt(facts),
        });
        break;
      case 'task-blocked':
        changed.set(event.task, at);
        if (over.has(event.block.id)) break;
        flush();
        putBlocked(event, at);
        break;
      case 'session-unblocked':
        if (over.has(event.block)) break;
        flush();
        put('cis.dag.session.recovered', {
          ...base,
          at,
          block_id: event.block,
          by: oneLine(event.source.by),
          via: event.source.via,
        });
        break;
      default:
        if ('task' in event && !event.kind.startsWith('run-')) changed.set(event.task, at);
    }
  }
  flush();
  return items;
}

/** Blocks that came and went within the same events. */
function shortLived(events: readonly LoggedEvent[]): ReadonlySet<string> {
  const came = new Set(events.flatMap(({ event }) => (event.kind === 'task-blocked' ? [event.block.id] : [])));
  return new Set(
    events.flatMap(({ event }) => (event.kind === 'session-unblocked' && came.has(event.block) ? [event.block] : [])),
  );
}

function startedAt({ picture }: MachineFacts): { readonly started_at?: number } {
  return picture.startedAt === null ? {} : { started_at: picture.startedAt };
}

function createdContent(facts: MachineFacts, at: number): Omit<MachineContent<'cis.dag.run.created'>, 'v'> {
  const { settings, userId, deviceId, epoch, place } = facts;
  const text = dagText(settings, facts.mask);
  const sha256 = sha256Of(text);
  return {
    at,
    run_id: settings.run,
    dag_name: oneLine(settings.dag.name, 200),
    ...(place.dagMedia === null ? { dag_json: text } : { dag_media: { ...place.dagMedia, sha256 } }),
    dag_sha256: sha256,
    mode: facts.picture.mode,
    tasks: settings.dag.tasks.length,
    coordinator: { user_id: userId, device_id: deviceId },
    epoch,
  };
}

function* statusContents(
  changed: ReadonlyMap<TaskId, number>,
  facts: MachineFacts,
): Generator<Omit<MachineContent<'cis.dag.task.status'>, 'v'>> {
  const tasks = [...changed].flatMap(([id, at]) => {
    const picture = facts.picture.tasks.get(id);
    return picture === undefined ? [] : [{ ...statusOf(picture, facts), at }];
  });
  for (let from = 0; from < tasks.length; from += mostTasks) {
    const some = tasks.slice(from, from + mostTasks);
    const at = Math.max(...some.map((task) => task.at));
    yield { at, run_id: facts.settings.run, tasks: some, progress: progressOf(facts.picture) };
  }
}

function statusOf(
  { task, attempt, kind, agent, session, detail, node: given }: TaskPicture,
  { node: own, mask }: MachineFacts,
) {
  const node = given ?? own;
  const end = detail.kind === 'failure' && detail.failure.kind === 'session' ? detail.failure.end : null;
  const reason =
    detail.kind === 'failure'
      ? describeFailure(detail.failure)
      : detail.kind === 'skip'
        ? describeSkip(detail.reason)
        : null;
  return {
    task_id: task,
    attempt,
    status: kind,
    ...(attempt > 0 ? { node } : {}),
    ...(agent === null ? {} : { agent }),
    ...(session === null ? {} : { session_id: session }),
    ...(end?.kind === 'exited' ? { exit_code: end.code } : {}),
    ...(reason === null ? {} : { reason: oneLine(mask(reason), 100) }),
  };
}

type BlockedEvent = Extract<TaskEvent, { kind: 'task-blocked' }>;

const blockedLimits = [
  { question: 2000, choices: 50, label: 200 },
  { question: 500, choices: 20, label: 60 },
] as const;

function blockedContent(
  { task, attempt, block }: BlockedEvent,
  at: number,
  { settings, mask }: MachineFacts,
  limit: (typeof blockedLimits)[number],
): Omit<MachineContent<'cis.dag.session.blocked'>, 'v'> {
  const session = sessionOfBlock(block.id);
  return {
    at,
    run_id: settings.run,
    task_id: task,
    attempt: Math.max(1, attempt),
    block_id: block.id,
    ...(parseSessionId(session).ok ? { session_id: session } : {}),
    kind: block.kind,
    question: plainText(mask(block.question), { chars: limit.question, lines: 30 }),
    choices: choicesOf(block, mask, limit),
    selected: block.selected,
    fingerprint: block.fingerprint,
  };
}

function choicesOf({ choices }: Block, mask: (text: string) => string, limit: (typeof blockedLimits)[number]) {
  return choices.slice(0, limit.choices).map(({ label, key }) => ({
    label: oneLine(mask(label), limit.label),
    ...(key === undefined ? {} : { key: oneLine(key, 20) }),
  }));
}

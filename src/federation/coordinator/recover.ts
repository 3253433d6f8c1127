import { createHash } from 'node:crypto';
import type { Home } from '../../config/home.ts';
import type { Dag } from '../../domain/dag.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { CisEvent } from '../../domain/event.ts';
import { sessionId, type RunId, type TaskId } from '../../domain/ids.ts';
import { createModel, applyEvent, type Clock, type RunModel } from '../../domain/plan-model.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { SessionEnd } from '../../domain/session.ts';
import { settled, type Failure } from '../../domain/task.ts';
import { describeFailure as describeMatrixFailure } from '../../matrix/failure.ts';
import { readMachineEvent } from '../../matrix/events/index.ts';
import { isObject, textOf, type JsonObject } from '../../matrix/http.ts';
import type { Rooms } from '../../matrix/port.ts';
import { createRun, removeRun } from '../../storage/create.ts';
import { appendEntry, writeLease } from '../../storage/fleet-leases.ts';
import {
  listAllOfRoom,
  putIntoFleetInbox,
  writeFleetCursor,
  followFleetRoom,
  forgetFleetReader,
} from '../../storage/fleet.ts';
import type { Db } from '../../storage/open.ts';
import { emptyBatch, openRunWriter } from '../../storage/write.ts';
import { takeLease, raiseLease, releaseLease, type Driver } from '../../storage/lease.ts';
import { signedContent } from '../../bridge/carry.ts';
import { verifyContent } from '../sign.ts';
import { isTrusted } from '../trust.ts';
import type { Courier } from '../travel/courier.ts';
import { recoverWork } from './recover-work.ts';
import { rebuildRun, type PastEvent, type PastRun, type PastTask } from './rebuild.ts';
import { readerOf } from './fleet.ts';

export interface RecoverOptions {
  readonly home: Home;
  readonly db: Db;
  readonly rooms: Rooms;
  readonly run: RunId;
  /** As the person named it: the run goes on being shown there. */
  readonly wanted: string;
  /** Where machine events go. */
  readonly room: string;
  readonly encrypted: boolean;
  readonly ownDid: Did;
  readonly courier: Courier;
  readonly driver: Driver;
}

/** Makes a run of this home of what its room tells, so that it can be carried on here. */
export async function recoverRun(options: RecoverOptions): Promise<Result<RunSettings, string>> {
  const { db, run, wanted } = options;
  const history = await readHistory(options);
  if (!history.ok) return history;
  const past = rebuildRun(
    run,
    history.value.flatMap((one) => judge(options, one) ?? []),
  );
  if (past === null)
    return err(`the room tells nothing of a run ${run} by a coordinator that is trusted here (cis node trust)`);
  if (past.end === 'completed') return err(`run ${run} has completed: there is nothing left to do`);
  const settings = await settingsOf(options, past);
  if (!settings.ok) return settings;
  const full = await withTexts(options.courier, past);
  if (!full.ok) return full;
  const repositories = await recoverWork(options, settings.value.dag, past);
  if (!repositories.ok) return repositories;
  removeRun(db, run); // what this home knew of it is older than what the room tells
  forgetFleetReader(db, readerOf(run));
  if (!createRun(db, { ...settings.value, repositories: repositories.value, room: wanted }).ok)
    return err(`run ${run} is there already`);
  writeHistory(options, settings.value, full.value, history.value);
  return settings;
}

interface RawEvent {
  readonly eventId: string;
  readonly sender: string;
  readonly type: string;
  readonly content: JsonObject;
  readonly sentAt: number;
}

/** The machine events of the room, oldest first. Of an encrypted one this home has those that its bridge could read. */
async function readHistory({ db, rooms, room, encrypted }: RecoverOptions): Promise<Result<RawEvent[], string>> {
  const kept = listAllOfRoom(db, room);
  if (encrypted) return ok(kept);
  const pages: RawEvent[][] = [];
  for (let from: string | undefined; ;) {
    const page = await rooms.messages(room, {
      direction: 'back',
      ...(from === undefined ? {} : { from }),
      limit: 500,
      filter: { types: ['cis.*'] },
    });
    if (!page.ok) return err(`the history of ${room} cannot be read: ${describeMatrixFailure(page.error)}`);
    pages.push(page.value.events.map(rawOf));
    if (page.value.end === null || page.value.end === from) break;
    from = page.value.end;
  }
  return ok(pages.flat().toReversed());
}

function rawOf(event: JsonObject): RawEvent {
  return {
    eventId: textOf(event['event_id'], ''),
    sender: textOf(event['sender'], ''),
    type: textOf(event['type'], ''),
    content: signedContent(isObject(event['content']) ? event['content'] : {}),
    sentAt: Number(event['origin_server_ts']) || 0,
  };
}

/** What is signed by somebody who is trusted. That the room has each event once is enough: it is read once. */
function judge({ db, room, ownDid }: RecoverOptions, { type, sender, content }: RawEvent): PastEvent | null {
  const read = readMachineEvent(type, content);
  const signed = read.ok ? verifyContent({ type, room, sender, content }) : null;
  if (!read.ok || signed?.ok !== true) return null;
  const { did } = signed.value;
  return {
    did,
    event: read.value.event,
    isCoordinator: isTrusted(db, ownDid, did, 'coordinator'),
    isWorker: isTrusted(db, ownDid, did, 'worker'),
  };
}

async function settingsOf(
  { courier, wanted }: RecoverOptions,
  { created }: PastRun,
): Promise<Result<RunSettings, string>> {
  const { dag_json, dag_media, dag_sha256, settings_json } = created;
  if (settings_json === undefined)
    return err(`run ${created.run_id} was not started on nodes: it cannot be taken over`);
  const bytes = dag_media === undefined ? ok(Buffer.from(dag_json ?? '')) : await courier.getLarge(dag_media);
  if (!bytes.ok) return err(`its DAG cannot be downloaded: ${bytes.error.detail}`);
  const text = Buffer.from(bytes.value).toString('utf8');
  if (createHash('sha256').update(text).digest('hex') !== dag_sha256) return err('its DAG is damaged');
  const rest = JSON.parse(settings_json) as Omit<RunSettings, 'dag'>;
  return ok({ ...rest, dag: JSON.parse(text) as Dag, mode: 'matrix', room: wanted });
}

/** Outputs that were too large for an event are downloaded, so that tasks after them have them. */
async function withTexts(courier: Courier, past: PastRun): Promise<Result<PastRun, string>> {
  const reports = new Map(past.reports);
  for (const [session, { did, report }] of past.reports) {
    const { media } = report.output;
    if (media === undefined || report.output.text !== undefined) continue;
    const bytes = await courier.getLarge(media);
    if (!bytes.ok) return err(`the output of ${session} cannot be downloaded: ${bytes.error.detail}`);
    const text = Buffer.from(bytes.value).toString('utf8');
    reports.set(session, { did, report: { ...report, output: { ...report.output, text } } });
  }
  return ok({ ...past, reports });
}

/** Writes the log, the outputs and the leases of the run, all or none. */
function writeHistory(
  { db, run, room, driver }: RecoverOptions,
  settings: RunSettings,
  past: PastRun,
  history: readonly RawEvent[],
): void {
  const now = Date.now();
  const write = db.transaction((): number | null => {
    raiseLease(db, run, past.nextEpoch - 2); // ours is one more, and the driver's that follows one more again
    const lease = takeLease(db, run, driver, () => false);
    if (!lease.ok) return null;
    const model = createModel(settings);
    const batch = emptyBatch();
    const note = (event: CisEvent, at: number): void => {
      applyEvent(model, event, { at, tick: performance.now() } satisfies Clock);
      batch.events.push({ at, event });
    };
    if (past.isStarted) note({ kind: 'run-started' }, settings.createdAt);
    for (const task of inOrder(settings.dag)) {
      for (const { event, at } of eventsOfTask(run, task, past, model, now)) {
        note(event, at);
        if (event.kind !== 'task-starting') continue;
        const { attempt, session } = event;
        batch.started.push({ task, attempt, session, agent: null, at });
      }
      const state = model.byId.get(task)?.state;
      if (state !== undefined) batch.tasks.push({ task, state });
      keepReport(db, run, task, past, batch);
    }
    if (past.pausedBy !== null) note({ kind: 'run-paused', by: past.pausedBy }, now);
    if (past.end !== null && past.isStarted) note({ kind: 'run-failed', reason: 'told by the room' }, now);
    batch.run = model.state;
    openRunWriter(db, run, lease.value).write(batch, true);
    for (const one of past.leases.values()) {
      const state = model.byId.get(one.task)?.state;
      const isOpen = state !== undefined && !settled[state.kind] && 'attempt' in state && state.attempt === one.attempt;
      const { did, task, attempt, session, epoch } = one;
      const given = {
        kind: 'given',
        did: did ?? ('' as Did),
        at: now,
        row: null,
        heldAt: null,
        startedAt: null,
      } as const;
      const held = isOpen ? (did === null ? ({ kind: 'queued' } as const) : given) : ({ kind: 'over', did } as const);
      writeLease(db, { run, task, attempt, session, epoch, state: held, refusals: {} });
    }
    for (const event of history) putIntoFleetInbox(db, { ...event, room }, now);
    followFleetRoom(db, readerOf(run), room);
    // What nodes said of attempts that are open is taken again, from the beginning.
    writeFleetCursor(db, readerOf(run), { inbox: 0, log: Number.MAX_SAFE_INTEGER });
    const last = db.prepare('SELECT coalesce(max(seq), 0) FROM events WHERE run_id = ?').pluck().get(run);
    writeFleetCursor(db, readerOf(run), { log: Number(last) });
    return lease.value;
  });
  const epoch = write.immediate();
  if (epoch !== null) releaseLease(db, run, epoch); // it does not wait for the disk, which is nothing for a transaction
}

/** Dependencies first. */
function inOrder({ tasks }: Dag): TaskId[] {
  const left = new Map(tasks.map((task) => [task.id, task]));
  const order: TaskId[] = [];
  while (left.size > 0) {
    const before = left.size;
    for (const [id, { deps }] of left) {
      if (deps.some((dep) => left.has(dep))) continue;
      order.push(id);
      left.delete(id);
    }
    if (left.size === before) break;
  }
  return order;
}

interface Dated {
  readonly event: CisEvent;
  readonly at: number;
}

/** The events that bring a task to where the room has it. What was between is not told. */
function eventsOfTask(run: RunId, task: TaskId, past: PastRun, model: RunModel, now: number): Dated[] {
  const leases = [...past.leases.values()].filter((one) => one.task === task);
  const lease = leases.reduce<(typeof leases)[number] | null>(
    (a, b) => (a === null || b.attempt > a.attempt ? b : a),
    null,
  );
  const told = past.tasks.get(task) ?? null;
  const isOlder = told === null || (lease !== null && lease.attempt > told.attempt);
  const known: PastTask | null = isOlder
    ? lease === null
      ? null
      : { status: 'starting', attempt: lease.attempt, at: now, reason: null, exitCode: null }
    : told;
  if (known === null) return [];
  const { attempt, at, status } = known;
  const reason = known.reason ?? 'told by the room';
  const session = sessionId(run, task, Math.max(1, attempt));
  const ready: Dated = { event: { kind: 'task-ready', task, why: 'dependencies' }, at };
  const starting: Dated = { event: { kind: 'task-starting', task, attempt: Math.max(1, attempt), session }, at };
  const report = past.reports.get(session)?.report ?? null;
  const output = report === null ? { bytes: 0, cutFrom: null, source: 'none' as const } : outputOf(report.output);
  const failure = (): Failure => failureOf(report?.end ?? null, known.exitCode, reason);
  switch (status) {
    case 'pending':
    case 'gated':
      return attempt > 0 ? [ready, starting, { event: { kind: 'task-lost', task, attempt }, at }] : [];
    case 'ready':
      return attempt > 0 ? [ready, starting, { event: { kind: 'task-lost', task, attempt }, at }] : [ready];
    case 'starting':
    case 'running':
    case 'blocked':
      return [ready, starting];
    case 'completed':
      return [ready, starting, { event: { kind: 'task-completed', task, attempt, output }, at }];
    case 'failed': {
      const debt = model.policy === 'allow_debt';
      const event = { kind: 'task-failed', task, attempt, failure: failure(), debt, output } as const;
      return attempt > 0 ? [ready, starting, { event, at }] : [{ event, at }];
    }
    case 'waiting-retry':
      return [
        ready,
        starting,
        { event: { kind: 'task-waiting-retry', task, attempt, failure: failure(), retryAt: now }, at },
      ];
    case 'lost':
    case 'undecided':
      return [ready, starting, { event: { kind: 'task-lost', task, attempt }, at }];
    case 'skipped':
      return [{ event: { kind: 'task-skipped', task, reason: { kind: 'person', by: reason } }, at }];
    case 'cancelled':
      return [{ event: { kind: 'task-cancelled', task, reason }, at }];
  }
}

function outputOf({
  bytes,
  cutFrom,
  source,
}: {
  bytes: number;
  cutFrom: number | null;
  source: 'file' | 'message' | 'screen' | 'none';
}) {
  return { bytes, cutFrom, source };
}

function failureOf(end: SessionEnd | null, exitCode: number | null, reason: string): Failure {
  if (end !== null) return { kind: 'session', end };
  if (exitCode !== null) return { kind: 'session', end: { kind: 'exited', code: exitCode } };
  return { kind: 'not-started', reason };
}

/** The output of a task that is over, as its node told it: those after it are given it. */
function keepReport(db: Db, run: RunId, task: TaskId, past: PastRun, batch: ReturnType<typeof emptyBatch>): void {
  const told = past.tasks.get(task);
  if (told === undefined || !settled[told.status] || told.attempt === 0) return;
  const session = sessionId(run, task, told.attempt);
  const found = past.reports.get(session);
  if (found === undefined) return;
  const { report } = found;
  const { bytes, cutFrom, source, text = '' } = report.output;
  if (source !== 'none') batch.outputs.push({ task, attempt: told.attempt, text, bytes, cutFrom, source });
  batch.ended.push({ task, attempt: told.attempt, at: report.endedAt, end: report.end });
  const event = { kind: 'ended', end: report.end } as const;
  batch.journalSeq = appendEntry(db, run, { at: report.endedAt, session, event, report });
}

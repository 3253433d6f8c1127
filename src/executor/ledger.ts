import type { Task } from '../domain/dag.ts';
import type { CisEvent, LoggedEvent } from '../domain/event.ts';
import { sessionId } from '../domain/ids.ts';
import { applyEvent, nodeOf, type Clock, type RunModel } from '../domain/plan-model.ts';
import { rollbackTaskId, type TaskId } from '../domain/ids.ts';
import type { RequestOutcome } from '../domain/request.ts';
import type { Result } from '../domain/result.ts';
import {
  emptyBatch,
  type Batch,
  type ArtifactFile,
  type NewOutput,
  type RunWriter,
  type WriteError,
} from '../storage/write.ts';
import type { SessionEnd } from '../domain/session.ts';

/** Gathers all that happens in one turn and commits it at once: the log, and the state tables that are its fold. */
export class Ledger {
  readonly #model: RunModel;
  readonly #writer: RunWriter;
  readonly #agentOf: (task: Task) => string | null;
  #batch: Batch = emptyBatch();
  #tasks = new Set<TaskId>();
  #isDurable = false;

  /** `agentOf` names the agent of a task, for the record of its attempts. */
  constructor(model: RunModel, writer: RunWriter, agentOf: (task: Task) => string | null) {
    this.#model = model;
    this.#writer = writer;
    this.#agentOf = agentOf;
  }

  /** Applies an event to the model and keeps it for the commit. */
  record(event: CisEvent, clock: Clock): void {
    applyEvent(this.#model, event, clock);
    this.note(event, clock.at);
  }

  /** Keeps an event that the model has already. */
  note(event: CisEvent, at: number): void {
    this.#batch.events.push({ at, event });
    this.#isDurable ||= !mayBeForgotten(event.kind);
    if (event.kind.startsWith('run-')) this.#noteRun(event, at);
    else if ('task' in event) this.#noteTask(event, at);
  }

  pid(task: TaskId, attempt: number, pid: number): void {
    this.#batch.pids.push({ task, attempt, pid });
  }

  ended(task: TaskId, attempt: number, at: number, end: SessionEnd): void {
    this.#batch.ended.push({ task, attempt, at, end });
  }

  output(output: NewOutput): void {
    this.#batch.outputs.push(output);
  }

  /** The output of a task that is not committed yet: conditions are asked in the turn in which it came. */
  pendingOutput(task: TaskId): NewOutput | null {
    return this.#batch.outputs.findLast((output) => output.task === task) ?? null;
  }

  artifacts(artifacts: readonly ArtifactFile[]): void {
    this.#batch.artifacts.push(...artifacts);
  }

  outcome(id: number, at: number, outcome: RequestOutcome): void {
    this.#batch.outcomes.push({ id, at, outcome });
    this.#isDurable = true;
  }

  cursor(seq: number): void {
    this.#batch.journalSeq = seq;
  }

  /** Writes what was gathered; nothing gathered writes nothing. */
  commit(): Result<LoggedEvent[], WriteError> {
    const batch = this.#batch;
    if (batch.events.length === 0 && batch.journalSeq === null && batch.outcomes.length === 0)
      return { ok: true, value: [] };
    for (const task of this.#tasks) batch.tasks.push({ task, state: nodeOf(this.#model, task).state });
    const written = this.#writer.write(batch, this.#isDurable);
    this.#batch = emptyBatch();
    this.#tasks = new Set();
    this.#isDurable = false;
    return written;
  }

  #noteRun(event: CisEvent, at: number): void {
    switch (event.kind) {
      case 'run-mode-changed':
        this.#batch.mode = { mode: event.mode, room: event.room };
        return;
      case 'run-rollback-starting': {
        const { attempt, session } = event;
        this.#batch.started.push({ task: rollbackTaskId(event.task, event.index), attempt, session, agent: null, at });
        return;
      }
      case 'run-driver-changed':
      case 'run-rollback-ended':
        return;
      default:
        this.#batch.run = this.#model.state;
    }
  }

  #noteTask(event: Extract<CisEvent, { task: TaskId }>, at: number): void {
    this.#tasks.add(event.task);
    if (event.kind === 'task-amended') this.#batch.amendments.push({ task: event.task, change: event.change });
    if (event.kind !== 'task-starting') return;
    const agent = this.#agentOf(nodeOf(this.#model, event.task).task);
    const session = sessionId(this.#model.run, event.task, event.attempt);
    this.#batch.started.push({ task: event.task, attempt: event.attempt, session, agent, at });
  }
}

/** What the host's journal tells again after a crash of the machine need not wait for the disk. */
function mayBeForgotten(kind: CisEvent['kind']): boolean {
  switch (kind) {
    case 'task-running':
    case 'task-blocked':
    case 'task-unblocked':
    case 'session-started':
    case 'session-blocked':
    case 'session-unblocked':
    case 'session-recording-truncated':
    case 'session-recording-failed':
      return true;
    default:
      return false;
  }
}

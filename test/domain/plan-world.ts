import type { Dag } from '../../src/domain/dag.ts';
import type { CisEvent } from '../../src/domain/event.ts';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import { nextDueTick, openRecorder, planNext, recordAttemptEnd, type Plan } from '../../src/domain/plan.ts';
import { applyEvent, createModel, nodeOf, type RunModel, type TaskNode } from '../../src/domain/plan-model.ts';
import { planRequest } from '../../src/domain/plan-request.ts';
import type { RequestOutcome, RunRequest } from '../../src/domain/request.ts';
import { ok } from '../../src/domain/result.ts';
import type { SessionEnd } from '../../src/domain/session.ts';

/** A run in which the test says how each session ends and what time it is. */
export class World {
  readonly model: RunModel;
  readonly log: { event: CisEvent; at: number }[] = [];
  /** Sessions that were asked for and have not ended. */
  readonly living = new Map<SessionId, TaskNode>();
  readonly asked: Plan['stops'] = [];
  /** Sessions under way, by task, highest ever at once. */
  conditionHolds = true;
  most = 0;
  now = 1_000;
  private readonly checks: (() => RequestOutcome | null)[] = [];
  readonly outcomes: RequestOutcome[] = [];

  constructor(dag: Dag) {
    this.model = createModel({ run: 'r' as RunId, maxWorkers: dag.maxWorkers ?? 4, dag });
    this.record({ kind: 'run-started' });
    this.plan();
  }

  record(event: CisEvent): void {
    applyEvent(this.model, event, this.clock());
    this.note([event]);
  }

  plan(): void {
    const plan = planNext(this.model, this.clock(), () => ok(this.conditionHolds));
    this.take(plan);
    for (const check of this.checks.splice(0)) {
      const outcome = check();
      if (outcome === null) this.checks.push(check);
      else this.outcomes.push(outcome);
    }
  }

  ask(request: RunRequest, by = 'ann'): RequestOutcome | 'pending' {
    const planned = planRequest(this.model, request, by, this.clock());
    this.take(planned.plan);
    if (planned.check !== undefined) this.checks.push(planned.check);
    this.plan();
    return planned.outcome;
  }

  /** The session of a task ends. */
  end(task: string, end: SessionEnd = { kind: 'exited', code: 0 }): void {
    const node = nodeOf(this.model, task as TaskId);
    const { state } = node;
    if (!('session' in state) || state.session === null) throw new Error(`${task} has no session`);
    const into = openRecorder(this.model, this.clock());
    if (state.kind === 'starting')
      into.record({ kind: 'task-running', task: node.task.id, attempt: state.attempt, pid: 1 });
    this.living.delete(state.session);
    recordAttemptEnd(into, node, end, { bytes: 0, cutFrom: null, source: 'none' });
    this.take(into.plan);
    this.plan();
  }

  /** Every session that was asked to stop does. */
  obey(): void {
    for (const stop of this.asked.splice(0)) {
      const node = this.living.get(stop.session);
      if (node !== undefined) this.end(node.task.id, { kind: 'killed', by: stop.cause, signal: 'SIGTERM' });
    }
  }

  /** Time goes on to the next instant at which something is due. */
  wait(): boolean {
    const due = nextDueTick(this.model);
    if (due === null) return false;
    this.now = Math.max(this.now, due);
    this.plan();
    return true;
  }

  state(task: string): string {
    return nodeOf(this.model, task as TaskId).state.kind;
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.model.nodes.map((node) => [node.task.id, node.state.kind]));
  }

  get run(): string {
    return this.model.state.kind;
  }

  private clock(): { at: number; tick: number } {
    return { at: this.now, tick: this.now };
  }

  private take(plan: Plan): void {
    this.note(plan.events);
    this.asked.push(...plan.stops);
  }

  private note(events: readonly CisEvent[]): void {
    for (const event of events) {
      this.log.push({ event, at: this.now });
      if (event.kind === 'task-starting') this.living.set(event.session, nodeOf(this.model, event.task));
      this.most = Math.max(this.most, this.living.size);
    }
  }
}

import { journalPath, type Home } from '../config/home.ts';
import type { AnswerRule, Task } from '../domain/dag.ts';
import type { SessionId } from '../domain/ids.ts';
import { ok, type Result } from '../domain/result.ts';
import type { RunSettings } from '../domain/run.ts';
import type { SessionEnd } from '../domain/session.ts';
import { readJournal } from '../host/journal.ts';
import type { ConnectHost, HostConnection } from '../host/port.ts';
import type { SpawnRequest } from '../host/protocol.ts';
import { startAction } from './action.ts';
import type { Agents } from './agents.ts';
import { findArtifacts } from './artifacts.ts';
import { closeSession } from './close-session.ts';
import { collectOutput, noOutput } from './output.ts';
import { spawnRollback, spawnTask, type SpawnFacts } from './spawn.ts';
import type { Leavings, Survey, Workplace, WorkplaceConnection, WorkplaceListeners } from './workplace.ts';
import type { Workspaces } from './workspaces.ts';

export interface LocalOptions {
  readonly home: Home;
  readonly settings: RunSettings;
  readonly epoch: number;
  readonly connect: ConnectHost;
  readonly what: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly umask: number;
  readonly maxRecordingBytes: number;
  readonly killGraceMs: number;
  readonly hostIdleMs: number;
  readonly cols: number;
  readonly rows: number;
  readonly answers?: readonly AnswerRule[];
  readonly agents: Agents | null;
}

/** The host of this home as the workplace of a run. */
export function openLocalWorkplace(options: LocalOptions, workspaces: Workspaces): Workplace {
  const { home, settings, agents } = options;
  const leavesFiles = settings.dag.tasks.filter(({ outputs }) => outputs.length > 0).map(({ id }) => id);
  const facts: SpawnFacts = { ...options, leavesFiles: new Set(leavesFiles) };
  /** Starts that a stopping host refused: they certainly did not happen. */
  const unsent = new Set<SessionId>();
  return {
    workspaces,
    commit: (task) => workspaces.commit(task),
    async connect(listeners, after) {
      const { what, connect, hostIdleMs } = options;
      const connected = await connect({ home, what, start: true, idleMs: hostIdleMs });
      if (!connected.ok) return connected;
      return ok(new LocalConnection({ ...options, facts, workspaces, unsent, listeners }, connected.value, after));
    },
    leavings(task, attempt, end, message) {
      return leavingsOf(end, () => {
        const said = task.action.kind === 'agent' && agents !== null ? agents.message(task, attempt, message) : null;
        return {
          output: collectOutput(home, settings.run, task.id, attempt, said),
          artifacts:
            task.outputs.length === 0
              ? []
              : findArtifacts(task, attempt, workspaces.placed(task).workDir ?? settings.dag.workDir),
        };
      });
    },
  };
}

/** A session that never ran has left nothing. */
export function leavingsOf(end: SessionEnd, look: () => Leavings): Leavings {
  if (end.kind !== 'lost' && end.kind !== 'not-started') return look();
  return { output: { text: '', summary: noOutput }, artifacts: [] };
}

interface ConnectionOptions extends LocalOptions {
  readonly facts: SpawnFacts;
  readonly workspaces: Workspaces;
  readonly unsent: Set<SessionId>;
  readonly listeners: WorkplaceListeners;
}

class LocalConnection implements WorkplaceConnection {
  readonly #options: ConnectionOptions;
  readonly #host: HostConnection;

  constructor(options: ConnectionOptions, host: HostConnection, after: number) {
    const { settings, env, listeners } = options;
    this.#options = options;
    this.#host = host;
    host.listen({ journal: (_, entry) => listeners.entry(entry), poke: () => listeners.poke() });
    void host.request({ kind: 'environment', env: definedOnly(env) });
    void host.request({ kind: 'follow', run: settings.run, after });
  }

  get closed(): Promise<void> {
    return this.#host.closed;
  }

  poke(): void {
    void this.#host.request({ kind: 'poke', run: this.#options.settings.run });
  }

  async survey(): Promise<Survey | null> {
    const { settings, home, unsent } = this.#options;
    const hello = await this.#host.request({ kind: 'status' });
    const list = await this.#host.request({ kind: 'list', run: settings.run });
    if (!hello.ok || !list.ok || hello.value.kind !== 'status' || list.value.kind !== 'sessions') return null;
    return {
      entries: readJournal(journalPath(home, settings.run), 0),
      living: new Set(list.value.sessions.map((one) => one.session)),
      knowsFrom: hello.value.status.startedAt,
      unsent,
    };
  }

  start(task: Task, attempt: number, session: SessionId, context: Parameters<WorkplaceConnection['start']>[3]) {
    const { home, settings, agents, facts, workspaces } = this.#options;
    const start = startAction({ home, settings, task, attempt, context }, agents);
    if (!start.ok) return start;
    this.#send(withEnv(spawnTask(facts, task, attempt, session, start.value), workspaces.env(task)));
    return started;
  }

  startRollback(task: Task, index: number, attempt: number, session: SessionId): void {
    const { facts, workspaces } = this.#options;
    const placed = workspaces.placed(task);
    this.#send(withEnv(spawnRollback(facts, placed, index, attempt, session), workspaces.env(placed)));
  }

  kill(session: SessionId, cause: Parameters<WorkplaceConnection['kill']>[1]): void {
    const graceMs = this.#options.killGraceMs;
    void this.#host.request({ kind: 'kill', session, signal: 'SIGTERM', graceMs, cause });
  }

  close(...[session, steps, ended]: Parameters<WorkplaceConnection['close']>): Promise<void> {
    return closeSession(this.#host, session, steps, ended);
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }

  #send(spawn: SpawnRequest): void {
    const { unsent, listeners } = this.#options;
    const { session } = spawn;
    unsent.delete(session);
    void this.#host.request({ kind: 'spawn', spawn }).then((reply) => {
      if (reply.ok) return;
      switch (reply.error.kind) {
        case 'session-exists':
        case 'disconnected':
          return; // the journal knows, now or when we are connected again
        case 'stopping':
          return void unsent.add(session);
        case 'old-epoch':
          return listeners.superseded();
        case 'not-started':
          return listeners.refused(session, reply.error.reason);
        case 'bad-request':
          return listeners.refused(session, reply.error.detail);
        default:
          return listeners.refused(session, reply.error.kind);
      }
    });
  }
}

const started: Result<null, never> = ok(null);

export function withEnv(spawn: SpawnRequest, env: Record<string, string | null>): SpawnRequest {
  return Object.keys(env).length === 0 ? spawn : { ...spawn, env: { ...spawn.env, ...env } };
}

export function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

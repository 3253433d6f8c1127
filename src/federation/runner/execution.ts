import { join } from 'node:path';
import type { AgentTables } from '../../agents/profiles.ts';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import type { AnswerRule, Task } from '../../domain/dag.ts';
import type { ErrorClass, TaskOrder, TaskReport } from '../../domain/fleet/order.ts';
import type { LargeRef, TravelError } from '../../domain/fleet/travel.ts';
import type { RunId, SessionId, TaskId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { SessionEnd } from '../../domain/session.ts';
import { startAction } from '../../executor/action.ts';
import type { Agents } from '../../executor/agents.ts';
import { findArtifacts } from '../../executor/artifacts.ts';
import type { Context } from '../../executor/context.ts';
import { filesPath, upstreamDir, writePrivate, writeUpstream } from '../../executor/files.ts';
import { leavingsOf, withEnv } from '../../executor/local-workplace.ts';
import { collectOutput } from '../../executor/output.ts';
import { spawnRollback, spawnTask, type SpawnFacts } from '../../executor/spawn.ts';
import { worktreeEnv } from '../../executor/workspaces.ts';
import type { SpawnRequest } from '../../host/protocol.ts';
import { readWorkspace } from '../../worktree/record.ts';
import { splitEpoch } from '../../domain/fleet/epoch.ts';
import type { Courier } from '../travel/courier.ts';
import { packFiles, unpackFiles } from '../travel/files.ts';
import { packResult } from '../travel/pack-result.ts';
import { nodeWorktrees } from '../travel/paths.ts';
import { markLaunched, unpackWorkspace } from '../travel/unpack-workspace.ts';

/** How this home runs what it is given. */
export interface ExecutionOptions {
  readonly home: Home;
  readonly room: string;
  readonly tables: AgentTables;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly umask: number;
  readonly maxRecordingBytes: number;
  readonly cols: number;
  readonly rows: number;
  readonly answers?: readonly AnswerRule[];
  readonly mask: (text: string) => string;
  readonly courier: Courier;
}

/** Why an attempt did not come to run here, or could not be told. */
export interface Refused {
  readonly errorClass: ErrorClass;
  readonly reason: string;
}

/** What an attempt needs before its session starts, all of it on this machine. */
export interface Ready {
  readonly cwd: string;
  readonly texts: ReadonlyMap<TaskId, string>;
  readonly files: ReadonlyMap<TaskId, readonly string[]>;
}

/** An output larger than this goes through the media store. */
const inlineBytes = 20_000;

/** Whether something must be fetched or made first; most commands need nothing. */
export function needsPreparation(order: TaskOrder): boolean {
  if (order.source !== undefined && order.rollback === undefined) return true;
  return Object.values(order.upstream).some((one) => one.media !== undefined || one.files.length > 0);
}

/** What is there already: for orders that need no preparation. */
export function readyAtOnce(home: Home, order: TaskOrder, cwd: string | null): Ready {
  const upstream = Object.entries(order.upstream) as [TaskId, TaskOrder['upstream'][TaskId]][];
  return {
    cwd: placeOf(home, order, cwd),
    texts: new Map(upstream.map(([task, one]) => [task, one.text ?? ''])),
    files: new Map(),
  };
}

/** The directory of a task: the one it names, else one of this node's own for the run. `given`: where the run was started, on the same machine. */
function placeOf(home: Home, order: TaskOrder, given: string | null): string {
  const worktree = order.source === undefined ? null : readWorkspace(nodeWorktrees(home), order.run, order.task.id);
  if (worktree !== null) return join(worktree.path, worktree.repository.prefix);
  if (order.task.workDir !== undefined) return order.task.workDir;
  if (given !== null) return given;
  const dir = join(home.dir, 'node', 'work', order.run);
  makePrivateDir(dir);
  return dir;
}

/** Fetches what the attempt builds upon. */
export async function prepare(
  { home, courier }: ExecutionOptions,
  order: TaskOrder,
  coordinator: string,
  given: string | null,
): Promise<Result<Ready, Refused>> {
  const { run, task, attempt, source } = order;
  const texts = new Map<TaskId, string>();
  const files = new Map<TaskId, readonly string[]>();
  for (const [id, one] of Object.entries(order.upstream) as [TaskId, TaskOrder['upstream'][TaskId]][]) {
    const text = one.media === undefined ? ok(Buffer.from(one.text ?? '')) : await courier.getLarge(one.media);
    if (!text.ok) return err(refusal(`the output of ${id}`, text.error));
    texts.set(id, Buffer.from(text.value).toString('utf8'));
    if (one.files.length === 0) continue;
    const from = { task: id, attempt: one.attempt, files: one.files };
    const paths = await unpackFiles({ dir: join(home.sessions, run, 'from-nodes'), from, courier });
    if (!paths.ok) return err(refusal(`the files of ${id}`, paths.error));
    files.set(id, paths.value);
  }
  if (source === undefined || order.rollback !== undefined)
    return ok({ texts, files, cwd: placeOf(home, order, given) });
  const unpacked = await unpackWorkspace({ home, coordinator, run, task: task.id, attempt, source, courier });
  if (!unpacked.ok) return err(refusal('its files', unpacked.error));
  return ok({ texts, files, cwd: unpacked.value.cwd });
}

function refusal(what: string, { kind, detail }: TravelError): Refused {
  return { errorClass: kind === 'passing' ? 'infra' : 'task', reason: `${what} could not be had: ${detail}` };
}

/** The order as the settings of a run that has just this task. */
export function settingsOf({ run, dag, vars, defaultAgent, agentMode, matrix }: TaskOrder, room: string): RunSettings {
  return { run, dag, vars, defaultAgent, agentMode, matrix, mode: 'matrix', room, maxWorkers: 1, createdAt: 0 };
}

/** Writes the files that the session reads, and returns what the host is asked for. */
export function buildSpawn(
  options: ExecutionOptions,
  order: TaskOrder,
  session: SessionId,
  epoch: number,
  ready: Ready,
  agents: Agents | null,
): Result<SpawnRequest, string> {
  const { home, env, room } = options;
  const { run, attempt, rollback, dag } = order;
  const settings = settingsOf(order, room);
  const task: Task = { ...order.task, workDir: ready.cwd };
  writeInputs(home, run, order, ready);
  const leavesFiles = new Set(dag.tasks.filter(({ outputs }) => outputs.length > 0).map(({ id }) => id));
  const facts: SpawnFacts = { ...options, settings, epoch: splitEpoch(epoch).coordinator, leavesFiles };
  if (rollback !== undefined)
    return ok(withEnv(spawnRollback(facts, task, rollback, attempt, session), worktreeOf(home, order)));
  const fromEnv = (name: string): string | null => dag.env[name] ?? env[name] ?? null;
  const fromVars = (name: string): string | null => order.vars[name] ?? dag.vars?.[name] ?? null;
  const context: Context = {
    output: (id) => {
      const given = order.upstream[id];
      return given === undefined ? null : { text: ready.texts.get(id) ?? '', bytes: given.bytes };
    },
    files: (id) => ready.files.get(id) ?? [],
    env: fromEnv,
    var: fromVars,
    facts: { task: () => null, env: fromEnv, var: fromVars }, // conditions are the coordinator's
  };
  const start = startAction({ home, settings, task, attempt, context }, agents);
  if (!start.ok) return start;
  if (order.source !== undefined) markLaunched(home, run, order.task.id);
  return ok(withEnv(spawnTask(facts, task, attempt, session, start.value), worktreeOf(home, order)));
}

function worktreeOf(home: Home, { run, task, source }: TaskOrder): Record<string, string | null> {
  const workspace = source === undefined ? null : readWorkspace(nodeWorktrees(home), run, task.id);
  return workspace === null ? {} : worktreeEnv(workspace);
}

function writeInputs(home: Home, run: RunId, order: TaskOrder, { texts, files }: Ready): void {
  const dir = upstreamDir(home, run);
  for (const [id, one] of Object.entries(order.upstream) as [TaskId, TaskOrder['upstream'][TaskId]][]) {
    writeUpstream(dir, id, Math.max(2, one.attempt), texts.get(id) ?? '');
    const paths = files.get(id);
    if (paths !== undefined) writePrivate(filesPath(home, run, id), paths.map((path) => `${path}\n`).join(''));
  }
}

/** What a session that has ended leaves, ready to be told. */
export async function reportOf(
  options: ExecutionOptions,
  order: TaskOrder,
  ended: { readonly end: SessionEnd; readonly startedAt: number; readonly endedAt: number; readonly cwd: string },
  said: string | null,
): Promise<TaskReport> {
  const { home, courier, mask } = options;
  const { run, task, attempt } = order;
  const { end, startedAt, endedAt, cwd } = ended;
  const times = { startedAt, endedAt };
  if (order.rollback !== undefined) return { end, ...times, output: nothing, files: [] };
  const { output, artifacts } = leavingsOf(end, () => ({
    output: collectOutput(home, run, task.id, attempt, said),
    artifacts: task.outputs.length === 0 ? [] : findArtifacts(task, attempt, cwd),
  }));
  const text = mask(output.text);
  const isLarge = Buffer.byteLength(JSON.stringify(text)) > inlineBytes;
  const media = isLarge ? await courier.putLarge(Buffer.from(text), `${task.id}.txt`) : null;
  const told: { readonly text?: string; readonly media?: LargeRef } =
    media === null ? { text } : media.ok ? { media: media.value } : {};
  const files =
    artifacts.length === 0 ? [] : await packFiles({ paths: artifacts.map(({ path }) => path), cwd, courier });
  const report: TaskReport = { end, ...times, output: { ...output.summary, ...told }, files };
  if (media?.ok === false) return failedReport(report, `its output could not be sent: ${media.error.detail}`);
  const isGood = (end.kind === 'exited' && end.code === 0) || (end.kind === 'killed' && end.by === 'done');
  if (order.source === undefined || !isGood) return report;
  const work = await packResult({ home, run, task, courier });
  if (!work.ok) return failedReport(report, `what it changed could not be sent: ${work.error.detail}`);
  return { ...report, work: work.value };
}

const nothing = { bytes: 0, cutFrom: null, source: 'none' } as const;

/** It ended well here, but nobody elsewhere could build on it. */
function failedReport(report: TaskReport, reason: string): TaskReport {
  return { ...report, end: { kind: 'not-started', reason }, errorClass: 'infra', reason };
}

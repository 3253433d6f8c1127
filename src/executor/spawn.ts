import { recordingPath, type Home } from '../config/home.ts';
import type { AnswerRule, Task } from '../domain/dag.ts';
import { rollbackTaskId, type SessionId, type TaskId } from '../domain/ids.ts';
import { upstreamOf } from '../domain/prompt.ts';
import { filesVariable, upstreamVariable } from '../domain/upstream.ts';
import type { RunSettings } from '../domain/run.ts';
import type { SpawnRequest } from '../host/protocol.ts';
import type { Start } from './action.ts';
import { filesPath, outputPath, upstreamDir } from './files.ts';

export interface SpawnFacts {
  readonly home: Home;
  readonly settings: RunSettings;
  readonly epoch: number;
  readonly umask: number;
  readonly maxRecordingBytes: number;
  /** Tasks with `outputs`. */
  readonly leavesFiles: ReadonlySet<TaskId>;
  readonly cols: number;
  readonly rows: number;
  /** `[[answers]]` of the config; a task's own go first. */
  readonly answers?: readonly AnswerRule[];
}

/** Builds the request that starts an attempt of a task. */
export function spawnTask(
  facts: SpawnFacts,
  task: Task,
  attempt: number,
  session: SessionId,
  start: Start,
): SpawnRequest {
  const answers = [...task.answers, ...(facts.answers ?? [])];
  return {
    ...common(facts, task, task.id, attempt, session),
    ...(answers.length === 0 ? {} : { answers }),
    ...(task.onBlocked.onRateLimit === 'wait' ? { waitsForLimits: true } : {}),
    ...(start.agent === undefined ? {} : { agent: start.agent }),
    file: start.file,
    args: start.args,
    env: { ...taskEnv(facts, task, task.id, attempt, session), ...start.env },
  };
}

/** Builds the request that runs rollback command `index` (from 1) of a task. */
export function spawnRollback(
  facts: SpawnFacts,
  task: Task,
  index: number,
  attempt: number,
  session: SessionId,
): SpawnRequest {
  const id = rollbackTaskId(task.id, index);
  return {
    ...common(facts, task, id, attempt, session),
    file: '/bin/sh',
    args: ['-c', task.rollback[index - 1] ?? ''],
    env: taskEnv(facts, task, id, attempt, session),
  };
}

function common(facts: SpawnFacts, task: Task, id: TaskId, attempt: number, session: SessionId) {
  const { home, settings, epoch, umask, cols, rows, maxRecordingBytes } = facts;
  return {
    session,
    run: settings.run,
    epoch,
    cwd: task.workDir ?? settings.dag.workDir,
    umask,
    cols,
    rows,
    recording: {
      path: recordingPath(home, settings.run, id, attempt),
      maxBytes: maxRecordingBytes,
      title: session,
    },
  };
}

/** What a session has on top of the executor's environment: the file's, the task's, `--var`, then cis's own. */
function taskEnv(
  facts: SpawnFacts,
  task: Task,
  id: TaskId,
  attempt: number,
  session: SessionId,
): Record<string, string> {
  const { home, settings, leavesFiles } = facts;
  const dir = upstreamDir(home, settings.run);
  const env: Record<string, string> = {
    ...settings.dag.env,
    ...task.env,
    ...settings.vars,
    CIS_HOME: home.dir,
    CIS_RUN_ID: settings.run,
    CIS_TASK_ID: id,
    CIS_ATTEMPT: String(attempt),
    CIS_SESSION: session,
    CIS_OUTPUT: outputPath(home, settings.run, id, attempt),
    CIS_UPSTREAM_DIR: dir,
  };
  const upstream = task.context === 'ancestors' ? upstreamOf(settings.dag, task) : task.deps;
  for (const one of upstream) {
    env[upstreamVariable(one)] = `${dir}/${one}`;
    if (leavesFiles.has(one)) env[filesVariable(one)] = filesPath(home, settings.run, one);
  }
  return env;
}

import type { Home } from '../config/home.ts';
import {
  preludeVariable,
  renderCommand,
  renderPrelude,
  shellArgv,
  wrapScript,
  type RenderedCommand,
} from '../domain/command.ts';
import type { Action, Task } from '../domain/dag.ts';
import { templateValues } from '../domain/prompt.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { RunSettings } from '../domain/run.ts';
import type { SpawnedAgent } from '../host/protocol.ts';
import type { Agents } from './agents.ts';
import type { Context } from './context.ts';
import { secretPath, writePrivate } from './files.ts';

/** The program that a session is. */
export interface Start {
  readonly file: string;
  readonly args: readonly string[];
  /** On top of the task's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Set for an agent: how its screen is read, its hooks are known and its questions are answered. */
  readonly agent?: SpawnedAgent;
}

export interface StartRequest {
  readonly home: Home;
  readonly settings: RunSettings;
  readonly task: Task;
  readonly attempt: number;
  readonly context: Context;
}

/** Returns what to start for a task's attempt, writing the files it reads; an error says why it cannot start. */
export function startAction(request: StartRequest, agents: Agents | null): Result<Start, string> {
  const { action } = request.task;
  if (action.kind === 'command') return startCommand(request, action);
  return agents === null ? err('it needs an agent, and this run was opened without any') : agents.start(request);
}

function startCommand(request: StartRequest, action: Extract<Action, { kind: 'command' }>): Result<Start, string> {
  const rendered = fillIn(request, action);
  if (!rendered.ok) return rendered;
  const [file = '/bin/sh', ...args] = action.shell === '/bin/sh' ? ['/bin/sh', '-c'] : shellArgv(action.shell);
  return ok({ file, args: [...args, wrapScript(rendered.value)], env: writePrelude(request, rendered.value) });
}

/** Most commands have nothing to fill in: those are not scanned. */
function fillIn(
  { settings, task, context }: StartRequest,
  action: Extract<Action, { kind: 'command' }>,
): Result<RenderedCommand, string> {
  const { command, shell } = action;
  if (!command.includes('{{')) return ok({ script: command, variables: [] });
  const values = templateValues(
    task,
    { run: settings.run, env: context.env, var: context.var },
    (id) => context.output(id)?.text ?? null,
  );
  return renderCommand(settings.dag, task, command, shell, values);
}

function writePrelude(
  { home, settings, task, attempt }: StartRequest,
  rendered: RenderedCommand,
): Record<string, string> {
  if (rendered.variables.length === 0) return {};
  const path = secretPath(home, settings.run, task.id, attempt, 'prelude');
  writePrivate(path, renderPrelude(rendered.variables));
  return { [preludeVariable]: path };
}

import type { Home } from '../config/home.ts';
import type { ConditionFacts, TaskField } from '../domain/condition.ts';
import type { TaskId } from '../domain/ids.ts';
import type { RunModel, TaskNode } from '../domain/plan-model.ts';
import type { RunSettings } from '../domain/run.ts';
import type { Db } from '../storage/open.ts';
import type { NewOutput } from '../storage/write.ts';
import { readArtifacts, readOutput } from '../storage/read.ts';

/** What tasks learn from those before them. */
export interface Context {
  /** The output of the latest attempt that left one, with secrets masked. */
  readonly output: (task: TaskId) => { readonly text: string; readonly bytes: number } | null;
  /** Paths of the files that its latest attempt left. */
  readonly files: (task: TaskId) => readonly string[];
  readonly env: (name: string) => string | null;
  readonly var: (name: string) => string | null;
  readonly facts: ConditionFacts;
}

export interface ContextOptions {
  readonly db: Db;
  readonly home: Home;
  readonly settings: RunSettings;
  readonly model: RunModel;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Masks secrets in what another task is given: the one place where upstream text passes. */
  readonly mask: (text: string) => string;
  /** An output that this turn brought and the database does not have yet. */
  readonly pending: (task: TaskId) => NewOutput | null;
}

export function openContext({ db, settings, model, env, mask, pending }: ContextOptions): Context {
  const output: Context['output'] = (task) => {
    const row = pending(task) ?? readOutput(db, settings.run, task, null);
    return row === null ? null : { text: mask(row.text), bytes: row.cutFrom ?? row.bytes };
  };
  const fromEnv = (name: string): string | null => settings.dag.env[name] ?? env[name] ?? null;
  const fromVars = (name: string): string | null => settings.vars[name] ?? settings.dag.vars?.[name] ?? null;
  const task = (id: TaskId, field: TaskField): string | number | null => {
    const node = model.byId.get(id);
    if (node === undefined) return null;
    return field === 'output' ? (output(id)?.text ?? '') : factOf(node, field);
  };
  const files: Context['files'] = (task) => readArtifacts(db, settings.run, task, null).map(({ path }) => path);
  return { output, files, env: fromEnv, var: fromVars, facts: { task, env: fromEnv, var: fromVars } };
}

function factOf(node: TaskNode, field: 'exit_code' | 'status' | 'attempts'): string | number | null {
  const { state } = node;
  switch (field) {
    case 'attempts':
      return node.attempts;
    case 'status':
      return state.kind;
    case 'exit_code':
      if (state.kind === 'completed') return 0;
      if (state.kind !== 'failed' || state.failure.kind !== 'session') return null;
      return state.failure.end.kind === 'exited' ? state.failure.end.code : null;
  }
}

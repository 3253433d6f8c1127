import type { Dag, Todo } from '../domain/dag.ts';
import { resolveAgent } from './action.ts';
import { buildTasks } from './build.ts';
import { dagFile, type FileDraft } from './keys.ts';
import { didYouMean } from './nearest.ts';
import { under, type Finding, type Say } from './problem.ts';
import { checkRelations } from './relations.ts';
import { priorityNumber } from './task.ts';
import { placeOf } from './types.ts';

/** What the checks need to know beside the text; plain data, so that they read nothing themselves. */
export interface CheckOptions {
  /** Used when the file gives no name. */
  readonly fileName: string;
  /** Absolute: where `cis` was called. */
  readonly cwd: string;
  /** Makes a path of the file absolute, from the directory of the file. */
  readonly resolve: (path: string) => string;
  readonly config: DagFileConfig;
  /** Of `--var K=V`. */
  readonly vars?: Readonly<Record<string, string>>;
  /** `--use-agent`. */
  readonly useAgent?: boolean;
}

export interface DagFileConfig {
  /** Names of `[agents.NAME]`. */
  readonly agents: readonly string[];
  /** `[skills.NAME]`. */
  readonly skills: Readonly<Record<string, { readonly command: string }>>;
}

export interface Checked {
  /** Null when there are errors. */
  readonly dag: Dag | null;
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Checks a parsed file and says all that is wrong with it at once. */
export function checkDag(raw: unknown, options: CheckOptions): Checked {
  const errors: Finding[] = [];
  const warnings: Finding[] = [];
  const say: Say = (finding) => errors.push(finding);
  const file = dagFile.read(raw, null, say);
  if (file === undefined) return { dag: null, errors, warnings };
  const dag = assemble(mergeShapes(file, say), file, options, say, (finding) => warnings.push(finding));
  return { dag: errors.length === 0 ? dag : null, errors, warnings };
}

type Merged = Omit<NonNullable<FileDraft['dag']>, symbol> & {
  readonly place: (key: string) => ReturnType<typeof placeOf>;
};

/** The keys of `[dag]` may stand in `[dag]` or at the top; not in both. */
function mergeShapes(file: FileDraft, say: Say): Merged {
  const { dag, skill: _skill, metadata: _metadata, $schema: _schema, ...top } = file;
  for (const key of Object.keys(dag ?? {})) {
    if (!Object.hasOwn(top, key)) continue;
    const message = `\`${key}\` stands at the top of the file and in \`[dag]\``;
    say({ message, hint: 'keep one of the two', at: placeOf(file, key), part: 'key' });
  }
  const inDag = dag;
  return {
    ...top,
    ...dag,
    place: (key) => (inDag !== undefined && Object.hasOwn(inDag, key) ? placeOf(inDag, key) : placeOf(file, key)),
  };
}

function assemble(dag: Merged, file: FileDraft, options: CheckOptions, say: Say, warn: Say): Dag {
  const { skill, metadata } = file;
  const policy = dag.policy ?? {};
  const defaultAgent = readDefaultAgent(dag, options, say);
  const description = dag.description ?? skill?.description ?? metadata?.description;
  const version = dag.version ?? skill?.version ?? metadata?.version;
  const author = dag.author ?? skill?.author ?? metadata?.author;
  const tags = dag.tags ?? metadata?.tags;
  if (dag.tasks === undefined) sayNoTasks(file, say);
  const entries = buildTasks(dag.tasks ?? [], {
    say,
    warn,
    resolve: options.resolve,
    agents: options.config.agents,
    skills: options.config.skills,
    defaultAgent,
    useAgent: options.useAgent ?? false,
    priority: dag.priority === undefined ? 0 : priorityNumber(dag.priority),
    maxRetries: policy.max_retries ?? 0,
    targetNode: dag.target_node,
  });
  const result: Dag = {
    name: dag.name ?? skill?.name ?? metadata?.name ?? dag.id ?? metadata?.id ?? options.fileName,
    ...(description === undefined ? {} : { description }),
    ...(version === undefined ? {} : { version }),
    ...(author === undefined ? {} : { author }),
    ...(dag.scope === undefined
      ? {}
      : { scope: typeof dag.scope === 'string' ? dag.scope : JSON.stringify(dag.scope) }),
    todo: (dag.todo ?? []).map(readTodo),
    policy: policy.type ?? (policy.continue_on_failure === true ? 'allow_debt' : 'all_success'),
    ...(dag.max_workers === undefined ? {} : { maxWorkers: dag.max_workers }),
    ...(defaultAgent === undefined ? {} : { defaultAgent }),
    workDir: dag.work_dir === undefined ? options.cwd : options.resolve(dag.work_dir),
    env: { ...dag.dag?.env, ...dag.env },
    matrix: readMatrix(dag, say),
    ...(dag.vars === undefined ? {} : { vars: dag.vars }),
    ...(dag.priority === undefined ? {} : { priority: dag.priority }),
    ...(tags === undefined ? {} : { tags }),
    ...(dag.auto_attach_on_block === undefined ? {} : { autoAttachOnBlock: dag.auto_attach_on_block }),
    tasks: entries.map(({ task }) => task),
  };
  checkVars(result, options.vars ?? {}, say);
  checkRelations(result, entries, say);
  return result;
}

function readDefaultAgent(dag: Merged, options: CheckOptions, say: Say): string | undefined {
  if (dag.default_agent === undefined || dag.default_agent === 'default') return undefined;
  const found = resolveAgent(dag.default_agent, options.config);
  if ('name' in found) return found.name;
  say({ ...found, at: dag.place('default_agent'), part: 'value' });
  return undefined;
}

function sayNoTasks(file: FileDraft, say: Say): void {
  const hint = 'a task is `[[dag.tasks]]` with `id` and `command`; in JSON, {"tasks": [{"id": …, "command": …}]}';
  const at = file.dag === undefined ? null : under(null, 'dag');
  say({ message: 'the file has no tasks', hint, at, part: 'key' });
}

function readTodo(todo: Readonly<Record<string, unknown>>): Todo {
  const text = ['text', 'description', 'title', 'name', 'id']
    .map((key) => todo[key])
    .find((value) => typeof value === 'string');
  return { ...todo, text: typeof text === 'string' ? text : '' };
}

function readMatrix({ matrix }: Merged, say: Say): Dag['matrix'] {
  if (matrix?.sensitive === true && matrix.encrypted === false) {
    const hint = 'leave `encrypted` away or make it true';
    say({ message: '`sensitive` needs an encrypted room', hint, at: placeOf(matrix, 'encrypted'), part: 'value' });
  }
  return {
    ...(matrix?.room === undefined ? {} : { room: matrix.room }),
    encrypted: matrix?.encrypted ?? matrix?.sensitive ?? false,
    sensitive: matrix?.sensitive ?? false,
    ...(matrix?.broadcast_output === undefined ? {} : { broadcastOutput: matrix.broadcast_output }),
  };
}

/** A file that lists its variables wants to be told of a wrong one. */
function checkVars(dag: Dag, given: Readonly<Record<string, string>>, say: Say): void {
  const declared = Object.keys(dag.vars ?? {});
  if (declared.length === 0) return;
  for (const name of Object.keys(given)) {
    if (declared.includes(name)) continue;
    say({
      message: `--var ${name}: the file has no such variable`,
      ...didYouMean(name, declared),
      at: null,
      part: 'value',
    });
  }
}

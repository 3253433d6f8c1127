import type { Dag, Task } from '../../domain/dag.ts';
import type { TaskOrder, UpstreamOutput } from '../../domain/fleet/order.ts';
import type { WorkspaceSource } from '../../domain/fleet/travel.ts';
import { ancestorsOf } from '../../domain/graph.ts';
import { sessionId, type TaskId } from '../../domain/ids.ts';
import { namesOfDag } from '../../domain/names.ts';
import { upstreamOf } from '../../domain/prompt.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import { parseTemplate } from '../../domain/template.ts';
import type { Context } from '../../executor/context.ts';
import { readOutput } from '../../storage/read.ts';
import { readReport } from '../../storage/fleet-leases.ts';
import type { Db } from '../../storage/open.ts';
import { orderEnv } from '../travel/secrets.ts';
import type { Courier } from '../travel/courier.ts';

export interface OrderFacts {
  readonly db: Db;
  readonly settings: RunSettings;
  readonly context: Pick<Context, 'output'>;
  readonly redact: readonly string[];
  readonly courier: () => Result<Courier, string>;
}

/** What of an output goes along in the order itself. */
const inlineBytes = 8_192;

/** Builds what a node must know to run an attempt; an error says why it cannot leave this machine. */
export async function buildOrder(
  facts: OrderFacts,
  task: Task,
  attempt: number,
  rollback: number | null,
  source: WorkspaceSource | null,
): Promise<Result<TaskOrder, string>> {
  const { settings } = facts;
  const { dag, run, vars, defaultAgent, agentMode, matrix } = settings;
  const env = orderEnv(dag, task, vars, facts.redact);
  if (!env.ok) return env;
  const upstream: Record<TaskId, UpstreamOutput> = {};
  for (const id of rollback === null ? seenBy(dag, task) : []) {
    const given = await upstreamOutput(facts, id);
    if (!given.ok) return given;
    if (given.value !== null) upstream[id] = given.value;
  }
  const tasks = task.deps.length === 0 ? [task] : withAncestors(dag, task);
  return ok({
    run,
    attempt,
    ...(rollback === null ? {} : { rollback }),
    task: { ...task, env: env.value.task },
    dag: { ...dag, env: env.value.dag, todo: [], tasks },
    vars: env.value.vars,
    defaultAgent,
    agentMode,
    matrix,
    upstream,
    ...(source === null ? {} : { source }),
  });
}

/** Tasks whose output the task is shown, or names in its text. */
function seenBy(dag: Dag, task: Task): readonly TaskId[] {
  const { action } = task;
  const text = action.kind === 'command' ? action.command : action.prompt;
  const pieces = text.includes('{{') ? parseTemplate(text, namesOfDag(dag)(task)).pieces : [];
  const named = pieces.flatMap((piece) =>
    piece.kind === 'placeholder' && piece.of.kind === 'output' ? piece.of.tasks : [],
  );
  return [...new Set([...upstreamOf(dag, task), ...named])];
}

function withAncestors(dag: Dag, task: Task): Task[] {
  const ancestors = new Set(ancestorsOf(dag, task.id));
  return dag.tasks.flatMap((one) => (one.id === task.id ? [task] : ancestors.has(one.id) ? [skeletonOf(one)] : []));
}

/** Enough of a task before this one to know its place, whether it leaves files, and whose conversation it had. */
function skeletonOf({ id, name, deps, outputs, context, action, reuseAgent }: Task): Task {
  const agent = action.kind === 'agent' && action.agent !== undefined ? { agent: action.agent } : {};
  const bare =
    action.kind === 'agent'
      ? ({ kind: 'agent', prompt: '', config: {}, ...agent } as const)
      : ({ kind: 'command', command: '', shell: '' } as const);
  return {
    id,
    name,
    deps,
    outputs,
    context,
    action: bare,
    ...(reuseAgent === undefined ? {} : { reuseAgent }),
  } as Task;
}

async function upstreamOutput(
  { db, settings, context, courier }: OrderFacts,
  id: TaskId,
): Promise<Result<UpstreamOutput | null, string>> {
  const row = readOutput(db, settings.run, id, null);
  const shown = context.output(id);
  if (row === null || shown === null) return ok(null);
  const report = readReport(db, settings.run, sessionId(settings.run, id, row.attempt));
  const base = { attempt: row.attempt, bytes: shown.bytes, files: report?.files ?? [] };
  if (Buffer.byteLength(shown.text) <= inlineBytes) return ok({ ...base, text: shown.text });
  // What the node uploaded serves its dependents as it is, unless something in it is a secret of this home.
  if (report?.output.media !== undefined && shown.text === row.text) return ok({ ...base, media: report.output.media });
  const opened = courier();
  if (!opened.ok) return opened;
  const put = await opened.value.putLarge(Buffer.from(shown.text), `${id}.txt`);
  return put.ok ? ok({ ...base, media: put.value }) : err(`the output of ${id} cannot be sent: ${put.error.detail}`);
}

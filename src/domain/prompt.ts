import { ancestorsOf } from './graph.ts';
import type { Dag, Task } from './dag.ts';
import type { TaskId } from './ids.ts';
import { namesOfDag } from './names.ts';
import { fillTemplate, parseTemplate, type TemplateValues } from './template.ts';

/** Where a prompt's variable parts come from: the context store and the environment of the run. */
export interface PromptFacts extends Pick<TemplateValues, 'run' | 'env' | 'var'> {
  /** Null when the task has no output (skipped, failed early). `bytes` is what it wrote, which may be more than was kept. */
  readonly output: (task: TaskId) => { readonly text: string; readonly bytes: number } | null;
  /** Paths of the files that a task left by its `outputs`. */
  readonly files?: (task: TaskId) => readonly string[];
}

/**
 * Builds what the agent of a task is given: its text with placeholders filled in, then a section per upstream output. `text`
 * is the task's prompt as it now stands (an amendment may have changed it).
 */
export function buildPrompt(dag: Dag, task: Task, text: string, facts: PromptFacts): string {
  const template = parseTemplate(text, namesOfDag(dag)(task));
  const filled = fillTemplate(
    template,
    templateValues(task, facts, (id) => facts.output(id)?.text ?? null),
  );
  const sections = upstreamOf(dag, task).flatMap((id) => renderSection(id, facts, task.contextLimit));
  if (sections.length === 0) return filled;
  return [filled.trimEnd(), '## Upstream task outputs', ...sections, ''].join('\n\n').trimEnd() + '\n';
}

/** The values of one task's templates. */
export function templateValues(
  task: Task,
  facts: Pick<TemplateValues, 'run' | 'env' | 'var'>,
  output: TemplateValues['output'],
): TemplateValues {
  const matrix = task.matrix?.values ?? {};
  return {
    run: facts.run,
    env: facts.env,
    var: facts.var,
    task: { id: task.id, name: task.name },
    output,
    matrix: (name) => (Object.hasOwn(matrix, name) ? (matrix[name] ?? null) : null),
  };
}

/** The tasks whose outputs a task is shown: its dependencies in their order, then, if it asks for them, what stands before those. */
export function upstreamOf(dag: Pick<Dag, 'tasks'>, task: Task): readonly TaskId[] {
  if (task.context === 'none') return [];
  if (task.context === 'deps') return [...new Set(task.deps)];
  return ancestorsOf(dag, task.id);
}

function renderSection(id: TaskId, facts: PromptFacts, limit: number): string[] {
  const parts = [...renderOutput(id, facts, limit), ...renderFiles(facts.files?.(id) ?? [])];
  return parts.length === 0 ? [] : [`### Output from ${id}`, ...parts];
}

function renderOutput(id: TaskId, facts: PromptFacts, limit: number): string[] {
  const output = facts.output(id);
  if (output === null || output.text === '') return [];
  const shown = cutBytes(output.text, limit);
  const fenced = renderFence(shown.text);
  if (shown.bytes >= output.bytes) return [fenced];
  const note = `(cut: the first ${shown.bytes} of ${output.bytes} bytes are shown; all that was kept: \`cis dag output ${facts.run} ${id}\`)`;
  return [fenced, note];
}

const filesShown = 50;

/** A file's name is as much data of another program as an output is: it stands in a fence. */
function renderFiles(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const more = paths.length > filesShown ? [`(and ${paths.length - filesShown} more)`] : [];
  return ['Files it left:', renderFence(paths.slice(0, filesShown).join('\n')), ...more];
}

/** Puts text into a fenced block that it cannot close: the fence is longer than any run of backticks inside. */
export function renderFence(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/gu) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}`;
}

/** The beginning of a text that has at most `limit` bytes as UTF-8, cut between characters, and how many bytes that is. */
export function cutBytes(text: string, limit: number): { readonly text: string; readonly bytes: number } {
  const room = new Uint8Array(Math.min(Math.max(0, limit), text.length * 3));
  const { read, written } = new TextEncoder().encodeInto(text, room);
  return { text: text.slice(0, read), bytes: written };
}

import type { Command } from 'commander';
import { lastTasks, type Workspace } from '../../domain/workspace.ts';
import { diffOf, type Diff } from '../../worktree/look.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { findWorkspaces, pickWorkspace, splitName, type FoundWorkspaces } from './workspaces.ts';

interface Options {
  readonly stat?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[run]', 'a run, or RUN:TASK')
    .argument('[task]', 'only what this task did; without: all that the run did, against where it started')
    .option('--stat', 'only how many lines changed in which file')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, task: string | undefined, options: Options) => {
      const name = splitName(text, task === undefined ? [] : [task]);
      const found = await findWorkspaces(name.run);
      const sides = sidesOf(found, name.tasks);
      const diffs = await Promise.all(sides.map((side) => readDiff(side, options)));
      if (options.json) return printJson({ run: found.run, diffs });
      for (const diff of diffs) show(diff, diffs.length > 1, options);
    });
}

interface Side {
  readonly workspace: Workspace;
  readonly from: string;
}

/** One task is compared with where it started, a run with the commit it started from, by the tasks that came last. */
function sidesOf(found: FoundWorkspaces, names: readonly string[]): Side[] {
  if (names.length > 0) {
    return names.map((name) => {
      const workspace = pickWorkspace(found, name);
      return { workspace, from: workspace.start ?? workspace.repository.base };
    });
  }
  if (found.all.length === 0) throw new CommandError('not-found', `no task of run ${found.run} has a worktree`);
  const begun = new Set(found.all.map((one) => one.task));
  const last = new Set(lastTasks(found.dag, begun));
  return found.all.filter((one) => last.has(one.task)).map((one) => ({ workspace: one, from: one.repository.base }));
}

async function readDiff({ workspace, from }: Side, options: Options): Promise<Diff & { readonly task: string }> {
  const isColoured = process.stdout.isTTY && options.json !== true && (process.env['NO_COLOR'] ?? '') === '';
  const diff = await diffOf(workspace, from, isColoured);
  if (typeof diff !== 'string') return { task: workspace.task, ...diff };
  throw new CommandError('failed', `${workspace.run}:${workspace.task} cannot be compared: ${diff}`);
}

function show(diff: Diff & { readonly task: string }, withHead: boolean, options: Options): void {
  if (withHead) print([`=== ${diff.task}`]);
  if (options.stat !== true) process.stdout.write(diff.patch);
  else print(diff.files.map(({ path, added, removed }) => `${added ?? '-'}\t${removed ?? '-'}\t${path}`));
}

import { join } from 'node:path';
import type { Command } from 'commander';
import { lastTasks, listFiles, type Workspace } from '../../domain/workspace.ts';
import { mergeInto, type MergeError } from '../../worktree/merge.ts';
import { commitOf } from '../../worktree/tree.ts';
import { home, print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { findWorkspaces, pickWorkspace, splitName, type FoundWorkspaces } from './workspaces.ts';

interface Options {
  readonly into?: string;
  readonly leaveConflicts?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[run]', 'a run, or RUN:TASK')
    .argument('[task...]', 'whose work; default: that of the tasks that came last, which has all before it')
    .option('--into <branch>', 'default: the branch that is checked out where the run was started')
    .option('--leave-conflicts', 'leave a conflict in your tree, to be resolved there; default: change nothing')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, tasks: readonly string[], options: Options) => {
      const name = splitName(text, tasks);
      const found = await findWorkspaces(name.run);
      const chosen = chooseWorkspaces(found, name.tasks);
      await merge(found, chosen, options);
    });
}

function chooseWorkspaces(found: FoundWorkspaces, names: readonly string[]): Workspace[] {
  const { run, dag, all, states } = found;
  const done = all.filter((one) => states.get(one.task) === 'completed');
  const last = new Set(lastTasks(dag, new Set(done.map((one) => one.task))));
  const chosen =
    names.length > 0 ? names.map((name) => pickWorkspace(found, name)) : done.filter((one) => last.has(one.task));
  if (chosen.length === 0) {
    throw new CommandError('refused', `run ${run} has no completed task with a worktree`, [
      `see: cis dag worktrees ${run}`,
    ]);
  }
  const open = chosen.find((one) => states.get(one.task) !== 'completed');
  if (open !== undefined) {
    throw new CommandError('refused', `${run}:${open.task} is ${states.get(open.task)}: only completed work is merged`);
  }
  if (new Set(chosen.map((one) => one.repository.gitDir)).size > 1) {
    const places = chosen.map((one) => `${one.task}: ${one.repository.root}`);
    throw new CommandError('usage', 'these tasks worked in several repositories: name those of one', places);
  }
  return chosen;
}

async function merge({ run }: FoundWorkspaces, chosen: readonly Workspace[], options: Options): Promise<void> {
  const [first] = chosen;
  if (first === undefined) return;
  const { repository } = first;
  const tips = await Promise.all(
    chosen.map(async ({ task, branch, commit }) => {
      const tip = (await commitOf(repository, `refs/heads/${branch}`)) ?? commit;
      if (tip === null) throw new CommandError('failed', `the branch ${branch} is gone`);
      return { task, commit: tip };
    }),
  );
  const merged = await mergeInto({
    repository,
    run,
    tips,
    into: options.into ?? null,
    scratch: join(home().worktrees, run, `@merge-${process.pid}`),
    leaveConflicts: options.leaveConflicts === true,
  });
  if (!merged.ok) throw problemOf(merged.error, run);
  const tasks = tips.map((tip) => tip.task);
  if (options.json) return printJson({ run, tasks, ...merged.value });
  const { into, before, after } = merged.value;
  print([
    before === after
      ? `${into} has all of that already`
      : `${tasks.join(', ')} merged into ${into}: ${after.slice(0, 12)}`,
  ]);
}

function problemOf(error: MergeError, run: string): CommandError {
  if (error.kind === 'refused') return new CommandError('refused', error.reason, [error.hint]);
  const { task, files, leftIn } = error;
  const message = `merging ${run}:${task} conflicts in ${listFiles(files)}`;
  if (leftIn !== null) return new CommandError('needs-person', message, [`resolve it in ${leftIn}, then: git commit`]);
  return new CommandError('needs-person', message, [
    'nothing was changed',
    `to resolve it in your tree: cis dag merge ${run} ${task} --leave-conflicts`,
  ]);
}

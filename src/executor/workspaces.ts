import { join } from 'node:path';
import type { Home } from '../config/home.ts';
import type { Task } from '../domain/dag.ts';
import type { TaskId } from '../domain/ids.ts';
import type { RunModel } from '../domain/plan-model.ts';
import { ok, type Result } from '../domain/result.ts';
import type { RunSettings } from '../domain/run.ts';
import { sourceTasksOf, type Repository, type Source, type Workspace } from '../domain/workspace.ts';
import type { Committed } from '../worktree/commit.ts';
import type { Prepared, Resolved } from '../worktree/prepare.ts';
import { openQueue } from '../worktree/queue.ts';
import { readWorkspace, writeWorkspace } from '../worktree/record.ts';
import { repositoryVariables } from '../worktree/variables.ts';

/**
 * The worktrees of one run's tasks. Nothing here blocks: git runs beside the executor, one call per repository at a time. What
 * calls git is loaded when a task wants a worktree; most runs have none.
 */
export interface Workspaces {
  prepare(task: Task, attempt: number): Promise<Prepared>;
  /** Takes what a person made of a conflict. */
  resolve(task: TaskId): Promise<Resolved>;
  /** Commits what a task left; the worktree stays. */
  commit(task: Task): Promise<Result<Committed, string>>;
  /** Says whether a session was ever asked for in this attempt. */
  isLaunched(task: TaskId, attempt: number): boolean;
  /** Writes down that a session is about to be asked for, and returns the task as it runs: in its worktree. */
  launch(task: Task): Task;
  /** The task as its rollback runs: in its worktree, where it has one. */
  placed(task: Task): Task;
  /** What a session in a worktree has on top of its task's environment; null removes a variable. */
  env(task: Task): Record<string, string | null>;
}

export function openWorkspaces(home: Home, settings: RunSettings, model: RunModel): Workspaces {
  const dir = home.worktrees;
  const { run } = settings;
  const inTurn = openQueue();
  const read = (task: TaskId): Workspace | null => readWorkspace(dir, run, task);

  async function prepare(task: Task, attempt: number): Promise<Prepared> {
    const repository = await repositoryOf(settings, task);
    if (!repository.ok) return { kind: 'failed', reason: repository.error };
    return inTurn(repository.value.gitDir, async () => {
      const sources = await sourcesOf(task, repository.value);
      const { prepareWorktree } = await import('../worktree/prepare.ts');
      return prepareWorktree({ dir, run, task: task.id, attempt, repository: repository.value, sources });
    });
  }

  /** The tip of a dependency's branch, so that what a person added after it ended counts, else the commit it ended with. */
  async function sourcesOf(task: Task, repository: Repository): Promise<Source[]> {
    const { commitOf, isAncestor } = await import('../worktree/tree.ts');
    const done = (id: TaskId): Workspace | null => {
      const workspace = model.byId.get(id)?.state.kind === 'completed' ? read(id) : null;
      return workspace?.commit != null && workspace.repository.gitDir === repository.gitDir ? workspace : null;
    };
    const tasks = sourceTasksOf(settings.dag, task.id, (id) => done(id) !== null);
    return Promise.all(
      tasks.map(async (id) => {
        const commit = done(id)?.commit ?? repository.base;
        const tip = await commitOf(repository, `refs/heads/${done(id)?.branch ?? ''}`);
        const isNewer = tip !== null && (await isAncestor(repository, commit, tip));
        return { task: id, commit: isNewer ? tip : commit };
      }),
    );
  }

  const resolve = async (task: TaskId): Promise<Resolved> => {
    const workspace = read(task);
    if (workspace === null) return { kind: 'failed', reason: 'its worktree is gone' };
    const { resolveConflict } = await import('../worktree/prepare.ts');
    return inTurn(workspace.repository.gitDir, () => resolveConflict(workspace));
  };

  const commit: Workspaces['commit'] = async (task) => {
    const workspace = read(task.id);
    if (workspace === null) return { ok: false, error: `what is known of its worktree in ${dir} is gone` };
    const { commitWork } = await import('../worktree/commit.ts');
    return inTurn(workspace.repository.gitDir, () => commitWork(dir, workspace, task));
  };

  const placed = (task: Task): Task => {
    const workspace = task.workspace === 'worktree' ? read(task.id) : null;
    return workspace === null ? task : { ...task, workDir: join(workspace.path, workspace.repository.prefix) };
  };

  return {
    prepare,
    resolve,
    commit,
    placed,
    isLaunched: (task, attempt) => (read(task)?.launched ?? 0) >= attempt,
    launch(task) {
      const workspace = read(task.id);
      if (workspace !== null) writeWorkspace(dir, { ...workspace, launched: workspace.attempt });
      return placed(task);
    },
    env(task) {
      const workspace = task.workspace === 'worktree' ? read(task.id) : null;
      return workspace === null ? {} : worktreeEnv(workspace);
    },
  };
}

/** What a session in a worktree has on top of its task's environment. */
export function worktreeEnv({ path, branch, start, repository }: Workspace): Record<string, string | null> {
  const none = Object.fromEntries(repositoryVariables.map((name) => [name, null]));
  return { ...none, CIS_WORKTREE: path, CIS_BRANCH: branch, CIS_BASE: start ?? repository.base };
}

/** The repository as the run found it; one that was not there yet is looked for again. */
async function repositoryOf(settings: RunSettings, task: Task): Promise<Result<Repository, string>> {
  const workDir = task.workDir ?? settings.dag.workDir;
  const known = settings.repositories?.find((one) => one.workDir === workDir);
  if (known !== undefined) return ok(known);
  const { findRepository } = await import('../worktree/repository.ts');
  return findRepository(workDir);
}

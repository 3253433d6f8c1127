import type { TravelError, WorkspaceResult, WorkspaceSource } from '../../domain/fleet/travel.ts';
import type { Home } from '../../config/home.ts';
import type { Task } from '../../domain/dag.ts';
import type { RunId, TaskId } from '../../domain/ids.ts';
import type { Result } from '../../domain/result.ts';
import type { Workspace } from '../../domain/workspace.ts';
import type { Courier } from './courier.ts';

/**
 * Coordinator: `workspaces.prepare(task, attempt)` as for a task of its own (merges, conflicts are blocks there), then
 * `packWorkspace` → the order's `workspace`. Result: `unpackResult`, after which the task's branch and record are as if it had run here.
 * Node: `unpackWorkspace` → `workspaces` of the node's own directory; after the session `packResult`.
 */
export type PackWorkspace = (options: {
  readonly home: Home;
  readonly workspace: Workspace;
  readonly courier: Courier;
}) => Promise<Result<WorkspaceSource, TravelError>>;

export type UnpackWorkspace = (options: {
  readonly home: Home;
  /** Whose work it is: clones of different coordinators are kept apart. */
  readonly coordinator: string;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly source: WorkspaceSource;
  readonly courier: Courier;
}) => Promise<Result<{ readonly workspace: Workspace; readonly cwd: string }, TravelError>>;

export type PackResult = (options: {
  readonly home: Home;
  readonly run: RunId;
  readonly task: Pick<Task, 'id' | 'name'>;
  readonly courier: Courier;
}) => Promise<Result<WorkspaceResult, TravelError>>;

export type UnpackResult = (options: {
  readonly home: Home;
  readonly run: RunId;
  readonly task: TaskId;
  readonly result: WorkspaceResult;
  readonly courier: Courier;
}) => Promise<Result<Workspace, TravelError>>;

import type { TaskId } from '../ids.ts';

/** A file in a homeserver's media store, as events name it; `file` has its key in encrypted rooms. */
export interface LargeRef {
  readonly mxc: string;
  /** Of the readable bytes, in hex. */
  readonly sha256: string;
  readonly bytes: number;
  readonly file?: Readonly<Record<string, unknown>> | undefined;
}

/** Commits that can be had in one piece: with all of `requires`, the bundle gives `commit`. */
export interface Layer {
  readonly commit: string;
  /** Commits that whoever unpacks it must have already; none: it is complete in itself. */
  readonly requires: readonly string[];
  readonly bundle: LargeRef;
}

/**
 * Where the files of a worktree task come from. A node that has `start` fetches nothing; else it takes the layers it lacks, oldest
 * first, or, where there is `url`, the commit `published` from there and then the layers.
 */
export interface WorkspaceSource {
  /** Tells repositories of one coordinator apart, so that a node's clone is used again. */
  readonly repository: string;
  /** Where `workDir` of the task lies below the top of the repository. */
  readonly prefix: string;
  /** The commit the attempt starts from: its dependencies are merged in it already. */
  readonly start: string;
  readonly url?: string | undefined;
  readonly published?: string | undefined;
  readonly layers: readonly Layer[];
}

/** What a task changed. Without a bundle it changed nothing: `commit` is where it started. */
export interface WorkspaceResult {
  readonly commit: string;
  readonly bundle: LargeRef | null;
}

/** A file that a task's `outputs` named. */
export interface TravellingFile {
  /** Relative to the task's directory, or absolute where it lies outside. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Absent: it stayed where it was made, and why is in `stayed`. */
  readonly media?: LargeRef | undefined;
  readonly stayed?: string | undefined;
}

/** Files of a task that another one may use. */
export interface TravellingFiles {
  readonly task: TaskId;
  readonly attempt: number;
  readonly files: readonly TravellingFile[];
}

/** `passing`: the same may succeed later or elsewhere. The rest is a fault of what was sent or of the set-up. */
export interface TravelError {
  readonly kind: 'passing' | 'too-large' | 'missing' | 'damaged' | 'refused';
  readonly detail: string;
}

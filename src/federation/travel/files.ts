import type { TravelError, TravellingFile, TravellingFiles } from '../../domain/fleet/travel.ts';
import type { Result } from '../../domain/result.ts';
import type { Courier } from './courier.ts';

/** Node, after the session: hashes and uploads what `findArtifacts` found. */
export type PackFiles = (options: {
  readonly paths: readonly string[];
  /** The task's directory, to which the names are relative. */
  readonly cwd: string;
  readonly courier: Courier;
}) => Promise<readonly TravellingFile[]>;

/** Node or coordinator, before a task that depends on them: local copies, absolute paths in the order of `files`. */
export type UnpackFiles = (options: {
  /** A directory of ours for them: `DIR/TASK#ATTEMPT/…`. Copies that are there with the right hash are used again. */
  readonly dir: string;
  readonly from: TravellingFiles;
  readonly courier: Courier;
}) => Promise<Result<readonly string[], TravelError>>;

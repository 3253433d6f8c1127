/** How a process ended, as the kernel says; `lost`: whoever waited for it died, so nobody was told. */
export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'not-started'; readonly reason: string };

/** A program for a terminal that is open already. */
export interface SpawnOrder {
  /** Path of the terminal's far side. */
  readonly tty: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number;
}

/** What the host asks of its spawner, by number. */
export type SpawnerRequest = { readonly id: number } & SpawnOrder;

/** What the spawner tells of it: first `started`, then `ended`; or `ended` alone. */
export type SpawnerReport =
  | { readonly kind: 'started'; readonly id: number; readonly pid: number; readonly pidStart: string }
  | { readonly kind: 'ended'; readonly id: number; readonly end: ProcessEnd };

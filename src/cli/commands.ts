import type { Command } from 'commander';

/** One command: its words, its line in the help, and the file that has the rest, which is loaded when it is called. */
export interface CommandEntry {
  readonly path: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: (into: Command) => Command }>;
}

/** Commands that have subcommands. */
export const groups: Readonly<Record<string, string>> = {
  dag: 'run DAGs and look into their sessions',
  host: 'the background process that owns the terminals',
};

/**
 * Every command of cis, in the order of the help. A command file exports `command`, which gives the commander command its
 * arguments, options and action; it throws `CommandError` for what a person can mend.
 */
export const commands: readonly CommandEntry[] = [];

import type { Command } from 'commander';

/** One command: its words, its line in the help, and the file that has the rest, which is loaded when it is called. */
export interface CommandEntry {
  readonly path: string;
  readonly summary: string;
  /** Called by programs, not by people: not in the help. */
  readonly hidden?: true;
  readonly load: () => Promise<{ readonly command: (into: Command) => Command }>;
}

/** Commands that have subcommands. */
export const groups: Readonly<Record<string, string>> = {
  dag: 'run DAGs and look into their sessions',
  host: 'the background process that owns the terminals',
  config: 'what cis is set to, and where that was said',
};

/**
 * Every command of cis, in the order of the help. A command file exports `command`, which gives the commander command its
 * arguments, options and action; it throws `CommandError` for what a person can mend.
 */
export const commands: readonly CommandEntry[] = [
  { path: 'dag list', summary: 'runs, newest first', load: () => import('./dag/list.ts') },
  { path: 'dag status', summary: 'how a run stands, task by task', load: () => import('./dag/status.ts') },
  { path: 'dag events', summary: 'what happened, line by line', load: () => import('./dag/events.ts') },
  {
    path: 'dag timeline',
    summary: 'when each task ran, and what the run waited for',
    load: () => import('./dag/timeline.ts'),
  },
  { path: 'config show', summary: 'every setting, and where it was said', load: () => import('./config/show.ts') },
  {
    path: 'config example',
    summary: 'a config file with every key and its default',
    load: () => import('./config/example.ts'),
  },
  {
    path: 'config trust',
    summary: "lets this project's config set everything",
    load: () => import('./config/trust.ts'),
  },
  { path: 'init', summary: 'make a config and a first DAG file', load: () => import('./init.ts') },
  { path: 'doctor', summary: 'check everything that cis needs', load: () => import('./doctor.ts') },
  { path: 'completion', summary: 'completion for bash, zsh or fish', load: () => import('./completion.ts') },
  { path: 'complete', summary: 'words for a shell to offer', hidden: true, load: () => import('./complete.ts') },
  { path: 'hook', summary: "what an agent's hook calls", hidden: true, load: () => import('./hook.ts') },
];

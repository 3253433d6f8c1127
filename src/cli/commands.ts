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
export const commands: readonly CommandEntry[] = [
  { path: 'dag sessions', summary: 'list terminal sessions', load: () => import('./dag/sessions.ts') },
  { path: 'dag attach', summary: 'connect this terminal with a session', load: () => import('./dag/attach.ts') },
  { path: 'dag logs', summary: 'show what a session wrote', load: () => import('./dag/logs.ts') },
  { path: 'dag replay', summary: 'play a session as it happened', load: () => import('./dag/replay.ts') },
  { path: 'dag send', summary: 'type into a session', load: () => import('./dag/send.ts') },
  { path: 'dag kill', summary: 'end sessions', load: () => import('./dag/kill.ts') },
  { path: 'dag unblock', summary: 'answer a session that waits for you', load: () => import('./dag/unblock.ts') },
  { path: 'host status', summary: 'show the host', load: () => import('./host/status.ts') },
  { path: 'host stop', summary: 'end the host', load: () => import('./host/stop.ts') },
  { path: 'host serve', summary: 'run the host in the foreground', load: () => import('./host/serve.ts') },
];

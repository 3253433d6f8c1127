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
  matrix: 'the account and the rooms that follow runs and answer them',
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
  { path: 'matrix up', summary: 'start a private homeserver on this machine', load: () => import('./matrix/up.ts') },
  { path: 'matrix down', summary: 'stop it; its rooms stay', load: () => import('./matrix/down.ts') },
  { path: 'matrix reset', summary: 'remove it with all it holds', load: () => import('./matrix/reset.ts') },
  { path: 'matrix login', summary: 'log in to a homeserver', load: () => import('./matrix/login.ts') },
  {
    path: 'matrix logout',
    summary: 'log out and forget the keys of this device',
    load: () => import('./matrix/logout.ts'),
  },
  {
    path: 'matrix whoami',
    summary: 'the account, as the homeserver sees it',
    load: () => import('./matrix/whoami.ts'),
  },
  {
    path: 'matrix status',
    summary: 'the account, the homeserver and what waits to be sent',
    load: () => import('./matrix/status.ts'),
  },
  { path: 'matrix create-room', summary: 'make a room', load: () => import('./matrix/create-room.ts') },
  { path: 'matrix join', summary: 'join a room', load: () => import('./matrix/join.ts') },
  { path: 'matrix leave', summary: 'leave a room', load: () => import('./matrix/leave.ts') },
  { path: 'matrix list-rooms', summary: 'the rooms this account is in', load: () => import('./matrix/list-rooms.ts') },
  { path: 'matrix subscribe', summary: 'follow the runs of a room', load: () => import('./matrix/subscribe.ts') },
  {
    path: 'matrix verify',
    summary: 'compare emoji, so that no client warns',
    load: () => import('./matrix/verify.ts'),
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
];

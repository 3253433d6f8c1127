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
  agents: 'the programs that tasks run, and what is known of them',
  host: 'the background process that owns the terminals',
  matrix: 'the account and the rooms that follow runs and answer them',
  node: 'this machine as a node of a room, and the other nodes',
  cluster: 'all machines of a room together',
  config: 'what cis is set to, and where that was said',
};

/**
 * Every command of cis, in the order of the help. A command file exports `command`, which gives the commander command its
 * arguments, options and action; it throws `CommandError` for what a person can mend.
 */
export const commands: readonly CommandEntry[] = [
  { path: 'dag run', summary: 'run a DAG file', load: () => import('./dag/run.ts') },
  { path: 'dag execute', summary: 'run a DAG file, or carry a run on', load: () => import('./dag/execute.ts') },
  {
    path: 'dag validate',
    summary: 'check DAG files and say all that is wrong',
    load: () => import('./dag/validate.ts'),
  },
  {
    path: 'dag show',
    summary: 'the plan in waves, with every command and prompt',
    load: () => import('./dag/show.ts'),
  },
  { path: 'dag graph', summary: 'draw what waits for what', load: () => import('./dag/graph.ts') },
  { path: 'dag schema', summary: 'the JSON Schema of DAG files, for editors', load: () => import('./dag/schema.ts') },
  { path: 'dag list', summary: 'runs, newest first', load: () => import('./dag/list.ts') },
  { path: 'dag status', summary: 'how a run stands, task by task', load: () => import('./dag/status.ts') },
  { path: 'dag events', summary: 'what happened, line by line', load: () => import('./dag/events.ts') },
  {
    path: 'dag timeline',
    summary: 'when each task ran, and what the run waited for',
    load: () => import('./dag/timeline.ts'),
  },
  { path: 'dag output', summary: 'what tasks left to those after them', load: () => import('./dag/output.ts') },
  {
    path: 'dag wait',
    summary: 'wait until a run ends, or until a session waits for a person',
    load: () => import('./dag/wait.ts'),
  },
  { path: 'dag use', summary: 'choose the run that commands without an id mean', load: () => import('./dag/use.ts') },
  { path: 'dag pause', summary: 'start nothing new', load: () => import('./dag/pause.ts') },
  { path: 'dag resume', summary: 'go on after a pause', load: () => import('./dag/resume.ts') },
  { path: 'dag abort', summary: 'end a run and undo what it says it can undo', load: () => import('./dag/abort.ts') },
  { path: 'dag retry', summary: 'do again what failed', load: () => import('./dag/retry.ts') },
  { path: 'dag skip', summary: 'count a task as skipped', load: () => import('./dag/skip.ts') },
  { path: 'dag fail', summary: 'count an undecided task as failed', hidden: true, load: () => import('./dag/fail.ts') },
  { path: 'dag amend', summary: 'change a task that has not started', load: () => import('./dag/amend.ts') },
  {
    path: 'dag mode',
    summary: 'where a run goes on: here, with a room, on nodes',
    load: () => import('./dag/mode.ts'),
  },
  { path: 'dag confirm', summary: 'let a task start, or accept a failure', load: () => import('./dag/confirm.ts') },
  { path: 'dag reject', summary: 'keep a task from starting', load: () => import('./dag/reject.ts') },
  { path: 'dag vote', summary: 'say yes or no to a task', load: () => import('./dag/vote.ts') },
  { path: 'dag diff', summary: 'what tasks changed in their worktrees', load: () => import('./dag/diff.ts') },
  { path: 'dag merge', summary: 'merge that into your branch', load: () => import('./dag/merge.ts') },
  { path: 'dag worktrees', summary: 'list the worktrees of a run', load: () => import('./dag/worktrees.ts') },
  { path: 'dag rm', summary: 'remove a run and its recordings', load: () => import('./dag/rm.ts') },
  { path: 'dag prune', summary: 'remove runs that ended long ago', load: () => import('./dag/prune.ts') },
  { path: 'dag sessions', summary: 'list terminal sessions', load: () => import('./dag/sessions.ts') },
  { path: 'dag attach', summary: 'connect this terminal with a session', load: () => import('./dag/attach.ts') },
  { path: 'dag logs', summary: 'show what a session wrote', load: () => import('./dag/logs.ts') },
  { path: 'dag replay', summary: 'play a session as it happened', load: () => import('./dag/replay.ts') },
  { path: 'dag send', summary: 'type into a session', load: () => import('./dag/send.ts') },
  { path: 'dag kill', summary: 'end sessions', load: () => import('./dag/kill.ts') },
  { path: 'dag unblock', summary: 'answer a session that waits for you', load: () => import('./dag/unblock.ts') },
  {
    path: 'dag why',
    summary: 'say what a session is taken for, and what was seen of it',
    load: () => import('./dag/why.ts'),
  },
  { path: 'dag explain', summary: 'say which node gets a task, and why', load: () => import('./dag/explain.ts') },
  { path: 'dashboard', summary: 'watch runs and answer them', load: () => import('./dashboard.ts') },
  { path: 'host status', summary: 'show the host', load: () => import('./host/status.ts') },
  { path: 'host stop', summary: 'end the host', load: () => import('./host/stop.ts') },
  {
    path: 'host serve',
    summary: 'run the host in the foreground',
    hidden: true,
    load: () => import('./host/serve.ts'),
  },
  {
    path: 'agents list',
    summary: 'which agents there are, and which are installed',
    load: () => import('./agents/list.ts'),
  },
  { path: 'agents show', summary: 'how an agent is started and read', load: () => import('./agents/show.ts') },
  {
    path: 'agents doctor',
    summary: 'check the installed agents, without network',
    load: () => import('./agents/doctor.ts'),
  },
  { path: 'agents record', summary: 'record an agent in this terminal', load: () => import('./agents/record.ts') },
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
  {
    path: 'matrix bridge',
    summary: 'run the bridge between runs and rooms in the foreground',
    hidden: true,
    load: () => import('./matrix/bridge.ts'),
  },
  {
    path: 'matrix listen',
    summary: 'obey commands of a room, also when nothing runs',
    load: () => import('./matrix/listen.ts'),
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
  {
    path: 'agents test',
    summary: 'what a screen is judged to be, and by which rule',
    load: () => import('./agents/test.ts'),
  },
  {
    path: 'agents replay',
    summary: 'judge a recording again, by the rules of now',
    load: () => import('./agents/replay.ts'),
  },
  { path: 'node id', summary: 'the key of this node', load: () => import('./node/id.ts') },
  {
    path: 'node detect',
    summary: 'what this machine has: GPUs, agents, models, labels',
    load: () => import('./node/detect.ts'),
  },
  { path: 'node start', summary: 'take work from the room', load: () => import('./node/start.ts') },
  { path: 'node stop', summary: 'take no more, and end the node', load: () => import('./node/stop.ts') },
  { path: 'node list', summary: 'the nodes of the room', load: () => import('./node/list.ts') },
  { path: 'node status', summary: 'this node: its work and its runs', load: () => import('./node/status.ts') },
  { path: 'node ping', summary: 'how long a node takes to answer', load: () => import('./node/ping.ts') },
  { path: 'node drain', summary: 'finish what there is, take nothing new', load: () => import('./node/drain.ts') },
  { path: 'node undrain', summary: 'take work again', load: () => import('./node/undrain.ts') },
  { path: 'node trust', summary: 'let a node give work, or take its results', load: () => import('./node/trust.ts') },
  { path: 'node untrust', summary: 'take that back', load: () => import('./node/untrust.ts') },
  { path: 'node policy', summary: 'what others may do here', load: () => import('./node/policy.ts') },
  { path: 'node invite', summary: 'make a ticket for another machine', load: () => import('./node/invite.ts') },
  { path: 'node join', summary: 'join with a ticket', load: () => import('./node/join.ts') },
  {
    path: 'node service',
    summary: 'a unit file for systemd or launchd',
    load: () => import('./node/service.ts'),
  },
  {
    path: 'cluster init',
    summary: 'make a room for machines to work in',
    load: () => import('./cluster/init.ts'),
  },
  { path: 'cluster status', summary: 'the room, its nodes and its runs', load: () => import('./cluster/status.ts') },
  { path: 'cluster test', summary: 'try every node, end to end', load: () => import('./cluster/test.ts') },
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

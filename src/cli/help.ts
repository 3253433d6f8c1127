import type { Command } from 'commander';

const sections: Readonly<Record<string, readonly string[]>> = {
  'Run:': ['dag run', 'dag execute', 'dag validate', 'dag show', 'dag graph', 'dag schema'],
  'Watch:': [
    'dag list',
    'dag status',
    'dag events',
    'dag timeline',
    'dag output',
    'dag explain',
    'dag wait',
    'dashboard',
  ],
  'Sessions:': ['sessions', 'attach', 'logs', 'replay', 'send', 'kill', 'unblock', 'why'].map((name) => `dag ${name}`),
  'Steer:': ['use', 'pause', 'resume', 'abort', 'retry', 'skip', 'amend', 'mode', 'confirm', 'reject', 'vote'].map(
    (name) => `dag ${name}`,
  ),
  'Keep:': ['dag diff', 'dag merge', 'dag worktrees', 'dag rm', 'dag prune'],
};

/** The heading under which the help lists a command. */
export function sectionOf(path: string): string {
  const found = Object.entries(sections).find(([, paths]) => paths.includes(path));
  return found?.[0] ?? (path.includes(' ') ? 'Commands:' : 'Other commands:');
}

const examples = `
Start here:
  cis init                         makes a config and a first DAG file
  cis dag run dag.toml             runs it; Ctrl-C asks before anything ends
  cis dag sessions                 who is alive, and who waits for you
  cis dag attach RUN:TASK          looks into a session, Ctrl-] then d leaves it

Every unambiguous prefix of an id will do. --json prints data, and errors as {"error": …} on stderr.
Exit codes: 0 done, 1 failed or aborted, 2 usage, config or DAG file, 3 needs a person, 4 not found,
5 unreachable, 6 refused, 70 a bug of ours, 130 interrupted.`;

/** Sets what all help has in common: its words, its width, its order, and the examples at the end of the root's. */
export function describeHelp(program: Command): Command {
  return program
    .configureHelp({ showGlobalOptions: false, minWidthToWrap: 40 })
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', (context) => (context.command.parent === null ? examples : ''));
}

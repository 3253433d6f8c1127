import { Command, CommanderError } from 'commander';
import { commands, groups, type CommandEntry } from './commands.ts';
import { CommandError, exitCodes } from './exit.ts';

/** Runs one command line and leaves with its exit code. Only the file of the command that is called is loaded. */
async function main(argv: readonly string[]): Promise<void> {
  try {
    const program = await buildProgram(argv);
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = root();
  const called = calledEntry(argv);
  const parents = new Map<string, Command>();
  for (const [name, summary] of Object.entries(groups)) {
    parents.set(name, program.command(name).description(summary));
  }
  for (const entry of commands) {
    const words = entry.path.split(' ');
    const parent = words.length === 1 ? program : parents.get(words[0] ?? '');
    const command = parent?.command(words.at(-1) ?? '').description(entry.summary);
    if (command !== undefined && (entry === called || called === null)) await load(entry, command);
  }
  return program;
}

async function load(entry: CommandEntry, into: Command): Promise<void> {
  const file = await entry.load();
  file.command(into);
}

function root(): Command {
  return new Command('cis')
    .description('runs a DAG in which every task is a session in a real terminal')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false });
}

/** The entry whose words the command line begins with; null when there is none, as for `cis help`. */
function calledEntry(argv: readonly string[]): CommandEntry | null {
  const line = argv.join(' ');
  return commands.find((entry) => line === entry.path || line.startsWith(`${entry.path} `)) ?? null;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof CommandError) {
    process.stderr.write(`cis: ${error.message}\n`);
    for (const hint of error.hints) process.stderr.write(`  ${hint}\n`);
    return exitCodes[error.kind];
  }
  process.stderr.write(
    `cis: internal error, please report it\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return exitCodes.internal;
}

await main(process.argv.slice(2));

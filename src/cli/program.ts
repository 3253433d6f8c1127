import { Command } from 'commander';
import { commands, groups, type CommandEntry } from './commands.ts';
import { describeHelp, sectionOf } from './help.ts';

export interface Program {
  readonly program: Command;
  /** What is to be parsed: `help dag run` has become `dag run --help`. */
  readonly argv: readonly string[];
}

/** Builds the tree of all commands, with arguments and options for the one that is called and a line of help for the others. */
export async function buildProgram(given: readonly string[]): Promise<Program> {
  const argv = given[0] === 'help' ? [...given.slice(1).filter((word) => !word.startsWith('-')), '--help'] : given;
  const program = await root(argv);
  const called = calledEntry(argv);
  for (const [name, summary] of Object.entries(groups)) {
    program.command(name).description(summary).helpGroup('Commands:').helpCommand(false);
  }
  for (const entry of commands) await add(program, entry, entry === called);
  return { program, argv };
}

/** The words of every option and argument of one command, for the completion of shells. */
export async function loadCommand(entry: CommandEntry): Promise<Command> {
  const file = await entry.load();
  return file.command(new Command(entry.path.split(' ').at(-1)));
}

async function add(program: Command, entry: CommandEntry, isCalled: boolean): Promise<void> {
  const words = entry.path.split(' ');
  const parent = words.length === 1 ? program : program.commands.find((one) => one.name() === words[0]);
  const name = words.at(-1);
  if (parent === undefined || name === undefined) throw new Error(`no group for the command "${entry.path}"`);
  const command = parent.command(name, { hidden: entry.hidden === true }).description(entry.summary);
  command.helpGroup(sectionOf(entry.path));
  if (isCalled) (await entry.load()).command(command);
}

async function root(argv: readonly string[]): Promise<Command> {
  const program = new Command('cis')
    .description(
      'Runs a DAG in which every task is a session in a real terminal, and knows when one waits for a person.',
    )
    .exitOverride()
    .showSuggestionAfterError()
    .helpCommand(false)
    .configureOutput({ outputError: () => {} });
  if (argv[0] === '--version' || argv[0] === '-V') program.version((await import('../host/version.ts')).version);
  else program.option('-V, --version', 'print the version');
  return describeHelp(program);
}

/** The entry whose words the command line begins with; null when there is none, as for `cis dag --help`. */
function calledEntry(argv: readonly string[]): CommandEntry | null {
  const fits = (entry: CommandEntry) => entry.path.split(' ').every((word, index) => argv[index] === word);
  return commands.find(fits) ?? null;
}

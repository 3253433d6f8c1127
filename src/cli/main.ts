import { CommanderError, type Command } from 'commander';
import { exitCodes } from './exit.ts';
import { describeCommanderError, problemOf, writeProblem } from './problem.ts';
import { buildProgram } from './program.ts';

/** Runs one command line and leaves with its exit code. Only the file of the command that is called is loaded. */
async function main(argv: readonly string[]): Promise<void> {
  endQuietlyOnBrokenPipe(process.stdout);
  endQuietlyOnBrokenPipe(process.stderr);
  let program: Command | null = null;
  try {
    const built = await buildProgram(argv);
    program = built.program;
    await program.parseAsync(built.argv, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, argv);
  }
}

/** `cis dag list | head` is no error. Whoever must outlive its reader, such as a run, adds a listener of its own. */
function endQuietlyOnBrokenPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (stream.listenerCount('error') === 1) process.exit();
  });
}

function report(error: unknown, argv: readonly string[]): number {
  const json = wantsJson(argv);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done;
    const problem = describeCommanderError(error);
    if (problem !== null) writeProblem(problem, json);
    return exitCodes.usage;
  }
  const problem = problemOf(error);
  writeProblem(problem, json);
  return exitCodes[problem.kind];
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

void main(process.argv.slice(2));

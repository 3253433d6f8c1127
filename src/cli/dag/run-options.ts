import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../numbers.ts';

/** Flags of `dag run` and `dag execute`. */
export interface RunFlags {
  readonly local?: true;
  readonly hybrid?: true;
  readonly matrix?: true;
  readonly room?: string;
  readonly runId?: string;
  readonly maxWorkers?: number;
  readonly agent?: string;
  readonly useAgent?: true;
  readonly mode?: 'oneshot' | 'interactive';
  readonly var?: Readonly<Record<string, string>>;
  readonly detach?: true;
  readonly paused?: true;
  /** Commander's word for `--no-wait`: false when it was given. */
  readonly wait: boolean;
  readonly flush?: true;
  readonly json?: true;
  readonly dryRun?: true;
  readonly takeover?: true;
}

/** Gives a command the flags of a run. */
export function addRunOptions(into: Command): Command {
  return into
    .option('--local', 'run here (the default)')
    .option('--hybrid', 'run here, and let a Matrix room follow and answer')
    .option('--matrix', 'let the nodes of a Matrix room run the tasks')
    .option('--room <room>', 'the room; without a mode it means --hybrid')
    .option('--run-id <id>', 'the id of the run')
    .option('--max-workers <n>', 'sessions at once', wholeNumber)
    .option('--agent <name>', 'the agent of tasks that name none')
    .option('--use-agent', 'tasks without an agent use the default one, their command is its prompt')
    .addOption(new Option('--mode <mode>', 'how agents run').choices(['oneshot', 'interactive']))
    .option('--var <name=value>', 'a variable for templates, conditions and sessions; may be given again', addVariable)
    .option('-d, --detach', 'drive the run in the background and print its id')
    .option('--paused', 'start nothing until `cis dag resume`')
    .option('--no-wait', 'end with exit code 3 when only a person could help')
    .option('--flush', 'wait at the end until the room has everything')
    .option('--json', 'print every event as a line of JSON')
    .option('--dry-run', 'show what would run, and run nothing');
}

function addVariable(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be NAME=VALUE.');
  return { ...before, [match[1] ?? '']: match[2] ?? '' };
}

import type { Command } from 'commander';
import { runFile } from './run-file.ts';
import { addRunOptions } from './run-options.ts';

export function command(into: Command): Command {
  return addRunOptions(into.argument('<file>', 'a DAG file, .toml or .json')).action(runFile);
}

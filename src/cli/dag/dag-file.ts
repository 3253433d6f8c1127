import { existsSync } from 'node:fs';
import type { DagFileConfig } from '../../dagfile/check.ts';
import type { ParsedDag } from '../../dagfile/parse.ts';
import { renderProblem, renderProblems } from '../../dagfile/problem.ts';
import { formatOf, readDagFile, type ReadDagError } from '../../dagfile/read.ts';
import type { Dag } from '../../domain/dag.ts';
import type { Result } from '../../domain/result.ts';
import type { RunSettings } from '../../domain/run.ts';
import { needDatabase, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';

export interface ReadOptions {
  readonly vars?: Readonly<Record<string, string>>;
  readonly useAgent?: boolean;
}

/** What the checks of DAG files need of the config. */
export async function readDagFileConfig(): Promise<DagFileConfig> {
  const { config } = await readConfig();
  return { agents: Object.keys(config.agents), skills: config.skills };
}

export async function readDag(
  path: string,
  config: DagFileConfig,
  options: ReadOptions = {},
): Promise<Result<ParsedDag, ReadDagError>> {
  return readDagFile({ path, cwd: process.cwd(), config, ...options });
}

/** Reads a DAG file that a command needs; its mistakes end the command with exit code 2. Warnings go to stderr. */
export async function needDag(path: string, options: ReadOptions = {}): Promise<Dag> {
  const read = await readDag(path, await readDagFileConfig(), options);
  if (!read.ok) throw dagError(path, read.error);
  for (const warning of read.value.warnings) process.stderr.write(`${renderProblem(warning, 'warning')}\n`);
  return read.value.dag;
}

function dagError(path: string, error: ReadDagError): CommandError {
  if (error.kind === 'unreadable') return new CommandError('usage', error.message);
  const count = error.problems.length;
  const head = `${path} has ${count === 1 ? 'a mistake' : `${count} mistakes`}`;
  return new CommandError('usage', head, renderProblems(error.problems).split('\n'));
}

export interface DagSource {
  readonly dag: Dag;
  /** Null: it was read from a file. */
  readonly settings: RunSettings | null;
}

/** What FILE|RUN names: a file that is there or is written like one, else a run by its id or the beginning of it. */
export async function needDagOf(text: string): Promise<DagSource> {
  if (existsSync(text) || text.includes('/') || formatOf(text) !== null) {
    return { dag: await needDag(text), settings: null };
  }
  const { findRuns, readRunSettings } = await import('../../storage/read.ts');
  const db = await needDatabase();
  if (findRuns(db, text).length === 0) {
    throw new CommandError('not-found', `neither a file nor a run: "${text}"`, [
      'cis dag list shows the runs there are',
    ]);
  }
  const found = (await import('../pick.ts')).namedRun(db, text);
  const settings = readRunSettings(db, found.run);
  if (settings === null) throw new CommandError('not-found', `the run ${found.run} was removed`);
  return { dag: settings.dag, settings };
}

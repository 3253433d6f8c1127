import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import type { RunSettings } from '../../domain/run.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns, listUnfinishedRuns, readActiveRun, readRunSettings, type RunRow } from '../../storage/read.ts';
import { home, needDatabase, openDatabase, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { namedRun } from '../named-run.ts';
import { backgroundVariable, startInBackground } from './background.ts';
import { driveRun } from './drive.ts';
import { openToWrite } from './open-storage.ts';
import { addRunOptions, type RunFlags } from './run-options.ts';
import { runFile } from './run-file.ts';

export function command(into: Command): Command {
  return addRunOptions(into.argument('[file]', 'a DAG file: then like `dag run`; or the id of a run'))
    .option('--takeover', 'let a run go on here that another home began')
    .addHelpText(
      'after',
      '\nWithout a file and without --run-id: the run of `cis dag use`, else the newest unfinished one.',
    )
    .action(async (file: string | undefined, flags: RunFlags) => {
      if (file !== undefined && flags.runId !== undefined && !(await isRun(flags.runId))) return runFile(file, flags);
      if (file !== undefined && (existsSync(file) || !(await isRun(file)))) return runFile(file, flags);
      await carryOn(flags.runId ?? file, flags);
    });
}

async function isRun(text: string): Promise<boolean> {
  using db = closing(await openDatabase());
  return db.db !== null && findRuns(db.db, text).length > 0;
}

function closing(db: Db | null): { readonly db: Db | null } & Disposable {
  return { db, [Symbol.dispose]: () => void db?.close() };
}

/** Carries a run on: finished tasks stay finished, living sessions are taken over. */
async function carryOn(text: string | undefined, flags: RunFlags): Promise<void> {
  (await needDatabase()).close();
  const { config } = await readConfig();
  const db = openToWrite(home());
  const { run, state } = text === undefined ? activeRun(db) : namedRun(db, text);
  const stored = readRunSettings(db, run);
  if (stored === null) throw new CommandError('not-found', `no run "${run}"`);
  if (state.kind === 'completed') {
    throw new CommandError('refused', `run ${run} has completed: there is nothing left to do`, [
      `see: cis dag status ${run}`,
    ]);
  }
  const settings = withFlags(stored, flags);
  const driveFlags = {
    json: flags.json === true,
    noWait: !flags.wait,
    paused: flags.paused === true,
    isBackground: process.env[backgroundVariable] === '1',
  };
  if (flags.detach) {
    await startInBackground(home(), settings, driveFlags);
    process.stdout.write(flags.json ? `${JSON.stringify({ run })}\n` : `${run}\n`);
    return;
  }
  await driveRun({ home: home(), db, settings, config, flags: driveFlags, what: `dag execute ${run}` });
}

function withFlags(settings: RunSettings, flags: RunFlags): RunSettings {
  return {
    ...settings,
    maxWorkers: flags.maxWorkers ?? settings.maxWorkers,
    defaultAgent: flags.agent ?? settings.defaultAgent,
    agentMode: flags.mode ?? settings.agentMode,
    vars: { ...settings.vars, ...flags.var },
  };
}

function activeRun(db: Db): RunRow {
  const chosen = readActiveRun(db);
  const run = chosen === null ? listUnfinishedRuns(db)[0] : findRuns(db, chosen)[0];
  if (run !== undefined) return run;
  throw new CommandError('not-found', 'there is no unfinished run', [
    'start one: cis dag run FILE',
    'or name one: cis dag execute --run-id RUN',
  ]);
}

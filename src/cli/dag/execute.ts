import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns, listUnfinishedRuns, readRunSettings, type RunRow } from '../../storage/read.ts';
import { home, needDatabase, openDatabase, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { chosenRun, namedRun } from '../pick.ts';
import { startInBackground, takeBackgroundOrder, type BackgroundOrder } from './background.ts';
import { driveRun } from './drive.ts';
import { insertRequest } from '../../storage/request.ts';
import { readTakenOver } from '../../storage/taken-over.ts';
import { me } from './me.ts';
import { openToWrite } from './open-storage.ts';
import { addRunOptions, type RunFlags } from './run-options.ts';
import { runFile } from './run-file.ts';
import { needAgent, needSameMachinery } from './run-choice.ts';
import { refuseNeeds } from './run-needs.ts';

export function command(into: Command): Command {
  return addRunOptions(into.argument('[file]', 'a DAG file: then like `dag run`; or the id of a run'))
    .option('--takeover', 'take the run from the process that drives it; its sessions go on')
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
  if (!flags.takeover) (await needDatabase()).close();
  const loaded = await readConfig();
  const { config } = loaded;
  const order = takeBackgroundOrder();
  const db = openToWrite(home());
  if (order === null && text !== undefined) await settleOwner(db, text, flags, loaded);
  const { run, state } = text === undefined ? activeRun(db) : namedRun(db, text);
  const stored = readRunSettings(db, run);
  if (stored === null) throw new CommandError('not-found', `no run "${run}"`);
  if (state.kind === 'completed') {
    throw new CommandError('refused', `run ${run} has completed: there is nothing left to do`, [
      `see: cis dag status ${run}`,
    ]);
  }
  const settings = order === null ? withFlags(stored, flags, config) : { ...stored, ...pickSettings(order) };
  if (order === null) await switchMode(db, settings, flags, loaded);
  await refuseNeeds(`run ${run}`, settings, config, false);
  const driveFlags = {
    json: flags.json === true,
    noWait: order?.noWait ?? !flags.wait,
    paused: order?.paused ?? flags.paused === true,
    takeover: order?.takeover ?? flags.takeover === true,
    isBackground: order !== null,
  };
  if (flags.detach) {
    await startInBackground(home(), settings, driveFlags);
    process.stdout.write(flags.json ? `${JSON.stringify({ run })}\n` : `${run}\n`);
    return;
  }
  const what = `dag execute ${run}`;
  await driveRun({ home: home(), db, settings, config, flags: driveFlags, what, isHeld: false });
  if (flags.flush && findRuns(db, run)[0]?.mode !== 'local')
    await (await import('./flush.ts')).flushRun(home(), db, run);
}

/** A run that was started elsewhere, or that another home took over, comes from its room. */
async function settleOwner(db: Db, text: string, flags: RunFlags, loaded: LoadedConfig): Promise<void> {
  const [known] = findRuns(db, text);
  const by = known === undefined ? null : readTakenOver(db, known.run);
  if (known !== undefined && by === null) return;
  if (flags.takeover)
    return (await import('./take-over.ts')).takeOverFromRoom(
      db,
      known?.run ?? text,
      flags.room ?? known?.room ?? null,
      loaded,
    );
  if (known === undefined) return;
  throw new CommandError('refused', `run ${known.run} was taken over by ${by}`, [
    `take it back: cis dag execute --run-id ${known.run} --takeover`,
  ]);
}

/** `--hybrid` and `--local` on a run that is carried on are the first thing its driver is told. */
async function switchMode(db: Db, { run, dag, room, matrix }: RunSettings, flags: RunFlags, loaded: LoadedConfig) {
  const now = findRuns(db, run)[0];
  const asked = flags.matrix ? 'matrix' : flags.local ? 'local' : flags.hybrid ? 'hybrid' : null;
  const wanted = asked ?? (flags.room !== undefined && now?.mode !== 'matrix' ? 'hybrid' : null);
  if (wanted !== null && now !== undefined) needSameMachinery(now.mode, wanted);
  if (wanted === null || now === undefined || (wanted === now.mode && flags.room === undefined)) return;
  const given = flags.room ?? now.room ?? room ?? dag.matrix.room ?? loaded.config.dag.room_id;
  const into = wanted === 'local' ? null : await (await import('./hybrid.ts')).checkRoom(given, matrix, loaded);
  insertRequest(db, run, { kind: 'mode', mode: wanted, room: into }, me(), Date.now());
  if (wanted === 'hybrid') (await import('../../bridge/start.ts')).startBridge(home());
}

function pickSettings({ maxWorkers, defaultAgent, agentMode, vars }: BackgroundOrder): Partial<RunSettings> {
  return { maxWorkers, defaultAgent, agentMode, vars };
}

/** What the flags say holds for this driver; the run's own settings stay as they were. */
function withFlags(settings: RunSettings, flags: RunFlags, { agents }: Config): RunSettings {
  return {
    ...settings,
    maxWorkers: flags.maxWorkers ?? settings.maxWorkers,
    defaultAgent: flags.agent === undefined ? settings.defaultAgent : needAgent(flags.agent, agents),
    agentMode: flags.mode ?? settings.agentMode,
    vars: { ...settings.vars, ...flags.var },
  };
}

function activeRun(db: Db): RunRow {
  const run = chosenRun(db) ?? listUnfinishedRuns(db)[0];
  if (run !== undefined) return run;
  throw new CommandError('not-found', 'there is no unfinished run', [
    'start one: cis dag run FILE',
    'or name one: cis dag execute --run-id RUN',
  ]);
}

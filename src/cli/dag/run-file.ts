import type { LoadedConfig } from '../../config/load.ts';
import type { Dag } from '../../domain/dag.ts';
import { parseRunId, type RunId } from '../../domain/ids.ts';
import type { PlanFacts } from '../../domain/plan-text.ts';
import type { RunMode, RunSettings } from '../../domain/run.ts';
import type { Repository } from '../../domain/workspace.ts';
import { nameRun } from '../../domain/run-name.ts';
import { connectAhead } from '../../host/client.ts';
import { createRun } from '../../storage/create.ts';
import type { Db } from '../../storage/open.ts';
import { home, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { startInBackground } from './background.ts';
import { needDag } from './dag-file.ts';
import { driveRun } from './drive.ts';
import { openToWrite } from './open-storage.ts';
import type { RunFlags } from './run-options.ts';

/** Reads a DAG file, makes a run of it and drives that. */
export async function runFile(file: string, flags: RunFlags): Promise<void> {
  const loaded = await readConfig(configFlags(flags));
  const dag = await needDag(file, {
    ...(flags.var === undefined ? {} : { vars: flags.var }),
    ...(flags.useAgent === undefined ? {} : { useAgent: flags.useAgent }),
  });
  const mode = modeOf(flags, loaded);
  if (flags.dryRun)
    return (await import('./dry-run.ts')).printPlan(dag, planFacts(dag, flags, loaded), flags.json === true);
  const driveFlags = {
    json: flags.json === true,
    noWait: !flags.wait,
    paused: flags.paused === true,
    isBackground: false,
  };
  if (!flags.detach) {
    const what = `dag run ${file}`;
    await using host = connectAhead({ home: home(), what, start: true });
    const db = openToWrite(home());
    const settings = create(db, dag, mode, flags, loaded, await findRepositories(dag));
    const { config } = loaded;
    return await driveRun({ home: home(), db, settings, config, flags: driveFlags, what, connect: host.connect });
  }
  const settings = create(openToWrite(home()), dag, mode, flags, loaded, await findRepositories(dag));
  await startInBackground(home(), settings, driveFlags);
  process.stdout.write(flags.json ? `${JSON.stringify({ run: settings.run })}\n` : `${settings.run}\n`);
}

function planFacts(dag: Dag, flags: RunFlags, loaded: LoadedConfig): PlanFacts {
  return {
    run: flags.runId ?? null,
    mode: modeOf(flags, loaded),
    maxWorkers: flags.maxWorkers ?? dag.maxWorkers,
    defaultAgent: flags.agent ?? dag.defaultAgent ?? loaded.config.dag.default_agent,
    vars: flags.var ?? {},
    env: (name) => process.env[name] ?? null,
    skipsPermissions: () => null,
  };
}

function configFlags(flags: RunFlags): Record<string, unknown> {
  return {
    ...(flags.agent === undefined ? {} : { 'dag.default_agent': flags.agent }),
    ...(flags.room === undefined ? {} : { 'dag.room_id': flags.room }),
  };
}

function modeOf(flags: RunFlags, { config }: LoadedConfig): RunMode {
  const given = (['local', 'hybrid', 'matrix'] as const).filter((mode) => flags[mode] === true);
  if (given.length > 1) throw new CommandError('usage', `--${given.join(' and --')} do not go together`);
  const mode = given[0] ?? (flags.room === undefined ? config.dag.default_mode : 'hybrid');
  if (mode === 'local') return mode;
  throw new CommandError('usage', `--${mode} needs the Matrix part of cis, which this version does not have yet`, [
    'run it here: --local',
  ]);
}

/** The repositories of tasks with a worktree; one that cannot be used is the task's failure, when its turn comes. */
async function findRepositories(dag: Dag): Promise<Repository[]> {
  const own = dag.tasks.filter((task) => task.workspace === 'worktree').map((task) => task.workDir ?? dag.workDir);
  if (own.length === 0) return [];
  const { findRepository } = await import('../../worktree/repository.ts');
  const found = await Promise.all([...new Set(own)].map((workDir) => findRepository(workDir)));
  return found.flatMap((one) => (one.ok ? [one.value] : []));
}

function create(
  db: Db,
  dag: Dag,
  mode: RunMode,
  flags: RunFlags,
  { config, origins }: LoadedConfig,
  repositories: readonly Repository[],
): RunSettings {
  const limit = origins.get('dag.max_workers')?.kind === 'env' ? config.dag.max_workers : dag.maxWorkers;
  const rest = {
    dag,
    mode,
    room: config.dag.room_id,
    matrix: dag.matrix,
    vars: flags.var ?? {},
    maxWorkers: flags.maxWorkers ?? limit,
    defaultAgent: flags.agent ?? dag.defaultAgent ?? config.dag.default_agent,
    ...(repositories.length === 0 ? {} : { repositories }),
    agentMode: flags.mode ?? (isWatched(flags) ? 'interactive' : 'oneshot'),
  } as const;
  for (;;) {
    const settings = { ...rest, run: idOf(flags), createdAt: Date.now() };
    if (createRun(db, settings).ok) return settings;
    if (flags.runId === undefined) continue;
    throw new CommandError('refused', `there is a run "${flags.runId}" already`, [
      `carry it on: cis dag execute --run-id ${flags.runId}`,
      'or leave --run-id out',
    ]);
  }
}

/** Somebody may look at the sessions: agents then run with their own screens. */
function isWatched(flags: RunFlags): boolean {
  const asked = flags.detach === true || flags.hybrid === true || flags.matrix === true || process.stdout.isTTY;
  return asked && (process.env['CI'] ?? '') === '' && flags.wait;
}

function idOf(flags: RunFlags): RunId {
  if (flags.runId === undefined) return nameRun(Math.floor(Math.random() * 2 ** 32)); // no secret; loading `crypto` takes longer
  const parsed = parseRunId(flags.runId);
  if (parsed.ok) return parsed.value;
  throw new CommandError('usage', parsed.error);
}

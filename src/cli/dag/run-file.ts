import type { LoadedConfig } from '../../config/load.ts';
import { parseRunId, type RunId } from '../../domain/ids.ts';
import type { PlanFacts } from '../../domain/plan-text.ts';
import type { Dag } from '../../domain/dag.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { Repository } from '../../domain/workspace.ts';
import { nameRun } from '../../domain/run-name.ts';
import { thisDriver } from '../../executor/identity.ts';
import { connectAhead } from '../../host/client.ts';
import { createRun } from '../../storage/create.ts';
import type { Driver as Holder } from '../../storage/lease.ts';
import type { Db } from '../../storage/open.ts';
import { home, openScreenRedactor, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { startInBackground } from './background.ts';
import { needDag } from './dag-file.ts';
import { driveRun } from './drive.ts';
import { openToWrite } from './open-storage.ts';
import { chooseRun, type RunChoice } from './run-choice.ts';
import { listNeeds, openPreview, refuseNeeds } from './run-needs.ts';
import type { RunFlags } from './run-options.ts';

/** Reads a DAG file, makes a run of it and drives that. */
export async function runFile(file: string, flags: RunFlags): Promise<void> {
  if (flags.takeover) throw new CommandError('usage', '--takeover takes a run: name one with --run-id, and no file');
  const loaded = await readConfig();
  const vars = flags.var ?? {};
  const dag = await needDag(file, { vars, ...(flags.useAgent === undefined ? {} : { useAgent: flags.useAgent }) });
  const choice = { ...chooseRun(dag, flags, loaded), dag, vars };
  if (flags.dryRun) return dryRun(choice, flags, loaded);
  await refuseNeeds(file, choice, loaded.config, true);
  const given = { ...choice, room: await findRoom(choice, loaded) };
  const driveFlags = { json: flags.json === true, noWait: !flags.wait, paused: flags.paused === true };
  if (!flags.detach) {
    const more = { isBackground: false, takeover: false };
    const what = `dag run ${file}`;
    const idleMs = loaded.config.host.idle_exit_secs * 1000;
    // Sessions of a matrix run are in the hosts of its nodes.
    await using host = choice.mode === 'matrix' ? null : connectAhead({ home: home(), what, start: true, idleMs });
    const db = openToWrite(home());
    const settings = create(db, { ...given, ...(await findRepositories(dag)) }, flags, thisDriver(what));
    const { config } = loaded;
    const connect = host === null ? {} : { connect: host.connect };
    const how = { flags: { ...driveFlags, ...more }, what, isHeld: true, ...connect };
    await driveRun({ home: home(), db, settings, config, ...how });
    if (flags.flush && settings.mode !== 'local') await (await import('./flush.ts')).flushRun(home(), db, settings.run);
    return;
  }
  const settings = create(openToWrite(home()), { ...given, ...(await findRepositories(dag)) }, flags, null);
  await startInBackground(home(), settings, { ...driveFlags, takeover: false });
  process.stdout.write(flags.json ? `${JSON.stringify({ run: settings.run })}\n` : `${settings.run}\n`);
}

/** The room of a hybrid or matrix run must be there, and as the file wants it, before anything starts. */
async function findRoom({ mode, room, dag }: Chosen, loaded: LoadedConfig): Promise<string | null> {
  if (mode === 'local') return room;
  if (mode === 'hybrid' && room !== null && (await import('./known-room.ts')).isRoomKnown(room, dag.matrix))
    return room;
  const found = await (await import('./hybrid.ts')).checkRoom(room, dag.matrix, loaded, mode);
  if (mode === 'matrix') await (await import('./fleet.ts')).needCoordinatorRights(found);
  return found;
}

type Chosen = RunChoice & Pick<RunSettings, 'dag' | 'vars'>;

async function dryRun(choice: Chosen, flags: RunFlags, { config }: LoadedConfig): Promise<void> {
  const preview = await openPreview(choice, config);
  const facts: PlanFacts = {
    ...choice,
    run: flags.runId ?? null,
    env: (name) => process.env[name] ?? null,
    skipsPermissions: (task) => preview(task).asksNobody,
  };
  const needs = await listNeeds(choice, config);
  const mask = await openScreenRedactor(config, choice);
  (await import('./print-plan.ts')).printPlan(choice.dag, facts, { needs, mask, json: flags.json === true });
}

/** The repositories of tasks with a worktree; one that cannot be used is the task's failure, when its turn comes. */
async function findRepositories(dag: Dag): Promise<{ readonly repositories?: readonly Repository[] }> {
  const own = dag.tasks.filter((task) => task.workspace === 'worktree').map((task) => task.workDir ?? dag.workDir);
  if (own.length === 0) return {};
  const { findRepository } = await import('../../worktree/repository.ts');
  const found = await Promise.all([...new Set(own)].map((workDir) => findRepository(workDir)));
  const repositories = found.flatMap((one) => (one.ok ? [one.value] : []));
  return repositories.length === 0 ? {} : { repositories };
}

function create(db: Db, choice: Chosen, flags: RunFlags, driver: Holder | null): RunSettings {
  for (;;) {
    const settings = { ...choice, matrix: choice.dag.matrix, run: idOf(flags), createdAt: Date.now() };
    if (createRun(db, settings, driver).ok) return settings;
    if (flags.runId === undefined) continue;
    throw new CommandError('refused', `there is a run "${flags.runId}" already`, [
      `carry it on: cis dag execute --run-id ${flags.runId}`,
      'or leave --run-id out',
    ]);
  }
}

function idOf(flags: RunFlags): RunId {
  if (flags.runId === undefined) return nameRun(Math.floor(Math.random() * 2 ** 32)); // no secret; loading `crypto` takes longer
  const parsed = parseRunId(flags.runId);
  if (parsed.ok) return parsed.value;
  throw new CommandError('usage', parsed.error);
}
